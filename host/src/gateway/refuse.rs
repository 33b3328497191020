//! How a refusal is said in HTTP.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_VERSION, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::handshake::BadHandshake;
use super::identity::Unidentified;
use super::origin::BadOrigin;
use super::refused::Refused;
use super::upstream::UpstreamError;
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
    noted(response, "bad-handshake", error.to_string())
}

/// Nobody.
pub(super) fn unidentified(error: &Unidentified) -> Response {
    let body = Json(json!({ "error": "unidentified", "message": error.to_string() }));
    let mut response = (error.status(), body).into_response();
    let headers = response.headers_mut();
    match error {
        // RFC 6750, section 3.
        Unidentified::Rejected(_) => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // RFC 9110, section 15.5.2 asks for a challenge; that of draft-broyer-http-cookie-auth.
        Unidentified::NoSession(name) => {
            let challenge = format!("Cookie cookie-name={name:?}");
            if let Ok(challenge) = HeaderValue::from_str(&challenge) {
                headers.insert(WWW_AUTHENTICATE, challenge);
            }
        }
        Unidentified::Unavailable => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        _ => {}
    }
    noted(response, "unidentified", error.to_string())
}

/// A page that may not.
pub(super) fn origin(error: &BadOrigin) -> Response {
    let body = Json(json!({ "error": "origin", "message": error.to_string() }));
    let response = (StatusCode::FORBIDDEN, body).into_response();
    noted(response, "origin", error.to_string())
}

/// Not before it has calmed down.
pub(super) fn flapping(left: Duration) -> Response {
    let body = json!({
        "error": "flapping",
        "message": "connections of this client end as soon as they have begun; wait",
        "retry_after_ms": u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
    });
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
    retry_after(&mut response, left);
    noted(response, "flapping", "it comes and goes".to_owned())
}

/// The backend does not.
pub(super) fn upstream(error: &UpstreamError) -> Response {
    let body = Json(json!({ "error": "upstream", "message": error.told() }));
    let response = (error.status(), body).into_response();
    noted(response, "upstream", error.to_string())
}

/// Not now. The body has everything that the refusal knows.
pub(super) fn denied(denied: &Denied) -> Response {
    let status = match denied.why {
        Why::RateLimited
        | Why::UserLimit
        | Why::QueueFull
        | Why::QueueTimeout
        | Why::ManagerConnections
        | Why::Displaced
        | Why::DeviceContested => StatusCode::TOO_MANY_REQUESTS,
        Why::NodeLimit => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = (status, Json(denied)).into_response();
    retry_after(&mut response, denied.retry_after);
    let why = format!("{} of {} are held", denied.held, denied.limit);
    noted(response, denied.why.name(), why)
}

/// With what the log says of it.
fn noted(mut response: Response, reason: &'static str, why: String) -> Response {
    response.extensions_mut().insert(Refused { reason, why });
    response
}

/// Whole seconds, rounded up: RFC 9110, section 10.2.3.
fn retry_after(response: &mut Response, after: Duration) {
    let seconds = after.as_millis().div_ceil(1_000);
    if let Ok(seconds) = HeaderValue::from_str(&seconds.to_string()) {
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::UserId;

    async fn said(why: Why, retry_after: Duration) -> (u16, String, serde_json::Value) {
        let response = denied(&Denied {
            why,
            user: UserId::new("ann").unwrap(),
            limit: 20,
            held: 20,
            retry_after,
            tiers: Vec::new(),
        });
        let status = response.status().as_u16();
        let retry_after = response.headers()[RETRY_AFTER].to_str().unwrap().to_owned();
        let body = axum::body::to_bytes(response.into_body(), 10_000)
            .await
            .unwrap();
        (status, retry_after, serde_json::from_slice(&body).unwrap())
    }

    /// L1, L13: the user's refusals are 429, the node's is 503; all say when to come back, in whole
    /// seconds and never too early.
    #[tokio::test]
    async fn l1_l13_a_refusal_says_why_and_when_to_come_back() {
        let (status, seconds, body) = said(Why::UserLimit, Duration::from_millis(4_001)).await;
        assert_eq!((status, seconds.as_str()), (429, "5"));
        assert_eq!(
            body,
            json!({
                "error": "user-limit", "user": "ann", "limit": 20, "held": 20,
                "retry_after_ms": 4_001, "tiers": []
            })
        );
        for why in Why::ALL {
            let (status, seconds, body) = said(why, Duration::from_secs(60)).await;
            let expected = if why == Why::NodeLimit { 503 } else { 429 };
            assert_eq!((status, seconds.as_str()), (expected, "60"), "{why:?}");
            assert_eq!(body["error"], why.name());
        }
    }

    /// RFC 6455, section 4.4: a version that we do not speak is told the one that we do.
    #[test]
    fn another_version_is_told_ours() {
        let response = bad_handshake(&BadHandshake::Version);
        assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
        assert_eq!(response.headers()[SEC_WEBSOCKET_VERSION], "13");
    }
}
