//! Whether a page of that origin may connect: browsers open WebSockets for any page, and send their
//! cookies along (cross-site WebSocket hijacking).
//!
//! A client that proves itself by a token which no foreign page has may come from anywhere, unless
//! the operator lists origins. For all others a page has to be of the same host as the gateway, or
//! of an origin on the list. No `Origin` at all is no browser; with a cookie it is no honest one.

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::uri::Uri;

use super::identity::Identity;
use crate::types::host::is_loopback;

/// Stands for every origin in the list.
pub const ANY: &str = "*";

/// Why an origin is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOrigin {
    /// The origin is not on the list, nor the same host.
    #[error("pages of this origin may not connect")]
    Foreign,
    /// A browser says where a page is from; what sends a cookie without that is none.
    #[error("a request with a cookie needs an `Origin`")]
    Missing,
}

/// Whether text is an origin as browsers send it: scheme, host and port, nothing else.
#[must_use]
pub fn is_origin(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text == ANY;
    };
    let is_name = scheme
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let is_uri = text
        .parse::<Uri>()
        .is_ok_and(|uri| uri.authority().is_some());
    is_name && is_uri && !rest.contains(['/', '@', '?', '#', ' ']) && rest == rest.to_lowercase()
}

/// Checks a request's origin.
pub(super) fn check(
    headers: &HeaderMap,
    identity: &Identity,
    listed: &[String],
) -> Result<(), BadOrigin> {
    let cookies = headers.contains_key(COOKIE);
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return if cookies && !identity.by_token {
            Err(BadOrigin::Missing)
        } else {
            Ok(())
        };
    };
    let origin = origin.to_str().unwrap_or_default();
    if origins.next().is_some() {
        return Err(BadOrigin::Foreign);
    }
    let is_listed = listed.iter().any(|item| item == ANY || item == origin);
    let unasked = listed.is_empty() && identity.by_token;
    if is_listed || unasked || is_same_host(origin, headers) {
        Ok(())
    } else {
        Err(BadOrigin::Foreign)
    }
}

/// Whether a page is of the host that it connects to, or both are this machine: ports of one
/// machine do not tell people apart, and cookies ignore them.
fn is_same_host(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let (Some(host), Some((_, authority))) = (host, origin.split_once("://")) else {
        return false;
    };
    let without_port = |text: &str| {
        let uri = format!("http://{text}").parse::<Uri>().ok();
        uri.and_then(|uri| uri.host().map(str::to_ascii_lowercase))
    };
    let (page, here) = (without_port(authority), without_port(host));
    let local = |name: &Option<String>| name.as_deref().is_some_and(is_loopback);
    authority.eq_ignore_ascii_case(host) || (local(&page) && local(&here))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{DeviceId, ManagerKey, UserId};

    fn identity(by_token: bool) -> Identity {
        let (user, key) = (UserId::new("ann").unwrap(), ManagerKey::new("k").unwrap());
        Identity {
            by_token,
            ..Identity::new(user, key, DeviceId::new("d").unwrap())
        }
    }

    fn checked(headers: &[(&'static str, &str)], by_token: bool, listed: &[&str]) -> bool {
        let mut map = HeaderMap::new();
        map.insert(HOST, "chat.example:443".parse().unwrap());
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let listed: Vec<String> = listed.iter().map(|item| (*item).to_owned()).collect();
        check(&map, &identity(by_token), &listed).is_ok()
    }

    #[test]
    fn pages_of_other_hosts_are_refused_unless_a_token_speaks_for_them() {
        let evil = ("origin", "https://evil.example");
        assert!(!checked(&[evil], false, &[]));
        assert!(!checked(&[evil, ("cookie", "token=1")], false, &[]));
        assert!(checked(&[evil], true, &[]));
        assert!(checked(
            &[("origin", "https://chat.example:443")],
            false,
            &[]
        ));
        assert!(!checked(&[("origin", "https://chat.example")], false, &[]));
        assert!(!checked(&[("origin", "null")], false, &[]));
        assert!(checked(&[], false, &[]));
        assert!(!checked(&[("cookie", "token=1")], false, &[]));
        assert!(checked(&[("cookie", "x=1")], true, &[]));
    }

    /// A list holds for everybody, letter by letter.
    #[test]
    fn a_list_is_exact_and_holds_for_tokens_too() {
        let listed = ["https://app.example", "http://app.example:8080"];
        assert!(checked(&[("origin", "https://app.example")], true, &listed));
        for other in [
            "http://app.example",
            "https://app.example:8443",
            "https://app.example.evil",
            "https://evil.example",
        ] {
            assert!(!checked(&[("origin", other)], true, &listed), "{other}");
        }
        assert!(checked(&[("origin", "https://x.example")], false, &["*"]));
        let twice = [
            ("origin", "https://app.example"),
            ("origin", "https://evil.example"),
        ];
        assert!(!checked(&twice, true, &listed));
    }

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        for good in [
            "*",
            "https://a.example",
            "http://[::1]:80",
            "chrome-extension://x",
        ] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "a.example",
            "https://a.example/",
            "https://A.example",
            "https://u@a",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
