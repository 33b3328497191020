//! Shapes of what strangers meet: networks, origins, backends, names of headers and claims.

use axum::http::{HeaderName, StatusCode};
use ipnet::IpNet;

use super::Shape;
use super::parsed::{ListOf, Optional, Parsed};
use crate::config::raw::{Raw, SettingValue};
use wastegate::gateway::authority::Authority;
use wastegate::gateway::identity::place::NamePlace;
use wastegate::gateway::origin::{AllowedOrigin, BadAllowedOrigin};
use wastegate::gateway::upstream::Upstream;
use wastegate_core::types::ids::NAME_BYTES_MAX;

/// A list of addresses and networks in CIDR form.
pub(in crate::config) const fn networks() -> ListOf<IpNet> {
    ListOf(Parsed {
        accepts: "an IP address, or a network such as 10.0.0.0/8",
        parse: |text| {
            let address = text.parse::<std::net::IpAddr>().map(IpNet::from);
            let network = address.or_else(|_| text.parse::<IpNet>());
            network.map_err(|_| format!("{text:?} is no IP address or network"))
        },
        write: ToString::to_string,
        samples: &["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"],
    })
}

/// Origins of pages.
pub(in crate::config) const fn origins() -> ListOf<AllowedOrigin> {
    ListOf(Parsed {
        accepts: "an origin as browsers send it, such as https://app.example:8443 or `null`, \
                  https://*.example for its subdomains, or `*`",
        parse: |text| {
            text.parse()
                .map_err(|error: BadAllowedOrigin| error.to_string())
        },
        write: ToString::to_string,
        samples: &[
            "https://app.example",
            "http://localhost:3000",
            "https://*.example:8443",
            "capacitor://localhost",
            "null",
            "*",
        ],
    })
}

/// Names or addresses of hosts.
pub(in crate::config) const fn hosts() -> ListOf<String> {
    ListOf(Parsed {
        accepts: "the name or the address of a host, without a port",
        parse: |text| match Authority::read(text.as_bytes()) {
            Some(host) if host.port().is_none() && !text.ends_with(':') => {
                Ok(host.host().to_owned())
            }
            _ => Err(format!("{text:?} is no name or address of a host alone")),
        },
        write: Clone::clone,
        samples: &["desk.example", "10.0.0.7", "[2001:db8::7]"],
    })
}

/// A list of WebSocket URLs.
pub(in crate::config) const fn upstreams() -> ListOf<Upstream> {
    ListOf(Parsed {
        accepts: "a ws://HOST[:PORT][/PATH] or wss://",
        parse: |text| {
            text.parse()
                .map_err(|error: wastegate::gateway::upstream::BadUpstream| error.to_string())
        },
        write: ToString::to_string,
        samples: &[
            "ws://backend:8000/chat",
            "wss://chat.example",
            "ws://[::1]:9000",
        ],
    })
}

/// Places where a client names its manager or device.
pub(in crate::config) const fn places() -> ListOf<NamePlace> {
    ListOf(Parsed {
        accepts: "`query:NAME`, `header:NAME`, `cookie:NAME`, `path:N` or `claim:NAME`",
        parse: |text| {
            text.parse()
                .map_err(|error: wastegate::gateway::identity::place::BadPlace| error.to_string())
        },
        write: NamePlace::written,
        samples: &["query:key", "header:x-client", "path:2"],
    })
}

/// Statuses of refusals.
pub(in crate::config) struct Statuses;

/// Of what answers say that a server cannot serve.
const STATUSES: std::ops::RangeInclusive<u16> = 400..=599;

impl Shape<Vec<StatusCode>> for Statuses {
    fn accepts(&self) -> String {
        "a list, each a status from 400 to 599".to_owned()
    }

    fn read(&self, raw: &Raw) -> Result<Vec<StatusCode>, String> {
        let items = raw.as_list();
        let items = items.ok_or_else(|| format!("{raw} is not a list"))?;
        let mut statuses = Vec::new();
        for item in &items {
            let status = item.as_whole().and_then(|whole| u16::try_from(whole).ok());
            let status = status.filter(|status| STATUSES.contains(status));
            let status = status.and_then(|status| StatusCode::from_u16(status).ok());
            let status = status.ok_or_else(|| format!("{item} is no such status"))?;
            if statuses.contains(&status) {
                return Err(format!("{item} is named twice"));
            }
            statuses.push(status);
        }
        Ok(statuses)
    }

