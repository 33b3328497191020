//! The opening handshake (RFC 6455, section 4.2.1), checked before anything is spent on it.
//!
//! Strict on purpose: proxies in front that are lenient are how upgrades get smuggled, so a request
//! that is not exactly an upgrade is not one.

use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::authority::Authority;
use super::lists::items;
use super::{SUBPROTOCOL, site};

/// The length of a `Sec-WebSocket-Key`: 16 bytes in base64.
const KEY_LENGTH: usize = 24;

/// A request that is an upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handshake {
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: String,
    /// The client speaks our subprotocol.
    pub notices: bool,
}

/// Why a request is not an upgrade.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadHandshake {
    /// Not GET over HTTP/1.1.
    #[error("a WebSocket opens with GET over HTTP/1.1, not {0} over {1:?}")]
    Request(Method, Version),
    /// A header is missing or says something else.
    #[error("header `{name}` must {must}")]
    Header {
        name: HeaderName,
        /// What it has to be.
        must: &'static str,
    },
    /// Another version of the protocol.
    #[error("header `sec-websocket-version` must be 13")]
    Version,
    /// The upgrade has a body.
    #[error("an upgrade has no body: leave out `{0}`")]
    Body(HeaderName),
}

impl BadHandshake {
    /// The status it is answered with.
    #[must_use]
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Request(..) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Header { .. } | Self::Body(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl Handshake {
    /// Checks a request's head.
    ///
    /// # Errors
    /// [`BadHandshake`] with the header to mend.
    pub(crate) fn check(parts: &Parts) -> Result<Self, BadHandshake> {
        if parts.method != Method::GET || parts.version != Version::HTTP_11 {
            return Err(BadHandshake::Request(parts.method.clone(), parts.version));
        }
        let headers = &parts.headers;
        let header = |name, must| BadHandshake::Header { name, must };
        if !has_host(parts) {
            return Err(header(HOST, "occur once, as a host and perhaps a port"));
        }
        // Some clients say that there is no body (RFC 9110, section 8.6).
        let length = headers.get_all(CONTENT_LENGTH).iter();
        let is_body =
            |length: &[u8]| length.is_empty() || length.iter().any(|digit| *digit != b'0');
        if length.into_iter().any(|length| is_body(length.as_bytes())) {
            return Err(BadHandshake::Body(CONTENT_LENGTH));
        }
        if headers.contains_key(TRANSFER_ENCODING) {
            return Err(BadHandshake::Body(TRANSFER_ENCODING));
        }
        // A backend could choose a second protocol.
        let mut upgrades = items(headers, UPGRADE).filter(|item| !item.is_empty());
        let is_websocket = upgrades
            .next()
            .is_some_and(|it| it.eq_ignore_ascii_case(b"websocket"));
        if !is_websocket || upgrades.next().is_some() {
            return Err(header(UPGRADE, "be `websocket`"));
        }
        if !has_token(headers, &CONNECTION, "upgrade") {
            return Err(header(CONNECTION, "contain `upgrade`"));
        }
        if items(headers, CONNECTION).any(is_needed) {
            return Err(header(
                CONNECTION,
                "name no header that the handshake needs",
            ));
        }
        if only(headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
            return Err(BadHandshake::Version);
        }
        let key = only(headers, &SEC_WEBSOCKET_KEY)
            .filter(|key| is_key(key))
            .ok_or(header(
                SEC_WEBSOCKET_KEY,
                "occur once, as 16 bytes in base64",
            ))?;
        Ok(Self {
            accept: derive_accept_key(key.as_bytes()),
            notices: has_token(headers, &SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL),
        })
    }
}

/// The value of a header that occurs exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Whether a request names its host as RFC 9112, section 3.2, wants it: exactly one `Host`, and the host
/// that counts is one.
pub(super) fn has_host(parts: &Parts) -> bool {
    let is_host = |host: &[u8]| Authority::read(host).is_some();
    let header = parts.headers.get_all(HOST).iter();
    let mut header = header.map(|host| host.as_bytes());
    // Without a host in the target, the one that counts is the one that was read.
    header.next().is_some_and(is_host)
        && header.next().is_none()
        && (parts.uri.authority().is_none() || site::host(parts).is_some_and(is_host))
}

/// Whether what `Connection` names is no header of one hop, and the upgrade would fail without it.
fn is_needed(named: &[u8]) -> bool {
    let named = named.to_ascii_lowercase();
    named == HOST.as_str().as_bytes() || named.starts_with(b"sec-websocket-")
}

/// Whether a comma-separated header has a token, in any case.
pub(super) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    items(headers, name).any(|item| item.eq_ignore_ascii_case(token.as_bytes()))
}

/// 22 characters of base64 and two of padding are what 16 bytes come to.
fn is_key(key: &str) -> bool {
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    key.len() == KEY_LENGTH
        && key
            .strip_suffix("==")
            .is_some_and(|digits| digits.bytes().all(alphabet))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(change: impl FnOnce(&mut Parts)) -> Parts {
        let request = Request::get("/ws")
            .header("host", "chat.example")
            .header("upgrade", "websocket")
            .header("connection", "keep-alive, Upgrade")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .body(())
            .unwrap();
        let mut parts = request.into_parts().0;
        change(&mut parts);
        parts
    }

    fn refused(change: impl FnOnce(&mut Parts)) -> (u16, String) {
        let error = Handshake::check(&parts(change)).unwrap_err();
        (error.status().as_u16(), error.to_string())
    }

    /// The example of RFC 6455, section 1.3.
    #[test]
    fn the_rfcs_example_is_accepted() {
        let handshake = Handshake::check(&parts(|_| {})).unwrap();
        let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned();
        assert_eq!(
            handshake,
            Handshake {
                accept,
                notices: false
            }
        );
    }

    /// Our subprotocol is found among others, in any case; anybody else's is not ours.
    #[test]
    fn our_subprotocol_is_recognised() {
        let offers = [
            ("wastegate.v1", true),
            ("chat, Wastegate.V1", true),
            ("chat", false),
            ("wastegate.v12", false),
        ];
        for (offer, notices) in offers {
            let parts = parts(|parts| {
                let value = offer.parse().unwrap();
                parts.headers.insert("sec-websocket-protocol", value);
            });
            assert_eq!(
                Handshake::check(&parts).unwrap().notices,
                notices,
                "{offer}"
            );
        }
    }

    /// A second key, or a second version, is how a request is smuggled past a lenient proxy.
    #[test]
    fn what_must_occur_once_occurs_once() {
        for name in ["sec-websocket-key", "sec-websocket-version"] {
            let twice = parts(|parts| {
                let value = parts.headers[name].clone();
                parts.headers.append(name, value);
            });
            assert!(Handshake::check(&twice).is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_not_an_upgrade_says_what_to_mend() {
        let set = |name: &'static str, value: &'static str| {
            move |parts: &mut Parts| {
                parts.headers.insert(name, value.parse().unwrap());
            }
        };
        assert_eq!(
            refused(|parts| parts.method = Method::POST),
            (
                405,
                "a WebSocket opens with GET over HTTP/1.1, not POST over HTTP/1.1".to_owned()
            )
        );
        assert_eq!(
            refused(|parts| parts.version = Version::HTTP_10),
            (
                405,
                "a WebSocket opens with GET over HTTP/1.1, not GET over HTTP/1.0".to_owned()
            )
        );
        assert_eq!(
            refused(set("upgrade", "h2c")),
            (400, "header `upgrade` must be `websocket`".to_owned())
        );
        assert_eq!(
            refused(set("connection", "close")),
            (400, "header `connection` must contain `upgrade`".to_owned())
        );
        assert_eq!(
            refused(set("sec-websocket-version", "8")),
            (426, "header `sec-websocket-version` must be 13".to_owned())
        );
        for key in [
            "short",
            "dGhlIHNhbXBsZSBub25jZQ",
            "!!!!!!!!!!!!!!!!!!!!!!==",
        ] {
            assert_eq!(
                refused(set("sec-websocket-key", key)),
                (
                    400,
                    "header `sec-websocket-key` must occur once, as 16 bytes in base64".to_owned()
                )
            );
        }
        assert_eq!(
            refused(set("content-length", "2")),
            (
                400,
                "an upgrade has no body: leave out `content-length`".to_owned()
            )
        );
        assert_eq!(
            refused(set("transfer-encoding", "chunked")),
            (
                400,
                "an upgrade has no body: leave out `transfer-encoding`".to_owned()
            )
        );
    }
    /// W63: some clients say that there is no body.
    #[test]
    fn w63_a_length_of_nothing_is_no_body() {
        let length = |value: &'static str| {
            move |parts: &mut Parts| {
                let value = value.parse().unwrap();
                parts.headers.insert("content-length", value);
            }
        };
        assert!(Handshake::check(&parts(length("0"))).is_ok());
        for other in ["", "1", "00 1", "-0"] {
            assert_eq!(refused(length(other)).0, 400, "{other}");
        }
    }

    /// W72, S23: one host, and no nonsense in it.
    #[test]
    fn w72_s23_a_request_names_one_host() {
        let host = |value: &'static [u8]| {
            move |parts: &mut Parts| {
                let value = axum::http::HeaderValue::from_bytes(value).unwrap();
                parts.headers.insert("host", value);
            }
        };
        for good in ["chat.example", "chat.example:8443", "[::1]:80", "127.0.0.1"] {
            assert!(
                Handshake::check(&parts(host(good.as_bytes()))).is_ok(),
                "{good}"
            );
        }
        for bad in [&b""[..], b" ", b"a@b/c d", b"a,b", b"\xff", b"a:b"] {
            assert_eq!(refused(host(bad)).0, 400, "{bad:?}");
        }
        let none = refused(|parts| drop(parts.headers.remove("host")));
        let message = "header `host` must occur once, as a host and perhaps a port".to_owned();
        assert_eq!(none, (400, message));
        let twice = refused(|parts| {
            parts
                .headers
                .append("host", "chat.example".parse().unwrap());
        });
        assert_eq!(twice.0, 400);
    }

    /// S23, S25: nothing beside what we upgrade to, and nothing that is taken out on the way.
    #[test]
    fn s23_s25_there_is_one_upgrade_and_its_headers_stay() {
        for more in ["h2c", "websocket", "\u{e9}"] {
            let more = |parts: &mut Parts| {
                let value = axum::http::HeaderValue::from_bytes(more.as_bytes()).unwrap();
                parts.headers.append("upgrade", value);
            };
            assert_eq!(refused(more).0, 400);
        }
        let listed = refused(|parts| {
            let value = "h2c, websocket".parse().unwrap();
            parts.headers.insert("upgrade", value);
        });
        assert_eq!(listed.0, 400);
        for named in ["Sec-WebSocket-Key", "host", "sec-websocket-version"] {
            let named = |parts: &mut Parts| {
                parts.headers.append("connection", named.parse().unwrap());
            };
            assert_eq!(refused(named).0, 400);
        }
    }
}
