//! The span of a handshake: what the client said of its trace, what the backend is told of it, and what is
//! known of the request.
//!
//! A span names no user, no key, no device and no address of a client, as log lines and journals do not: the
//! user is a keyed hash. A path may name all of them, so it is told only where it is that of the route.

use std::borrow::Cow;

use axum::http::header::{HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::response::Response;

use super::refused::Refused;
use super::route::Route;
use super::{Gateway, peer, site};
use crate::observe::spans::{self, Apart, Remote, SpanContext, SpanKind, Spans, context};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

impl Gateway {
    /// Makes spans of handshakes from now on, for a [`SpanSink`](crate::observe::SpanSink). The first ones stay.
    pub fn traced_by(&self, spans: Spans) {
        // Set once, when the application is put together.
        let _ = self.spans.set(spans);
    }

    /// Whether handshakes may have spans.
    pub(super) fn is_traced(&self) -> bool {
        self.spans.get().is_some()
    }
}

/// Begins the span of a handshake, if handshakes are traced and this one is. From then on the request's headers
/// say to which trace it belongs.
pub(super) fn begin(gateway: &Gateway, route: Option<&Route>, parts: &mut Parts) -> Option<Apart> {
    let spans = gateway.spans.get()?;
    let remote = remote(&parts.headers, spans.follows(peer::is_vouched_for(parts)));
    let state = match &remote {
        Remote::Parent(_, state) => state.clone(),
        Remote::Nothing | Remote::Link(_) => None,
    };
    let name = || name(&parts.method, route);
    let (context, mut span) = spans.begin(remote, name, SpanKind::Server);
    if let Some(span) = &mut span {
        describe(span, route, parts);
    }
    say(&mut parts.headers, context);
    parts.headers.remove(TRACESTATE);
    if let Some(state) = state.and_then(|state| HeaderValue::try_from(state).ok()) {
        parts.headers.insert(TRACESTATE, state);
    }
    span
}

/// Notes how a handshake was answered, with which it is over.
pub(super) fn answered(response: &Response) {
    let status = response.status();
    spans::note("http.response.status_code", || status.as_u16());
    if let Some(Refused { reason, .. }) = response.extensions().get() {
        spans::note("wastegate.refusal", || *reason);
        if status.is_server_error() {
            spans::failed(reason);
        }
    } else if status.is_server_error() {
        spans::failed("server-error");
    }
}

/// Tells the backend of the innermost span, where there is one.
#[cfg(feature = "upstream")]
pub(super) fn hand_on(parts: &mut Parts) {
    if let Some(context) = spans::current() {
        say(&mut parts.headers, context);
    }
}

fn say(headers: &mut HeaderMap, context: SpanContext) {
    // Digits and hyphens.
    if let Ok(value) = HeaderValue::try_from(context.to_string()) {
        headers.insert(TRACEPARENT, value);
    }
}

/// What a client says of its trace. Said twice, it is not said.
fn remote(headers: &HeaderMap, is_followed: bool) -> Remote {
    let mut said = headers.get_all(TRACEPARENT).iter();
    let (Some(parent), None) = (said.next(), said.next()) else {
        return Remote::Nothing;
    };
    match SpanContext::read(parent.as_bytes()) {
        None => Remote::Nothing,
        Some(theirs) if is_followed => {
            let states = headers.get_all(TRACESTATE).iter();
            let state = context::state(states.map(HeaderValue::as_bytes));
            Remote::Parent(theirs, state)
        }
        Some(theirs) => Remote::Link(theirs),
    }
}

/// As OpenTelemetry names spans of HTTP servers: few of them, whatever clients ask for.
fn name(method: &Method, route: Option<&Route>) -> Cow<'static, str> {
    let method = known(method).unwrap_or("HTTP");
    let named = route.map(|route| format!("{method} {}", route.path()));
    named.map_or(Cow::Borrowed(method), Cow::Owned)
}

/// A method of the standard; others would be a name for each client that makes one up.
fn known(method: &Method) -> Option<&'static str> {
    let known = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
    ];
    known.into_iter().find(|known| *known == method.as_str())
}

fn describe(span: &mut Apart, route: Option<&Route>, parts: &Parts) {
    span.note(
        "http.request.method",
        known(&parts.method).unwrap_or("_OTHER"),
    );
    let scheme = site::scheme(parts).unwrap_or(site::Scheme::Http);
    span.note("url.scheme", scheme.name());
    if let Some(route) = route {
        span.note("http.route", route.path().to_owned());
        if parts.uri.path() == route.path() {
            span.note("url.path", route.path().to_owned());
        }
    }
}
