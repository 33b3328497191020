//! The heads that cross us: a request on its way to a backend, an answer on its way to a client. Both
//! lose what belongs to one hop; a request also loses what only we may say, and gets that.

use std::borrow::Cow;
use std::fmt::Write as _;

use axum::body::Body;
use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::uri::{Authority, Uri};
use axum::http::{Method, Request};

use super::{Asked, UpstreamHost, extensions, forwarding};
use crate::gateway::identity::Identity;
use crate::gateway::lists::{items, texts};
use crate::gateway::{CONSOLE_COOKIE, SUBPROTOCOL, proxy_headers, site};
use wastegate_core::types::DeviceId;

/// What names of headers between us and backends begin with.
const OURS: &str = "x-wastegate-";
/// The device, where the client named one.
const DEVICE: &str = "x-wastegate-device";

/// What a backend tells us of a client's work when it takes the connection.
pub(super) const IN_FLIGHT: &str = "x-wastegate-in-flight";

/// What every request that is handed on is made of: an upgrade, or anything else.
#[derive(Clone, Copy)]
pub(in crate::gateway) struct Onward<'a> {
    /// The client's request.
    pub(in crate::gateway) parts: &'a Parts,
    /// Which client it is, where that was asked.
    pub(in crate::gateway) identity: Option<&'a Identity>,
    /// The backend's host and port.
    pub(in crate::gateway) to: &'a Authority,
    /// Which host the backend is asked for.
    pub(in crate::gateway) host: UpstreamHost,
}

impl Onward<'_> {
    /// The headers for the backend: the client's that are not of one hop, the forwarding headers, and
    /// ours. A length of the body stays.
    pub(in crate::gateway) fn headers(&self) -> HeaderMap {
        let Self {
            parts, identity, ..
        } = *self;
        let mut headers = end_to_end(&parts.headers, |kind| kind == Kind::Other);
        drop_console_session(&mut headers);
        headers.remove(HOST);
        let host = match self.host {
            UpstreamHost::Client => site::host(parts),
            UpstreamHost::Backend => None,
        };
        let host = host.unwrap_or_else(|| self.to.as_str().as_bytes());
        say(&mut headers, HOST, host);
        forwarding::extend(&mut headers, parts);
        let names = identity.map(|identity| {
            [
                ("x-wastegate-user", identity.user.as_str()),
                ("x-wastegate-key", identity.key.as_str()),
                (DEVICE, identity.device.as_str()),
            ]
        });
        // What the client did not name has no name there either.
        let is_unnamed = |name| {
            let device = identity.map(|identity| &identity.device);
            name == DEVICE && device.is_some_and(DeviceId::is_unnamed)
        };
        let names = names.into_iter().flatten();
        for (name, value) in names.filter(|(name, _)| !is_unnamed(*name)) {
            let value = encoded(value);
            say(
                &mut headers,
                HeaderName::from_static(name),
                value.as_bytes(),
            );
        }
        headers
    }
}

/// Takes the console's session out of the cookies for a backend: browsers send a cookie to every port of its
/// host (RFC 6265, section 8.5), and this one may operate the gateway.
fn drop_console_session(headers: &mut HeaderMap) {
    let name = CONSOLE_COOKIE.as_bytes();
    let has_it = |value: &HeaderValue| value.as_bytes().windows(name.len()).any(|it| it == name);
    if !headers.get_all(COOKIE).iter().any(has_it) {
        return;
    }
    let kept: Vec<HeaderValue> = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| {
            let pairs = value.as_bytes().split(|byte| *byte == b';');
            let others = pairs.filter(|pair| {
                let called = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
                !called.trim_ascii().starts_with(name)
            });
            let others = others.collect::<Vec<_>>().join(&b';');
            HeaderValue::from_bytes(others.trim_ascii())
                .ok()
                .filter(|value| !value.is_empty())
        })
        .collect();
    headers.remove(COOKIE);
    for value in kept {
        headers.append(COOKIE, value);
    }
}

/// A name as a header carries it: what is not ASCII is percent-encoded UTF-8, and so is `%`, so that every
/// name has one encoding and `decodeURIComponent` or its like gives it back. A server would read raw bytes
/// as Latin-1, as UTF-8, or refuse them (RFC 9110, section 5.5).
fn encoded(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| byte.is_ascii() && byte != b'%') {
        return Cow::Borrowed(name);
    }
    let mut encoded = String::with_capacity(name.len() * 3);
    for byte in name.bytes() {
        if byte.is_ascii() && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    Cow::Owned(encoded)
}

