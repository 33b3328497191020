//! How a refusal is said in HTTP.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_VERSION};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::handshake::BadHandshake;
use super::identity::Unidentified;
use crate::admission::{Denied, Why};

/// Not an upgrade.
pub(super) fn bad_handshake(error: &BadHandshake) -> Response {
    let body = Json(json!({ "error": "bad-handshake", "message": error.to_string() }));
    let mut response = (error.status(), body).into_response();
    if *error == BadHandshake::Version {
        response
            .headers_mut()
            .insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    response
}

/// Nobody.
pub(super) fn unidentified(error: &Unidentified) -> Response {
    let body = Json(json!({ "error": "unidentified", "message": error.to_string() }));
    (error.status(), body).into_response()
}

/// Not now. The body has everything that the refusal knows.
pub(super) fn denied(denied: &Denied) -> Response {
    let status = match denied.why {
        Why::RateLimited | Why::UserLimit | Why::QueueFull | Why::QueueTimeout => {
            StatusCode::TOO_MANY_REQUESTS
        }
        Why::NodeLimit => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = (status, Json(denied)).into_response();
    // Whole seconds, rounded up: RFC 9110, section 10.2.3.
    let seconds = denied.retry_after.as_millis().div_ceil(1_000);
    if let Ok(seconds) = HeaderValue::from_str(&seconds.to_string()) {
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}
