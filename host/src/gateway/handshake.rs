//! The opening handshake (RFC 6455, section 4.2.1), checked before anything is spent on it.
//!
//! Strict on purpose: proxies in front that are lenient are how upgrades get smuggled, so a request
//! that is not exactly an upgrade is not one.

use axum::http::header::AsHeaderName;
use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::SUBPROTOCOL;

/// The length of a `Sec-WebSocket-Key`: 16 bytes in base64.
const KEY_LENGTH: usize = 24;

/// A request that is an upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: String,
    /// The client speaks our subprotocol.
    pub notices: bool,
}

/// Why a request is not an upgrade.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHandshake {
    /// Not GET over HTTP/1.1.
    #[error("a WebSocket opens with GET over HTTP/1.1, not {0} over {1:?}")]
    Request(Method, Version),
    /// A header is missing or says something else.
    #[error("header `{name}` must {must}")]
    Header {
        /// Which header.
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
    pub const fn status(&self) -> StatusCode {
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
    pub fn check(parts: &Parts) -> Result<Self, BadHandshake> {
        if parts.method != Method::GET || parts.version != Version::HTTP_11 {
            return Err(BadHandshake::Request(parts.method.clone(), parts.version));
        }
        let headers = &parts.headers;
        for name in [CONTENT_LENGTH, TRANSFER_ENCODING] {
            if headers.contains_key(&name) {
                return Err(BadHandshake::Body(name));
            }
        }
        let header = |name, must| BadHandshake::Header { name, must };
        if !has_token(headers, &UPGRADE, "websocket") {
            return Err(header(UPGRADE, "be `websocket`"));
        }
        if !has_token(headers, &CONNECTION, "upgrade") {
            return Err(header(CONNECTION, "contain `upgrade`"));
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

/// The items of a comma-separated header (RFC 9110, section 5.6.1), of all its lines.
pub(super) fn items(
    headers: &HeaderMap,
    name: impl AsHeaderName,
) -> impl DoubleEndedIterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    let values = values.filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Whether a comma-separated header has a token, in any case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    items(headers, name).any(|item| item.eq_ignore_ascii_case(token))
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
            refused(set("content-length", "0")),
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
}
