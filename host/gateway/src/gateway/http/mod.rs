//! Requests that are no upgrade: a page, an API, the polling with which some clients begin. They are
//! handed on to the backend of their route, and its answer is handed back, both while they come.
//!
//! Such a request holds no slot and is asked for no identity: the backend knows its own pages. What it
//! may cost is bounded by `Requests` (how many at once) and `watch` (how long nothing may move).
//! The HTTP is hyper's on both sides; what is ours is which headers belong to one hop, and that is
//! shared with upgrades.

mod body;
mod client;
mod config;
mod requests;
mod watch;

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderValue, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Version};
use axum::response::Response;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use self::body::{Download, Source};
pub(super) use self::client::Client;
use self::client::Failure;
pub use self::config::{Config, Style};
pub(super) use self::requests::{Full, Most, Place, Requests};
use self::watch::{Progress, Watch};
use super::handshake::{BadHandshake, has_host, has_token};
use super::passage::OnPassage;
use super::peer::{self, ClientNetwork};
use super::route::Route;
use super::upstream::{
    Attempt, Onward, Purpose, UpstreamError, Upstreams, answer as answer_headers, is_coded,
};
use super::{Gateway, Rules, front, refuse};

/// The backends for a request, if it is one to be handed on and no upgrade.
pub(super) fn wanted<'a>(
    rules: &Rules,
    route: &'a Route,
    parts: &Parts,
) -> Option<&'a Arc<Upstreams>> {
    let is_wanted = rules.config.http.style == Style::Pass && !wants_upgrade(&parts.headers);
    route.upstreams().filter(|_| is_wanted)
}

/// Whether a request is meant to be the opening of a WebSocket, well made or not: then it is ours to
/// check, and no backend gets to see a broken one.
fn wants_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, &UPGRADE, "websocket")
        || headers.contains_key(SEC_WEBSOCKET_KEY)
        || headers.contains_key(SEC_WEBSOCKET_VERSION)
}

/// Answers a request that is to be handed on.
pub(super) async fn answer(
    gateway: Arc<Gateway>,
    rules: Arc<Rules>,
    route: &Route,
    upstreams: &Upstreams,
    (parts, body): (Parts, Body),
) -> Response {
    let (origin, now) = (front::charged(&rules, &parts), gateway.session.clock.now());
    let rates = rules.config.http.rates();
    if let Err(cap) = gateway.backends.caps.charge(origin, &rates, now) {
        let cap = cap.of_http();
        front::turned_away(&gateway, cap);
        return refuse::too_fast(cap);
    }
    // HTTP/1.0 has hosts only by custom: there may be none, but not two.
    let may_lack = parts.version == Version::HTTP_10 && !parts.headers.contains_key(HOST);
    if !may_lack && !has_host(&parts) {
        gateway.metrics.handshakes_bad.inc();
        let must = "occur once, as a host and perhaps a port";
        return refuse::bad_handshake(&BadHandshake::Header { name: HOST, must });
    }
    if let Err(error) = route.identify.takes(&parts) {
        gateway.metrics.unidentified.inc();
        return refuse::unidentified(&error);
    }
    pass(gateway, rules, route, upstreams, (parts, body)).await
}

/// Hands a request on to one of a route's backends, and its answer back.
async fn pass(
    gateway: Arc<Gateway>,
    rules: Arc<Rules>,
    route: &Route,
    upstreams: &Upstreams,
    (mut parts, body): (Parts, Body),
) -> Response {
    if let Some(refusal) = not_for_backends(&parts) {
        return refusal;
    }
    let Some(client) = &rules.http else {
        return refuse::method();
    };
    let place = match take(&gateway, &rules, &parts) {
        Ok(place) => place,
        Err(full) => {
            gateway.metrics.backends.requests_refused.inc();
            return refuse::busy(full);
        }
    };
    route.cut(&mut parts.uri);
    gateway.metrics.backends.requests.inc();
    let passage = parts.extensions.get::<OnPassage>();
    let cut = passage.map_or_else(CancellationToken::new, |OnPassage(it)| it.cut().clone());
    let progress = Progress::new(gateway.session.clock.clone());
    let exchange = Exchange {
        client,
        parts: &parts,
        source: Source::new(body, progress.clone()),
        progress: &progress,
        watch: Watch::new(&rules.config, &gateway.tasks),
    };
    match exchange.run(&rules, upstreams, &gateway).await {
        Ok(response) if is_unusable(&response) => {
            gateway.metrics.backends.requests_failed.inc();
            refuse::no_answer()
        }
        Ok(response) => {
            let done = exchange
                .watch
                .streaming(&gateway.tasks, progress.clone(), &cut);
            let is_head = parts.method == Method::HEAD;
            handed_back(response, is_head, |body| Download {
                body,
                progress,
                cut: Box::pin(cut.cancelled_owned()),
                _place: place,
                _done: done,
            })
        }
        Err(failure) => {
            gateway.metrics.backends.requests_failed.inc();
            refused(failure)
        }
    }
}

/// A place for a request, and for its connection if it is the first of its kind there.
fn take(gateway: &Gateway, rules: &Rules, parts: &Parts) -> Result<Place, Full> {
    let config = &rules.config;
    let place = gateway
        .backends
        .requests
        .take(peer::origin(parts), config.http.requests())?;
    if let Some(OnPassage(passage)) = parts.extensions.get() {
        // A proxy's connections are of many clients.
        let nearest = peer::way(parts).filter(|way| !way.is_trusted);
        let nearest = nearest.map(|way| ClientNetwork::from(way.nearest));
        let connections = &gateway.backends.connections;
        passage.carry(|| connections.take(nearest, config.http.connections()))?;
    }
    Ok(place)
}