    fn show(&self, value: &Vec<StatusCode>) -> SettingValue {
        SettingValue::Wholes(value.iter().map(|status| status.as_u16().into()).collect())
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        SettingValue::Wholes((500..500 + seed % 5).collect())
    }
}

/// Names that somebody else chose: of claims, classes, issuers.
pub(in crate::config) const fn names() -> ListOf<String> {
    ListOf(name())
}

/// Such a name.
const fn name() -> Parsed<String> {
    Parsed {
        accepts: "text without control characters",
        parse: |text| {
            if text.is_empty() || text.len() > NAME_BYTES_MAX || text.contains(char::is_control) {
                return Err(format!(
                    "{text:?} is empty, too long, or has a control character"
                ));
            }
            Ok(text.to_owned())
        },
        write: Clone::clone,
        samples: &["premium", "https://issuer.example/", "gold é"],
    }
}

/// Such a name, or empty text for none.
pub(in crate::config) const fn name_or_none() -> Parsed<String> {
    Parsed {
        accepts: "text without control characters, or \"\" for none",
        parse: |text| {
            if text.is_empty() {
                Ok(String::new())
            } else {
                (name().parse)(text)
            }
        },
        write: Clone::clone,
        samples: &["", "sub", "https://example/claims/user"],
    }
}

/// A word of letters that may stand in headers, cookies and queries.
pub(in crate::config) const fn word() -> Parsed<String> {
    Parsed {
        accepts: "a name of letters, digits, `-`, `_` and `.`",
        parse: |text| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.bytes().all(fits) {
                return Err(format!("{text:?} is no such name"));
            }
            Ok(text.to_owned())
        },
        write: Clone::clone,
        samples: &["token", "session-id", "acme.bearer."],
    }
}

/// Such a word, or empty text for none.
pub(in crate::config) const fn word_or_none() -> Parsed<String> {
    Parsed {
        accepts: "a name of letters, digits, `-`, `_` and `.`, or \"\" for none",
        parse: |text| {
            if text.is_empty() {
                Ok(String::new())
            } else {
                (word().parse)(text)
            }
        },
        write: Clone::clone,
        samples: &["", "sessionid", "connect.sid"],
    }
}

fn header(text: &str) -> Result<String, String> {
    let name = HeaderName::from_bytes(text.as_bytes());
    let name = name.map_err(|_| format!("{text:?} is no name of a header"))?;
    Ok(name.as_str().to_owned())
}

/// The name of a header, or empty text for none.
pub(in crate::config) const fn header_or_none() -> Parsed<String> {
    Parsed {
        accepts: "the name of a header, or \"\" for none",
        parse: |text| {
            if text.is_empty() {
                Ok(String::new())
            } else {
                header(text)
            }
        },
        write: Clone::clone,
        samples: &["x-user", "", "remote-user"],
    }
}

/// Names of headers.
pub(in crate::config) const fn headers() -> ListOf<String> {
    ListOf(Parsed {
        accepts: "the name of a header",
        parse: header,
        write: Clone::clone,
        samples: &["x-tenant", "accept-language"],
    })
}

/// Where spans are sent. It may be plain HTTP anywhere: a collector is a neighbour in most networks, and spans name
/// no users.
#[cfg(feature = "otlp")]
pub(in crate::config) const fn collector() -> Optional<String> {
    Optional(Parsed {
        accepts: "an http:// or https:// URL, such as http://collector:4318",
        parse: |text| {
            let url = reqwest::Url::parse(text)
                .map_err(|error| format!("{text:?} is no URL ({error})"))?;
            if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
                return Err(format!("{text:?} is no http:// or https:// URL"));
            }
            if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
                // Not repeated, because it may have a password.
                let what = "the URL has a user, a password or a fragment";
                return Err(format!("{what}; `otlp.authorization` is for credentials"));
            }
            Ok(text.to_owned())
        },
        write: Clone::clone,
        samples: &["http://collector:4318", "https://otlp.example/v1/traces"],
    })
}

/// Where something is asked for over HTTP.
pub(in crate::config) const fn url() -> Optional<String> {
    Optional(Parsed {
        accepts: "an https:// URL, or http:// for this machine",
        parse: |text| {
            let url = reqwest::Url::parse(text)
                .map_err(|error| format!("{text:?} is no URL ({error})"))?;
            if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
                return Err(format!("{text:?} is no http:// or https:// URL"));
            }
            Ok(text.to_owned())
        },
        write: Clone::clone,
        samples: &[
            "https://auth.example/check",
            "http://127.0.0.1:9000/who?x=1",
        ],
    })
}
