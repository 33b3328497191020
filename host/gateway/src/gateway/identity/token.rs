//! How a client hands its token over, and how the gateway keeps it from backends and logs.
//!
//! In this order, the first that is there counts: `Authorization: Bearer`, an item of
//! `Sec-WebSocket-Protocol` (all that a browser's script can set), a cookie, a query parameter (the
//! last resort: addresses end up in logs). The item and the parameter are taken out of the request,
//! so that neither an answer nor a backend repeats them; the others belong to the backend as well.

use std::fmt::Write as _;

use axum::http::header::{AUTHORIZATION, COOKIE, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use axum::http::request::Parts;
use axum::http::uri::{PathAndQuery, Uri};

use crate::gateway::lists::texts;
use wastegate_core::types::Secret;

/// The longest token, bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1_024;

/// A place where a token may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `Authorization: Bearer TOKEN`.
    Authorization,
    /// An item of `Sec-WebSocket-Protocol`: the prefix, and the token behind it.
    Subprotocol,
    /// The cookie of the configured name.
    Cookie,
    /// A query parameter.
    Query,
}

impl Source {
    /// All of them, in the order in which they count.
    pub const ALL: [Self; 4] = [
        Self::Authorization,
        Self::Subprotocol,
        Self::Cookie,
        Self::Query,
    ];

    /// Whether a browser sends it along for a page of any origin.
    #[must_use]
    pub(crate) const fn is_sent_unasked(self) -> bool {
        matches!(self, Self::Cookie)
    }
}

/// What of a token a request has.
pub(super) enum Taken {
    /// The request has no token.
    Nothing,
    /// One of more than [`TOKEN_BYTES_MAX`].
    TooLong,
    /// `Authorization` is there more than once. Servers differ in which of them they read.
    Repeated,
    /// One, and where it was.
    Token(
        #[cfg_attr(
            not(any(feature = "jwt", test)),
            expect(dead_code, reason = "a service that is asked reads the token itself")
        )]
        Secret,
        Source,
    ),
}

/// Where a client hands over its token.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where to look; the order is fixed. Authorization and subprotocol.
    pub sources: Vec<Source>,
    /// What an item of `Sec-WebSocket-Protocol` begins with that is a token. `wastegate.bearer.`.
    pub subprotocol: String,
    /// The cookie. `token`.
    pub cookie: String,
    /// The query parameter. `token`.
    pub query: String,
    /// Whether the query keeps the parameter, for a backend that checks the token itself. No.
    pub query_handed_on: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sources: vec![Source::Authorization, Source::Subprotocol],
            subprotocol: "wastegate.bearer.".to_owned(),
            cookie: "token".to_owned(),
            query: "token".to_owned(),
            query_handed_on: false,
        }
    }
}

impl Config {
    /// Takes the token out of a request, and every other item and parameter that could be one, but for a
    /// parameter that is handed on.
    pub(super) fn take(&self, parts: &mut Parts) -> Taken {
        let mut authorizations = parts.headers.get_all(AUTHORIZATION).iter();
        if self.sources.contains(&Source::Authorization) && authorizations.nth(1).is_some() {
            return Taken::Repeated;
        }
        let mut found = Taken::Nothing;
        for source in Source::ALL {
            if !self.sources.contains(&source) {
                continue;
            }
            let here = match source {
                Source::Authorization => bearer(parts),
                Source::Subprotocol => self.subprotocol(parts),
                Source::Cookie => self.cookie(parts),
                Source::Query => self.query(parts),
            };
            let Some(token) = here.filter(|token| !token.is_empty()) else {
                continue;
            };
            if matches!(found, Taken::Nothing) {
                found = if token.len() > TOKEN_BYTES_MAX {
                    Taken::TooLong
                } else {
                    Taken::Token(Secret::new(token), source)
                };
            }
        }
        found
    }

    fn subprotocol(&self, parts: &mut Parts) -> Option<String> {
        let items: Vec<String> = texts(&parts.headers, SEC_WEBSOCKET_PROTOCOL)
            .map(ToOwned::to_owned)
            .collect();
        let token = items
            .iter()
            .find_map(|item| item.strip_prefix(&self.subprotocol))?
            .to_owned();
        let is_left = |item: &&String| !item.starts_with(&self.subprotocol) && !item.is_empty();
        let left: Vec<&str> = items.iter().filter(is_left).map(String::as_str).collect();
        parts.headers.remove(SEC_WEBSOCKET_PROTOCOL);
        if let Ok(value) = HeaderValue::from_str(&left.join(", "))
            && !left.is_empty()
        {
            parts.headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
        }
        Some(token)
    }