/// Why a request cannot be handed on whatever its backend is.
fn not_for_backends(parts: &Parts) -> Option<Response> {
    if matches!(parts.method, Method::CONNECT | Method::TRACE) {
        return Some(refuse::method());
    }
    is_coded(&parts.headers).then(refuse::coding)
}

/// A request under way.
struct Exchange<'a> {
    client: &'a Client,
    parts: &'a Parts,
    source: Source,
    progress: &'a Progress,
    watch: Watch,
}

impl Exchange<'_> {
    /// Tries one backend after another, as long as none was reached.
    async fn run(
        &self,
        rules: &Rules,
        upstreams: &Upstreams,
        gateway: &Gateway,
    ) -> Result<Response<Incoming>, Failure> {
        let mut tries = upstreams.tries(
            Purpose::Plain,
            None,
            peer::client(self.parts),
            &gateway.session.clock,
        );
        let mut failed =
            Failure::Unreachable(UpstreamError::Timeout(rules.config.upstream_timeout));
        while let Some(attempt) = tries.next() {
            let answer = match self.ask(&attempt, rules).await {
                Err(failure) if self.may_repeat(&failure) => self.ask(&attempt, rules).await,
                answer => answer,
            };
            failed = match answer {
                Ok(response) => {
                    attempt.answered();
                    return Ok(response);
                }
                // Nothing was sent, so trying another one repeats nothing.
                Err(Failure::Unreachable(error)) => {
                    let upstream = attempt.upstream();
                    tracing::debug!(%upstream, %error, "a backend did not take a request");
                    attempt.failed(&error);
                    Failure::Unreachable(error)
                }
                // One page that fails says nothing of the others, and of WebSockets least of all.
                Err(other) => {
                    attempt.answered();
                    return Err(other);
                }
            };
        }
        Err(failed)
    }

    /// Until the answer's head is there.
    async fn ask(&self, attempt: &Attempt, rules: &Rules) -> Result<Response<Incoming>, Failure> {
        let upstream = attempt.upstream();
        let onward = Onward {
            parts: self.parts,
            identity: None,
            to: upstream.authority(),
            host: rules.config.upstream_host,
        };
        let target = upstream.target(&self.parts.uri);
        let mut request = axum::http::Request::new(self.source.body());
        *request.method_mut() = self.parts.method.clone();
        *request.uri_mut() = target;
        *request.headers_mut() = headers(&onward);
        let late = self.watch.late(self.progress, self.source.is_sent());
        tokio::select! {
            response = self.client.request(request) => response.map_err(|failure| self.blamed(failure)),
            failure = late => Err(failure),
        }
    }

    /// Whether a request may be sent again: it has no body and asks for nothing to be changed, and the
    /// connection ended before its answer. A server may close a connection at rest just when it is used again,
    /// and nobody else would try a second time (RFC 9112, section 9.3.1).
    fn may_repeat(&self, failure: &Failure) -> bool {
        let Parts {
            method, headers, ..
        } = self.parts;
        let has_body =
            headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
        let is_safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        is_safe && !has_body && failure.is_end_before_answer()
    }

    /// Whose fault it is that there is no answer: a backend cannot answer half a request.
    fn blamed(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Answer(_) if self.source.is_broken() => Failure::Body,
            other => other,
        }
    }
}

/// The headers of a request that is no upgrade.
fn headers(onward: &Onward<'_>) -> HeaderMap {
    let mut headers = onward.headers();
    let expects = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    // We have said that the body may come, by reading it.
    if headers.get(EXPECT).is_some_and(expects) {
        headers.remove(EXPECT);
    }
    // Of the two, the coding counts (RFC 9112, section 6.3).
    if onward.parts.headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    headers
}

/// Whether an answer cannot be handed back: a switch of protocols that nobody asked for, a coding that we would
/// have to undo, or a head of more than we take.
fn is_unusable(response: &Response<Incoming>) -> bool {
    let headers = response.headers();
    let line = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    response.status() == StatusCode::SWITCHING_PROTOCOLS
        || is_coded(headers)
        || headers.iter().map(line).sum::<usize>() > client::HEAD_BYTES_MAX
}

/// The answer for the client.
fn handed_back(
    response: Response<Incoming>,
    is_head: bool,
    download: impl FnOnce(Incoming) -> Download,
) -> Response {
    let (head, body) = response.into_parts();
    let has_no_body = is_head
        || matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
    let body = if has_no_body {
        // Not of length 0: that would be said in a header, and what a GET has is not known.
        Body::new(body::Nothing)
    } else {
        Body::new(download(body))
    };
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.version_mut() = Version::HTTP_11;
    *response.headers_mut() = answer_headers(&head.headers);
    if head.status == StatusCode::UPGRADE_REQUIRED && head.headers.contains_key(UPGRADE) {
        // Of one hop, and part of the answer's meaning (RFC 9110, section 15.5.22).
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    }
    response
}

fn refused(failure: Failure) -> Response {
    match failure {
        Failure::Unreachable(error) => refuse::upstream(&error),
        Failure::Answer(error) => {
            let error = wastegate_core::types::chain(&error);
            tracing::debug!(error, "a backend's answer cannot be used");
            refuse::no_answer()
        }
        Failure::Late(timeout) => refuse::upstream(&UpstreamError::Timeout(timeout)),
        Failure::Upload => refuse::upload_stalled(),
        Failure::Body => refuse::bad_body(),
        Failure::Stopping => refuse::stopping(),
    }
}
