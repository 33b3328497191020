//! What a client asked for, and by which credentials, as one number: a connection that was kept for a
//! client goes on only with one that asks for the same.
//!
//! A backend chose what it says by the target and the credentials of the request that it answered. Another
//! room, or another session, is another connection to it, even where user, key and device are the same.

use axum::http::header::{AUTHORIZATION, COOKIE, HeaderName, SEC_WEBSOCKET_PROTOCOL};
use axum::http::request::Parts;
use sha2::{Digest, Sha256};

use super::config::Config;

/// Headers that have credentials; a subprotocol may be a token.
const CREDENTIALS: [HeaderName; 3] = [AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL];

/// A digest of target and credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestDigest([u8; 32]);

impl RequestDigest {
    /// That of a request as it came, where connections to backends are kept for lost clients.
    pub(super) fn if_kept(parts: &Parts, config: &Config) -> Option<Self> {
        (!config.upstream_grace.is_zero()).then(|| Self::of(parts))
    }

    /// That of a request as it came, with its token.
    pub(super) fn of(parts: &Parts) -> Self {
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        };
        add(parts.uri.path().as_bytes());
        add(parts.uri.query().unwrap_or_default().as_bytes());
        for name in &CREDENTIALS {
            let values = parts.headers.get_all(name);
            add(&values.iter().count().to_le_bytes());
            for value in values {
                add(value.as_bytes());
            }
        }
        Self(digest.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn request_digest(uri: &str, headers: &[(&str, &str)]) -> RequestDigest {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        RequestDigest::of(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn s26_another_target_or_another_credential_is_another_wish() {
        let cookie = ("cookie", "session=OLD");
        let one = request_digest("/ws?room=1", &[cookie, ("user-agent", "a")]);
        assert_eq!(
            one,
            request_digest("/ws?room=1", &[("user-agent", "b"), cookie])
        );
        for (uri, headers) in [
            ("/ws?room=2", &[cookie][..]),
            ("/w?s?room=1", &[cookie]),
            ("/ws?room=1", &[("cookie", "session=NEW")]),
            ("/ws?room=1", &[]),
            ("/ws?room=1", &[cookie, cookie]),
            ("/ws?room=1", &[cookie, ("authorization", "Bearer a")]),
            (
                "/ws?room=1",
                &[cookie, ("sec-websocket-protocol", "wastegate.bearer.a")],
            ),
        ] {
            assert_ne!(one, request_digest(uri, headers), "{uri} {headers:?}");
        }
    }
}