    fn cookie(&self, parts: &Parts) -> Option<String> {
        let values = parts.headers.get_all(COOKIE).iter();
        let mut pairs = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == self.cookie)?;
        Some(value.trim_matches('"').to_owned())
    }

    fn query(&self, parts: &mut Parts) -> Option<String> {
        let query = parts.uri.query()?;
        let (mut token, mut left) = (None, String::new());
        for pair in query.split('&') {
            match pair.split_once('=') {
                // Tokens have no characters that are encoded in a query.
                Some((name, value)) if name == self.query => {
                    token.get_or_insert_with(|| value.to_owned());
                }
                _ => {
                    let between = if left.is_empty() { "" } else { "&" };
                    let _ = write!(left, "{between}{pair}");
                }
            }
        }
        let token = token?;
        if self.query_handed_on {
            return Some(token);
        }
        let path = parts.uri.path();
        let rest = if left.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{left}")
        };
        let mut uri = std::mem::take(&mut parts.uri).into_parts();
        // It is made of what was one.
        uri.path_and_query = rest.parse::<PathAndQuery>().ok();
        parts.uri = Uri::from_parts(uri).unwrap_or_default();
        Some(token)
    }
}

/// RFC 6750, section 2.1; the scheme in any case (RFC 9110, section 11.1).
fn bearer(parts: &Parts) -> Option<String> {
    let value = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(uri: &str, headers: &[(&'static str, &str)]) -> Parts {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn take(config: &Config, parts: &mut Parts) -> Option<(String, Source)> {
        match config.take(parts) {
            Taken::Token(token, source) => Some((token.reveal().to_owned(), source)),
            Taken::Nothing | Taken::TooLong | Taken::Repeated => None,
        }
    }

    fn everywhere() -> Config {
        Config {
            sources: Source::ALL.to_vec(),
            ..Config::default()
        }
    }

    /// The order, and that what is not used is hidden all the same.
    #[test]
    fn the_first_place_counts_and_no_token_stays_in_sight() {
        let headers = [
            ("authorization", "bearer A"),
            ("sec-websocket-protocol", "chat, wastegate.bearer.B, v2"),
            ("cookie", "x=1; token=C"),
        ];
        let mut all = parts("/ws?room=7&token=D&key=k", &headers);
        let taken = take(&everywhere(), &mut all);
        assert_eq!(taken, Some(("A".to_owned(), Source::Authorization)));
        assert_eq!(all.uri, "/ws?room=7&key=k");
        assert_eq!(all.headers["sec-websocket-protocol"], "chat, v2");
        for (skipped, token) in [(1, "B"), (2, "C"), (3, "D")] {
            let mut some = parts("/ws?token=D", &headers[skipped..]);
            let taken = take(&everywhere(), &mut some).unwrap();
            assert_eq!(taken.0, token);
            assert_eq!(some.uri, "/ws");
        }
    }

    #[test]
    fn two_authorizations_are_none() {
        let two = [("authorization", "Bearer A"), ("authorization", "Bearer B")];
        let mut request = parts("/ws?token=D", &two);
        assert!(matches!(everywhere().take(&mut request), Taken::Repeated));
    }

    #[test]
    fn a_backend_may_get_the_parameter() {
        let config = Config {
            query_handed_on: true,
            ..everywhere()
        };
        let mut request = parts("/ws?token=D&room=7", &[]);
        assert_eq!(take(&config, &mut request).unwrap().0, "D");
        assert_eq!(request.uri, "/ws?token=D&room=7");
    }

    #[test]
    fn only_the_places_that_were_named_are_looked_at() {
        let mut request = parts("/ws?token=D", &[("cookie", "token=C")]);
        assert_eq!(take(&Config::default(), &mut request), None);
        let mut only = parts("/ws", &[("sec-websocket-protocol", "wastegate.bearer.B")]);
        assert_eq!(take(&Config::default(), &mut only).unwrap().0, "B");
        assert!(only.headers.get("sec-websocket-protocol").is_none());
        let long = format!("Bearer {}", "x".repeat(TOKEN_BYTES_MAX + 1));
        let mut long = parts("/ws", &[("authorization", &long)]);
        assert!(matches!(everywhere().take(&mut long), Taken::TooLong));
        let mut basic = parts("/ws", &[("authorization", "Basic YTpi")]);
        assert_eq!(take(&everywhere(), &mut basic), None);
    }
}
