//! Origins of pages (RFC 6454), and the operator's list of those that may connect.

use std::fmt;
use std::str::FromStr;

use crate::gateway::authority::Authority;
use crate::gateway::site::Scheme;

/// What stands for every origin in the list.
const ANY: &str = "*";
/// The origin of pages that have none, e.g. of sandboxed frames.
const NULL: &str = "null";
/// What a rule begins its host with to mean every subdomain.
const SUBDOMAINS: &str = "*.";

/// An origin as browsers send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PageOrigin {
    /// None of its own.
    Null,
    /// A page of a web server.
    Web {
        /// How it was fetched.
        scheme: Scheme,
        /// Its host in lower case.
        authority: Authority,
    },
    /// A page of something else: a file, an extension, an application. Its text in lower case.
    Other(String),
}

/// An origin whose pages may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedOrigin(Rule);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Any,
    Exact(PageOrigin),
    /// Every subdomain, at any depth, of the host.
    Subdomains {
        scheme: Scheme,
        of: Authority,
    },
}

/// Text that names no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadAllowedOrigin {
    /// No origin at all.
    #[error("{0:?} is no origin: scheme, host and port in lower case, nothing behind it")]
    Origin(String),
    /// A wildcard where none works.
    #[error(
        "{0:?}: a wildcard stands for subdomains only, as in https://*.example.org, or for everything, as `*`"
    )]
    Wildcard(String),
    /// A scheme that no page has.
    #[error("{0:?}: pages have http or https, not ws or wss")]
    WebSocket(String),
}

impl PageOrigin {
    /// Reads it; None for what no browser sends.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text == NULL {
            return Some(Self::Null);
        }
        let (scheme, rest) = text.split_once("://")?;
        if !is_scheme(scheme) {
            return None;
        }
        let web = |scheme| {
            let authority = Authority::read(rest.as_bytes())?;
            Some(Self::Web { scheme, authority })
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" => web(Scheme::Http),
            "https" => web(Scheme::Https),
            _ => {
                let fits = |byte: u8| byte.is_ascii_graphic() && !b"/?#@\"*,\\".contains(&byte);
                let is_host = rest.bytes().all(fits);
                is_host.then(|| Self::Other(text.to_ascii_lowercase()))
            }
        }
    }

    /// Whether both name the same origin: scheme, host, and port, which need not be written.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Web { scheme, authority },
                Self::Web {
                    scheme: other,
                    authority: page,
                },
            ) => {
                scheme == other
                    && authority.host() == page.host()
                    && port(*scheme, authority) == port(*scheme, page)
            }
            _ => self == other,
        }
    }
}

/// The port of an origin.
pub(super) fn port(scheme: Scheme, authority: &Authority) -> u16 {
    authority.port().unwrap_or(scheme.default_port())
}

/// RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.bytes().all(fits) && text.starts_with(|first: char| first.is_ascii_alphabetic())
}

impl AllowedOrigin {
    /// Every origin, and none at all.
    pub const ANY: Self = Self(Rule::Any);

    /// Whether it stands for every origin.
    pub(super) const fn is_any(&self) -> bool {
        matches!(self.0, Rule::Any)
    }

    /// Whether a page of that origin may connect by this rule.
    pub(super) fn allows(&self, page: &PageOrigin) -> bool {
        match &self.0 {
            Rule::Any => true,
            Rule::Exact(origin) => origin.is(page),
            Rule::Subdomains { scheme, of } => {
                let PageOrigin::Web {
                    scheme: found,
                    authority,
                } = page
                else {
                    return false;
                };
                let labels = authority.host().strip_suffix(of.host());
                let labels = labels.and_then(|labels| labels.strip_suffix('.'));
                scheme == found
                    && port(*scheme, of) == port(*scheme, authority)
                    && labels.is_some_and(|labels| !labels.is_empty())
            }
        }
    }
}

impl FromStr for AllowedOrigin {
    type Err = BadAllowedOrigin;

