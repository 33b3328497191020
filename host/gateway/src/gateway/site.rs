//! What a client sees of us: the scheme and the host that it connected to, behind whatever proxies.

use axum::http::HeaderMap;
use axum::http::header::{FORWARDED, HOST, HeaderName};
use axum::http::request::Parts;

use super::authority::Authority;
use super::hop::parameter;
use super::listener::Encrypted;
use super::lists::{items, unquoted};
use super::peer;

/// The host that a proxy was asked for.
pub(super) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The scheme that a proxy was asked by.
pub(super) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// How a page was fetched, or this gateway is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// The port that is meant where none is written.
    pub(super) const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// The scheme as a URL has it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// What a proxy says; some name the WebSocket's own schemes.
    fn parse(text: &[u8]) -> Option<Self> {
        let is = |name: &str| text.eq_ignore_ascii_case(name.as_bytes());
        if is("https") || is("wss") {
            Some(Self::Https)
        } else if is("http") || is("ws") {
            Some(Self::Http)
        } else {
            None
        }
    }
}

/// The host that a request is for, as it stands there: that of an absolute target (RFC 9112, section
/// 3.2.2), else the `Host` header, if there is exactly one.
pub(super) fn host(parts: &Parts) -> Option<&[u8]> {
    if let Some(authority) = parts.uri.authority() {
        return Some(authority.as_str().as_bytes());
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = hosts.next()?.as_bytes();
    hosts.next().is_none().then_some(host)
}

/// The scheme that the client used: TLS of our own, else what a trusted proxy says. None where neither
/// says it: a proxy that takes TLS need not say so.
pub(super) fn scheme(parts: &Parts) -> Option<Scheme> {
    if parts.extensions.get::<Encrypted>().is_some() {
        return Some(Scheme::Https);
    }
    let vouched = peer::is_vouched_for(parts);
    let found = vouched.then(|| reported(&parts.headers, &FORWARDED_PROTO, "proto"));
    found.flatten().and_then(Scheme::parse)
}

/// The host that the client used: what a trusted proxy says, else that of the request.
pub(super) fn authority(parts: &Parts) -> Option<Authority> {
    let vouched = peer::is_vouched_for(parts);
    let found = vouched.then(|| reported(&parts.headers, &FORWARDED_HOST, "host"));
    let found = found.flatten().and_then(Authority::read);
    found.or_else(|| host(parts).and_then(Authority::read))
}

/// What the first proxy said: in a header of its own, else as a parameter of `Forwarded`.
pub(super) fn reported<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    of: &str,
) -> Option<&'a [u8]> {
    let first = items(headers, name).find(|item| !item.is_empty());
    first.map(unquoted).or_else(|| {
        let mut elements = items(headers, FORWARDED);
        elements.find_map(|element| parameter(element, of))
    })
}
