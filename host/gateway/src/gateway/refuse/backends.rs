//! Answers where a backend should have answered, and to requests that none is asked for.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{ALLOW, CONNECTION};
use axum::response::Response;
use tokio_util::sync::CancellationToken;

use super::{answer, later, noted, retry_after, set};
use crate::gateway::http::Full;
use crate::gateway::upstream::{BackendRefusal, UpstreamError};
use crate::tasks::Tasks;

/// A method that no backend is asked by: it is for proxies, or would show what a page may not see.
pub(in crate::gateway) fn method() -> Response {
    let message = "CONNECT and TRACE are not handed on";
    let mut response = answer(StatusCode::METHOD_NOT_ALLOWED, "method", message);
    let allowed = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
    set(response.headers_mut(), ALLOW, allowed);
    response
}

/// A coding of the body that only its next hop understands, and that is not ours to translate.
pub(in crate::gateway) fn coding() -> Response {
    let message = "the body has a transfer coding other than `chunked`";
    answer(StatusCode::NOT_IMPLEMENTED, "transfer-coding", message)
}

/// Too many requests are under way, or too many connections bring them.
pub(in crate::gateway) fn busy(full: Full) -> Response {
    let (status, error, message) = match full {
        Full::All => (
            StatusCode::SERVICE_UNAVAILABLE,
            "requests-limit",
            "too many requests, or connections for them, are under way here; wait",
        ),
        Full::Address => (
            StatusCode::TOO_MANY_REQUESTS,
            "requests-limit-per-address",
            "too many requests, or connections for them, of this address are under way; wait",
        ),
    };
    let mut response = answer(status, error, message);
    later(&mut response);
    noted(response, error, message.to_owned())
}

/// The client began a body and did not go on.
pub(in crate::gateway) fn upload_stalled() -> Response {
    let message = "the body of the request did not arrive in time";
    let mut response = answer(StatusCode::REQUEST_TIMEOUT, "upload-stalled", message);
    set(response.headers_mut(), CONNECTION, "close");
    response
}

/// What the client sent as a body is none (RFC 9112, section 7.1), so the connection is no longer in step.
pub(in crate::gateway) fn bad_body() -> Response {
    let message =
        "the body of the request is broken: a chunk without its size, or an end too early";
    let mut response = answer(StatusCode::BAD_REQUEST, "bad-body", message);
    set(response.headers_mut(), CONNECTION, "close");
    noted(response, "bad-body", message.to_owned())
}

/// The server stops.
pub(in crate::gateway) fn stopping() -> Response {
    let message = "the server restarts; ask again";
    let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, "stopping", message);
    later(&mut response);
    response
}

/// The backend does not, by an answer of its own, whose body `cut` ends with the client's connection.
pub(in crate::gateway) fn backend(
    refusal: BackendRefusal,
    tasks: &Tasks,
    cut: CancellationToken,
) -> Response {
    let why = refusal.to_string();
    noted(refusal.into_response(tasks, cut), "backend", why)
}

/// The backend gave no answer that a client could get.
pub(in crate::gateway) fn upstream(error: &UpstreamError) -> Response {
    let (status, message, why) = (error.status(), error.client_message(), error.to_string());
    let mut response = answer(status, "upstream", message);
    later(&mut response);
    noted(response, "upstream", why)
}

/// A backend was reached and gave no answer.
pub(in crate::gateway) fn no_answer() -> Response {
    let message = "the server behind the gateway gave no answer that can be used";
    let mut response = answer(StatusCode::BAD_GATEWAY, "upstream", message);
    later(&mut response);
    response
}

/// No backend is there, and room would have to be made for this client.
pub(in crate::gateway) fn no_backend(left: Duration) -> Response {
    let message = "the server behind the gateway cannot be reached";
    let mut response = answer(StatusCode::BAD_GATEWAY, "upstream", message);
    retry_after(&mut response, left.max(Duration::from_secs(1)));
    let why = "no backend is there, and nobody is evicted for that".to_owned();
    noted(response, "upstream", why)
}