    fn from_str(text: &str) -> Result<Self, BadAllowedOrigin> {
        let bad = || BadAllowedOrigin::Origin(text.to_owned());
        if text == ANY {
            return Ok(Self::ANY);
        }
        if text.starts_with("ws://") || text.starts_with("wss://") {
            return Err(BadAllowedOrigin::WebSocket(text.to_owned()));
        }
        if !text.contains('*') {
            let origin = PageOrigin::read(text).filter(|_| text == text.to_lowercase());
            return Ok(Self(Rule::Exact(origin.ok_or_else(bad)?)));
        }
        let wildcard = || BadAllowedOrigin::Wildcard(text.to_owned());
        let (scheme, host) = text.split_once("://").ok_or_else(wildcard)?;
        let of = host.strip_prefix(SUBDOMAINS).ok_or_else(wildcard)?;
        if of.contains('*') || of.starts_with('[') {
            return Err(wildcard());
        }
        match PageOrigin::read(&format!("{scheme}://{of}")).filter(|_| text == text.to_lowercase())
        {
            Some(PageOrigin::Web { scheme, authority }) => Ok(Self(Rule::Subdomains {
                scheme,
                of: authority,
            })),
            _ => Err(wildcard()),
        }
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::Any => f.write_str(ANY),
            Rule::Exact(PageOrigin::Null) => f.write_str(NULL),
            Rule::Exact(PageOrigin::Other(text)) => f.write_str(text),
            Rule::Exact(PageOrigin::Web { scheme, authority }) => {
                write!(f, "{}://{authority}", scheme.name())
            }
            Rule::Subdomains { scheme, of } => {
                write!(f, "{}://{SUBDOMAINS}{of}", scheme.name())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(rule: &str, page: &str) -> bool {
        let rule: AllowedOrigin = rule.parse().unwrap();
        PageOrigin::read(page).is_some_and(|page| rule.allows(&page))
    }

    /// W62: everything that a browser or an application's own page may send can be listed.
    #[test]
    fn w62_every_origin_that_is_sent_can_be_listed() {
        for good in [
            "*",
            "https://a.example",
            "https://*.a.example",
            "http://*.a.example:8080",
            "http://[::1]:80",
            "null",
            "file://",
            "capacitor://localhost",
            "chrome-extension://abcdefghijklmnop",
            "tauri://localhost",
            "app://obsidian.md",
            "vscode-webview://0a1b",
        ] {
            let rule: AllowedOrigin = good.parse().unwrap();
            assert_eq!(rule.to_string(), good);
            if !good.contains('*') {
                assert!(allows(good, good), "{good}");
            }
        }
    }

    #[test]
    fn what_is_no_origin_says_why() {
        for bad in [
            "",
            "a.example",
            "https://a.example/",
            "https://A.example",
            "https://u@a",
            "https://",
        ] {
            let error = bad.parse::<AllowedOrigin>().unwrap_err();
            assert!(
                matches!(error, BadAllowedOrigin::Origin(_)),
                "{bad}: {error}"
            );
        }
        for bad in [
            "https://*",
            "https://*.",
            "*.example",
            "https://a*.example",
            "https://*.*.example",
            "https://*a.example",
            "https://a.example:*",
            "file://*",
            "capacitor://*.localhost",
            "http://*.[::1]",
            "*://a.example",
            "**",
        ] {
            let error = bad.parse::<AllowedOrigin>().unwrap_err();
            assert!(
                matches!(error, BadAllowedOrigin::Wildcard(_)),
                "{bad}: {error}"
            );
        }
        let error = "wss://a.example".parse::<AllowedOrigin>().unwrap_err();
        assert!(matches!(error, BadAllowedOrigin::WebSocket(_)));
    }

    #[test]
    fn origins_are_compared_as_origins() {
        assert!(allows("https://a.example", "HTTPS://A.Example:443"));
        assert!(allows("http://a.example:80", "http://a.example"));
        assert!(!allows("https://a.example", "http://a.example"));
        assert!(!allows("https://a.example", "https://a.example:8443"));
        assert!(!allows("https://a.example:80", "http://a.example"));
        assert!(allows("http://[::1]:80", "http://[0:0:0:0:0:0:0:1]"));
        assert!(!allows("file://", "null"));
        assert!(allows("*", "null"));
        assert!(!allows("*", "no origin"));
    }

    /// W61: a wildcard stands for subdomains at any depth, and for nothing that only looks like one.
    #[test]
    fn w61_a_wildcard_is_subdomains() {
        let rule = "https://*.example";
        for page in [
            "https://a.example",
            "https://a.b.example",
            "https://a.example:443",
        ] {
            assert!(allows(rule, page), "{page}");
        }
        for page in [
            "https://example",
            "https://.example",
            "http://a.example",
            "https://a.example:8443",
            "https://aexample",
            "https://a.example.evil",
            "null",
        ] {
            assert!(!allows(rule, page), "{page}");
        }
        assert!(allows("http://*.example:8080", "http://a.example:8080"));
    }
}