/// Sets a header, if its value can be one.
pub(super) fn say(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(value) {
        headers.insert(name, value);
    }
}

/// What a header is to who hands it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Of one hop (RFC 9110, section 7.6.1): never handed on, whatever `Connection` names.
    Hop,
    /// Between us and backends.
    Ours,
    /// Headers by which a proxy names the client that it speaks for.
    Forwarding,
    /// By which some servers answer another request than the one that they get: another path than the one
    /// that a route was chosen by, another method, another host.
    AnotherRequest,
    /// Nothing that matters here.
    Other,
}

impl Kind {
    /// By its name with `-` for all that is no letter and no digit: some backends cannot tell them apart.
    fn of(name: &HeaderName) -> Self {
        if !proxy_headers::may_matter(name) {
            return Self::Other;
        }
        let name = &*proxy_headers::dashed(name);
        match name {
            "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade" => Self::Hop,
            // Not of any standard: a mistake of old clients, and a way into the environment of CGI programs.
            "proxy-connection" | "proxy" => Self::Hop,
            "x-original-url"
            | "x-original-uri"
            | "x-original-method"
            | "x-original-host"
            | "x-rewrite-url"
            | "x-http-method"
            | "x-http-method-override"
            | "x-method-override"
            | "x-host" => Self::AnotherRequest,
            name if name.starts_with(OURS) => Self::Ours,
            name if proxy_headers::is_called(name) => Self::Forwarding,
            _ => Self::Other,
        }
    }
}

/// What of headers is handed on to the other side: those of a `wanted` kind, but for those of one hop, to
/// which `Connection` may add.
fn end_to_end(headers: &HeaderMap, wanted: impl Fn(Kind) -> bool) -> HeaderMap {
    let named: Vec<&[u8]> = items(headers, CONNECTION).collect();
    let is_named = |name: &HeaderName| {
        let name = name.as_str().as_bytes();
        named.iter().any(|named| named.eq_ignore_ascii_case(name))
    };
    let mut left = HeaderMap::with_capacity(headers.len() + 8);
    for (name, value) in headers {
        let kind = Kind::of(name);
        if kind != Kind::Hop && wanted(kind) && !is_named(name) {
            left.append(name.clone(), value.clone());
        }
    }
    left
}

/// The headers of a backend's answer for the client. A length of the body stays, unless the body came in a
/// transfer coding: of the two, the coding counts (RFC 9112, section 6.3).
pub(in crate::gateway) fn answer(headers: &HeaderMap) -> HeaderMap {
    let mut answer = end_to_end(headers, |kind| kind != Kind::Ours);
    if headers.contains_key(TRANSFER_ENCODING) {
        answer.remove(CONTENT_LENGTH);
    }
    answer
}

/// Whether an answer came in a transfer coding that is not undone here. `chunked` is.
pub(in crate::gateway) fn is_coded(headers: &HeaderMap) -> bool {
    items(headers, TRANSFER_ENCODING).any(|coding| !coding.eq_ignore_ascii_case(b"chunked"))
}

/// The subprotocols that a client offers to the backend: all but our own.
pub(super) fn protocols(headers: &HeaderMap) -> Vec<String> {
    texts(headers, SEC_WEBSOCKET_PROTOCOL)
        .filter(|item| !item.is_empty() && *item != SUBPROTOCOL)
        .map(ToOwned::to_owned)
        .collect()
}

/// The target that a backend is asked for: the client's query, and its path unless the backend's own
/// stands for it.
pub(super) fn target(path: Option<&str>, client: &Uri) -> Uri {
    let path = path.unwrap_or_else(|| client.path());
    let target = client
        .query()
        .map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    // Both parts were parsed as parts of a URI before.
    target.parse().unwrap_or_default()
}

