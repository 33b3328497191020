//! Whether a page of that origin may connect: browsers open WebSockets for any page, and send their
//! cookies along (cross-site WebSocket hijacking).
//!
//! A client that proves itself by a token which no foreign page has may come from anywhere, unless
//! the operator lists origins. For all others a page has to be of the gateway's own origin, or of one on
//! the list. Origins are compared as RFC 6454 says: scheme, host and port, where the usual port need not
//! be written. No `Origin` at all is no browser; with a cookie it is no honest one, unless a setting says
//! that clients outside of browsers send cookies here.

mod rule;

use axum::http::header::{COOKIE, ORIGIN};
use axum::http::request::Parts;

use self::rule::PageOrigin;
use super::config::Config;
use super::identity::Identity;
use super::{peer, site};

pub use self::rule::{AllowedOrigin, BadAllowedOrigin};

/// What a request is answered that has a cookie and no `Origin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingOrigin {
    /// A refusal: every browser says where a page is from.
    RefuseWithCookie,
    /// As one without a cookie: clients outside of browsers send cookies too.
    Allow,
}

/// Why an origin is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum BadOrigin {
    /// The origin is not on the list, nor the gateway's own.
    #[error("pages of this origin may not connect")]
    Foreign,
    /// A browser says where a page is from; what sends a cookie without that is none.
    #[error("a request with a cookie needs an `Origin`")]
    Missing,
}

/// Checks a request's origin.
pub(super) fn check(parts: &Parts, identity: &Identity, config: &Config) -> Result<(), BadOrigin> {
    let headers = &parts.headers;
    let any = config.origins.iter().any(AllowedOrigin::is_any);
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else {
        let may_be_missing = identity.by_token
            || any
            || config.origin_missing == MissingOrigin::Allow
            || !headers.contains_key(COOKIE);
        return may_be_missing.then_some(()).ok_or(BadOrigin::Missing);
    };
    if origins.next().is_some() {
        return Err(BadOrigin::Foreign);
    }
    if any || config.origins.is_empty() && identity.by_token {
        return Ok(());
    }
    let page = origin.to_str().ok().and_then(PageOrigin::read);
    let page = page.ok_or(BadOrigin::Foreign)?;
    let is_listed = config.origins.iter().any(|rule| rule.allows(&page));
    let may_connect = is_listed || is_own(&page, parts);
    may_connect.then_some(()).ok_or(BadOrigin::Foreign)
}

