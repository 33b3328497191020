//! The request head that a backend sees: the client's, without what belongs to its own hop, without
//! what only we may say, and with that.

use axum::body::Body;
use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL,
    TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::uri::Authority;
use axum::http::{Method, Request};

use super::Asked;
use crate::gateway::handshake::items;
use crate::gateway::listener::Encrypted;
use crate::gateway::{SUBPROTOCOL, peer};

/// Headers of one hop (RFC 9110, section 7.6.1), which are never handed on.
const HOP: [HeaderName; 7] = [
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// Beginnings of names by which proxies tell backends who somebody is.
const OURS: [&str; 4] = ["x-wastegate-", "x-forwarded-", "x-real-", "forwarded"];

/// What a backend tells us of a client's work when it takes the connection.
pub(super) const IN_FLIGHT: &str = "x-wastegate-in-flight";

/// Whether a header is of one hop.
pub(super) fn is_of_one_hop(name: &HeaderName) -> bool {
    HOP.contains(name)
}

/// Whether a header is of those by which proxies talk to backends.
pub(super) fn is_ours(name: &HeaderName) -> bool {
    OURS.iter().any(|ours| name.as_str().starts_with(ours))
}

/// The subprotocols that a client offers to the backend: all but our own.
pub(super) fn protocols(headers: &HeaderMap) -> Vec<String> {
    items(headers, SEC_WEBSOCKET_PROTOCOL)
        .filter(|item| !item.is_empty() && *item != SUBPROTOCOL)
        .map(ToOwned::to_owned)
        .collect()
}

pub(super) fn request(to: &Authority, path: Option<&str>, asked: &Asked<'_>) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::GET;
    let client = &asked.parts.uri;
    let path = path.unwrap_or_else(|| client.path());
    let target = client
        .query()
        .map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    // Both parts were parsed as parts of a URI before.
    *request.uri_mut() = target.parse().unwrap_or_default();
    let headers = request.headers_mut();
    // What `Connection` names is of one hop too.
    let named: Vec<String> = items(&asked.parts.headers, CONNECTION)
        .map(str::to_ascii_lowercase)
        .collect();
    for (name, value) in &asked.parts.headers {
        let is_named = named.iter().any(|named| named == name.as_str());
        if !is_of_one_hop(name) && !is_ours(name) && !is_named && *name != SEC_WEBSOCKET_PROTOCOL {
            headers.append(name.clone(), value.clone());
        }
    }
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    let mut say = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            headers.insert(name, value);
        }
    };
    say(HOST, to.as_str());
    if let Some(host) = asked
        .parts
        .headers
        .get(HOST)
        .and_then(|it| it.to_str().ok())
    {
        say(HeaderName::from_static("x-forwarded-host"), host);
    }
    if let Some(client) = peer::client(asked.parts) {
        say(
            HeaderName::from_static("x-forwarded-for"),
            &client.to_string(),
        );
    }
    let encrypted = asked.parts.extensions.get::<Encrypted>().is_some();
    let proto = if encrypted { "https" } else { "http" };
    say(HeaderName::from_static("x-forwarded-proto"), proto);
    let protocols = protocols(&asked.parts.headers);
    if !protocols.is_empty() {
        say(SEC_WEBSOCKET_PROTOCOL, &protocols.join(", "));
    }
    let identity = asked.identity;
    for (name, value) in [
        ("x-wastegate-user", identity.user.as_str()),
        ("x-wastegate-key", identity.key.as_str()),
    ] {
        say(HeaderName::from_static(name), value);
    }
    if !identity.device.is_unnamed() {
        let name = HeaderName::from_static("x-wastegate-device");
        say(name, identity.device.as_str());
    }
    request
}