/// An upgrade, as the client asked for it.
pub(super) fn upgrade(to: &Authority, path: Option<&str>, asked: &Asked<'_>) -> Request<Body> {
    let Asked {
        parts,
        identity,
        host,
        ..
    } = *asked;
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = target(path, &parts.uri);
    let onward = Onward {
        parts,
        identity: Some(identity),
        to,
        host,
    };
    let mut headers = onward.headers();
    headers.remove(CONTENT_LENGTH);
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    let protocols = protocols(&parts.headers);
    if !protocols.is_empty() {
        let protocols = protocols.join(", ");
        say(&mut headers, SEC_WEBSOCKET_PROTOCOL, protocols.as_bytes());
    }
    headers.remove(SEC_WEBSOCKET_EXTENSIONS);
    if let Some(offered) = extensions::offered(&parts.headers) {
        say(&mut headers, SEC_WEBSOCKET_EXTENSIONS, &offered);
    }
    *request.headers_mut() = headers;
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_consoles_session_is_not_for_backends() {
        for (given, left) in [
            (&["a=b"][..], &["a=b"][..]),
            (&["a=b; wastegate_session=operate.1.x; c=d"], &["a=b; c=d"]),
            (&["wastegate_session=x;c=d"], &["c=d"]),
            (&["wastegate_session=x"], &[]),
            (&["a=1", " wastegate_session = x", "b=2"], &["a=1", "b=2"]),
            // Others that only look like it stay.
            (
                &["my_wastegate_session=1; a=wastegate_session"],
                &["my_wastegate_session=1; a=wastegate_session"],
            ),
        ] {
            let mut headers = HeaderMap::new();
            for value in given {
                headers.append(COOKIE, HeaderValue::from_static(value));
            }
            drop_console_session(&mut headers);
            let found: Vec<&str> = headers
                .get_all(COOKIE)
                .iter()
                .map(|value| value.to_str().unwrap())
                .collect();
            assert_eq!(found, left, "{given:?}");
        }
    }

    /// Of a length and a coding the coding counts, and what we cannot undo is known.
    #[test]
    fn a_length_beside_a_transfer_coding_is_not_handed_back() {
        let mut headers = HeaderMap::new();
        headers.append(CONTENT_LENGTH, HeaderValue::from_static("3"));
        assert!(answer(&headers).contains_key(CONTENT_LENGTH));
        headers.append(TRANSFER_ENCODING, HeaderValue::from_static("Chunked"));
        assert!(answer(&headers).is_empty() && !is_coded(&headers));
        headers.append(TRANSFER_ENCODING, HeaderValue::from_static("gzip"));
        assert!(is_coded(&headers));
    }

    /// S18: every name comes back from its header, and no two names share one.
    #[test]
    fn s18_a_name_is_encoded_where_it_is_not_ascii() {
        for (name, header) in [
            ("ann b", "ann b"),
            ("100%", "100%25"),
            ("%41", "%2541"),
            ("J\u{fc}rgen", "J%C3%BCrgen"),
            ("\u{ff21}", "%EF%BC%A1"),
        ] {
            assert_eq!(encoded(name), header);
        }
    }

    /// S19, S20: in every spelling that a backend could take for it.
    #[test]
    fn s19_s20_headers_that_are_never_handed_on() {
        let headers = [
            "proxy",
            "proxy-authorization",
            "proxy_connection",
            "x_wastegate_user",
            "x_original_url",
            "x-http-method-override",
        ];
        let mut all = HeaderMap::new();
        for name in headers.into_iter().chain(["x-tenant", "my_own"]) {
            let name: HeaderName = name.parse().unwrap();
            all.append(name, HeaderValue::from_static("v"));
        }
        let left = end_to_end(&all, |kind| kind == Kind::Other);
        let left: Vec<&str> = left.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["x-tenant", "my_own"]);
    }

    /// What is not looked at further is nothing that is looked for.
    #[test]
    fn names_that_matter_begin_as_they_are_expected_to() {
        let all = (b'a'..=b'z').map(|letter| char::from(letter).to_string());
        let others = all.filter(|name| !proxy_headers::may_matter(&name.parse().unwrap()));
        let others: String = others.collect();
        assert_eq!(others, "abdegijlmnoqrsvwyz");
        for name in [
            OURS,
            "http2-settings",
            "keep-alive",
            "upgrade",
            "te",
            "forwarded",
            "proxy",
        ] {
            assert!(!others.contains(&name[..1]), "{name}");
        }
    }
}