/// Whether a page is of the origin that it connects to. The scheme counts where it is known. Two pages
/// of this machine count as one where nothing stands in front: ports of one machine do not tell people
/// apart, and cookies ignore them. Behind a proxy, loopback is only where the proxy reaches us.
fn is_own(page: &PageOrigin, parts: &Parts) -> bool {
    let PageOrigin::Web { scheme, authority } = page else {
        return false;
    };
    let Some(own) = site::authority(parts) else {
        return false;
    };
    let is_proxied = peer::way(parts).is_some_and(|way| way.is_proxied);
    if own.is_loopback() && authority.is_loopback() && !is_proxied {
        return true;
    }
    let own_port = rule::port(*scheme, &own);
    site::scheme(parts).is_none_or(|known| known == *scheme)
        && own.host() == authority.host()
        && own_port == rule::port(*scheme, authority)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;
    use axum::http::Request;

    use super::*;
    use wastegate_core::types::{DeviceId, ManagerKey, UserId};

    fn identity(by_token: bool) -> Identity {
        let (user, key) = (UserId::new("ann").unwrap(), ManagerKey::new("k").unwrap());
        Identity {
            by_token,
            ..Identity::new(user, key, DeviceId::new("d").unwrap())
        }
    }

    /// What a request with these headers comes to, from a proxy that is trusted.
    fn result(
        host: &str,
        headers: &[(&str, &str)],
        by_token: bool,
        config: &Config,
    ) -> Result<(), BadOrigin> {
        let mut request = Request::get("/ws").header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let socket = SocketAddr::from(([127, 0, 0, 1], 1));
        let request = request.extension(ConnectInfo(socket)).body(()).unwrap();
        let mut parts = request.into_parts().0;
        peer::find(&mut parts, &config.trusted_proxies);
        check(&parts, &identity(by_token), config)
    }

    fn listing(listed: &[&str]) -> Config {
        Config {
            origins: listed.iter().map(|item| item.parse().unwrap()).collect(),
            ..Config::default()
        }
    }

    fn checked(headers: &[(&'static str, &str)], by_token: bool, listed: &[&str]) -> bool {
        result("chat.example:443", headers, by_token, &listing(listed)).is_ok()
    }

    /// Whether a page with a cookie may connect to a host.
    fn own(host: &str, origin: &str, more: &[(&str, &str)]) -> bool {
        let mut headers = vec![("cookie", "sid=1"), ("origin", origin)];
        headers.extend(more);
        result(host, &headers, false, &Config::default()).is_ok()
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
        assert!(!checked(&[("origin", "http://chat.example")], false, &[]));
        assert!(!checked(&[("origin", "null")], false, &[]));
        assert!(checked(&[], false, &[]));
        assert!(!checked(&[("cookie", "token=1")], false, &[]));
        assert!(checked(&[("cookie", "x=1")], true, &[]));
    }

    /// A list holds for everybody, as a comparison of origins.
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

    /// W58, W59, S29: ports that need not be written, and those that do; schemes where they are known.
    #[test]
    fn w58_w59_s29_a_page_of_the_same_origin_is_scheme_host_and_port() {
        assert!(own("chat.example:443", "https://chat.example", &[]));
        assert!(own("chat.example", "https://chat.example:443", &[]));
        assert!(own("Chat.Example", "http://chat.example", &[]));
        assert!(own("chat.example:8443", "https://chat.example:8443", &[]));
        for page in [
            "https://chat.example:8443",
            "https://example",
            "https://a.chat.example",
            "ftp://chat.example",
            "wss://chat.example",
            "https://chat.example/",
            "chat.example",
        ] {
            assert!(!own("chat.example", page, &[]), "{page}");
        }
        for proto in ["https", "HTTPS", "wss", "https, http"] {
            let proto = ("x-forwarded-proto", proto);
            assert!(own("chat.example", "https://chat.example", &[proto]));
            assert!(!own("chat.example", "http://chat.example", &[proto]));
        }
        let plain = ("x-forwarded-proto", "http");
        assert!(!own("chat.example", "https://chat.example", &[plain]));
    }

    #[test]
    fn a_trusted_proxy_says_which_host_it_was_asked_for() {
        let host = ("x-forwarded-host", "chat.example:8443, inner");
        assert!(own("127.0.0.1:8080", "https://chat.example:8443", &[host]));
        assert!(!own("chat.example", "https://chat.example", &[host]));
        let forwarded = (
            "forwarded",
            r#"for=_x;host="chat.example:8443";proto=https"#,
        );
        assert!(own("inner", "https://chat.example:8443", &[forwarded]));
        assert!(!own("inner", "http://chat.example:8443", &[forwarded]));
        // Nobody else does.
        let config = Config {
            trusted_proxies: Vec::new(),
            ..Config::default()
        };
        let page = ("origin", "https://chat.example:8443");
        assert!(result("inner", &[host, page], false, &config).is_err());
    }

    /// S30: loopback behind a proxy is the proxy's way to us, and says nothing of the page.
    #[test]
    fn s30_two_ports_of_this_machine_are_one_where_no_proxy_stands_between() {
        assert!(own("127.0.0.1:8080", "http://localhost:6666", &[]));
        let proxied = ("x-forwarded-for", "203.0.113.9");
        assert!(!own("127.0.0.1:8080", "http://localhost:6666", &[proxied]));
        assert!(!own("127.0.0.1:8080", "file://localhost", &[]));
    }

    /// W60: clients outside of browsers that send cookies.
    #[test]
    fn w60_a_cookie_without_an_origin_may_be_allowed() {
        let cookie = [("cookie", "sid=1")];
        let refused = result("chat.example", &cookie, false, &Config::default());
        assert_eq!(refused, Err(BadOrigin::Missing));
        assert!(result("chat.example", &cookie, false, &listing(&["*"])).is_ok());
        let config = Config {
            origin_missing: MissingOrigin::Allow,
            ..Config::default()
        };
        assert!(result("chat.example", &cookie, false, &config).is_ok());
        let foreign = [("cookie", "sid=1"), ("origin", "https://evil.example")];
        assert!(result("chat.example", &foreign, false, &config).is_err());
    }
}
