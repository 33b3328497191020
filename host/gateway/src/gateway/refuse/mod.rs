//! How a refusal is said in HTTP.

#[cfg(feature = "upstream")]
mod backends;

use std::time::Duration;

use axum::Json;
use axum::http::header::{
    ALLOW, CONNECTION, HeaderName, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE,
    WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::caps::Cap;
use super::handshake::BadHandshake;
use super::identity::Unidentified;
use super::origin::BadOrigin;
use super::refused::Refused;
use crate::admission::{DenialReason, Denied};
use wastegate_core::types::time::whole_ms;

#[cfg(feature = "upstream")]
pub(super) use self::backends::{
    backend, bad_body, busy, coding, method, no_answer, no_backend, stopping, upload_stalled,
    upstream,
};

/// When it may be worth another try where nothing says better.
const RETRY_AFTER_S: u64 = 5;
/// Places that an answer names at most.
const PLACES_MAX: usize = 32;

/// An answer whose body says which error it is, and in words what it means.
fn answer(status: StatusCode, error: &str, message: &str) -> Response {
    let body = Json(json!({ "error": error, "message": message }));
    (status, body).into_response()
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

/// Not an upgrade.
pub(super) fn bad_handshake(error: &BadHandshake) -> Response {
    let mut response = answer(error.status(), "bad-handshake", &error.to_string());
    let headers = response.headers_mut();
    match error {
        // RFC 9110, section 15.5.6.
        BadHandshake::Request(..) => set(headers, ALLOW, "GET"),
        // RFC 9110, section 15.5.22, and RFC 6455, section 4.4.
        BadHandshake::Version => {
            set(headers, UPGRADE, "websocket");
            set(headers, CONNECTION, "Upgrade");
            set(headers, SEC_WEBSOCKET_VERSION, "13");
        }
        BadHandshake::Header { .. } | BadHandshake::Body(_) => {}
    }
    noted(response, "bad-handshake", error.to_string())
}

/// The answer to a request without a valid identity.
pub(super) fn unidentified(error: &Unidentified) -> Response {
    let mut response = answer(error.status(), "unidentified", &error.to_string());
    match error {
        // RFC 9110, section 15.5.2 asks for a challenge; that of draft-broyer-http-cookie-auth.
        Unidentified::NoSession(name) => {
            let challenge = format!("Cookie cookie-name={name:?}");
            if let Ok(challenge) = HeaderValue::from_str(&challenge) {
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
        }
        // RFC 6750, section 3.
        error if error.status() == StatusCode::UNAUTHORIZED => {
            set(response.headers_mut(), WWW_AUTHENTICATE, "Bearer");
        }
        error if error.status() == StatusCode::SERVICE_UNAVAILABLE => later(&mut response),
        _ => {}
    }
    noted(response, "unidentified", error.to_string())
}

/// A page that may not.
pub(super) fn origin(error: &BadOrigin) -> Response {
    let response = answer(StatusCode::FORBIDDEN, "origin", &error.to_string());
    noted(response, "origin", error.to_string())
}

/// No route leads anywhere from there: these are the places that one does from.
pub(super) fn nowhere<'a>(places: impl Iterator<Item = &'a str>) -> Response {
    let places: Vec<&str> = places.take(PLACES_MAX).collect();
    let named: Vec<_> = places.iter().map(|place| format!("`{place}`")).collect();
    let message = format!(
        "nothing is served at this path; this gateway listens at {}",
        named.join(", ")
    );
    let body = json!({ "error": "not-found", "message": message, "listens_at": places });
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

/// Requests come too fast, of all or of one address.
pub(super) fn too_fast(cap: Cap) -> Response {
    let message = "too many requests come here, or from this address; wait";
    let mut response = answer(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", message);
    set(response.headers_mut(), CONNECTION, "close");
    later(&mut response);
    noted(
        response,
        "too-many-requests",
        format!("it is over the cap `{}`", cap.name()),
    )
}

/// The client became one of many whose requests are handed on, and now wants a place.
pub(super) fn no_place() -> Response {
    let message = "this server has no place for another connection; wait";
    let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, "connection-limit", message);
    later(&mut response);
    noted(response, "connection-limit", message.to_owned())
}

/// A server around us that does not upgrade: only one that embeds us wrongly.
pub(super) fn cannot_upgrade() -> Response {
    let message = "this server cannot upgrade connections";
    answer(StatusCode::NOT_IMPLEMENTED, "cannot-upgrade", message)
}

/// Not before it has calmed down.
pub(super) fn flapping(left: Duration) -> Response {
    let body = json!({
        "error": "flapping",
        "message": "connections of this client end as soon as they have begun; wait",
        "retry_after_ms": whole_ms(left),
    });
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
    retry_after(&mut response, left);
    noted(response, "flapping", "it comes and goes".to_owned())
}

/// Not now. The body has everything that the refusal knows.
pub(super) fn denied(denied: &Denied) -> Response {
    let status = match denied.why {
        DenialReason::RateLimited
        | DenialReason::UserLimit
        | DenialReason::QueueFull
        | DenialReason::QueueTimeout
        | DenialReason::ManagerConnections
        | DenialReason::Displaced
        | DenialReason::DeviceContested => StatusCode::TOO_MANY_REQUESTS,
        DenialReason::NodeLimit | DenialReason::Draining | DenialReason::ClusterAway => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        DenialReason::Blocked => StatusCode::FORBIDDEN,
    };
    let mut body = json!(denied);
    if let Value::Object(body) = &mut body {
        body.insert("message".to_owned(), Value::from(meaning(denied)));
    }
    let mut response = (status, Json(body)).into_response();
    retry_after(&mut response, denied.retry_after);
    noted(response, denied.why.name(), meaning(denied))
}

/// With what the log says of it.
fn noted(mut response: Response, reason: &'static str, why: String) -> Response {
    response.extensions_mut().insert(Refused { reason, why });
    response
}

/// A refusal in words.
fn meaning(denied: &Denied) -> String {
    let Denied { limit, held, .. } = denied;
    match denied.why {
        DenialReason::ManagerConnections => format!(
            "this manager has {} connections, its limit, and all of them answer",
            denied.held
        ),
        DenialReason::Displaced => {
            "this manager was evicted a moment ago because its user has too many in use; close one of \
             the others, or wait"
                .to_owned()
        }
        DenialReason::DeviceContested => {
            "two connections of this device replace each other; give each client a device name of its own"
                .to_owned()
        }
        DenialReason::RateLimited => "this user connects too often; wait".to_owned(),
        DenialReason::Blocked => "an operator has blocked this user".to_owned(),
        DenialReason::Draining => "this node takes no new connections; connect to another one".to_owned(),
        DenialReason::ClusterAway => {
            "this node cannot count with the others now, and takes no new manager; try again".to_owned()
        }
        DenialReason::UserLimit => format!("this user holds {held} of {limit}, and none of them can go"),
        DenialReason::NodeLimit => format!("this server holds {held} of {limit}, and none of them can go"),
        DenialReason::QueueFull => format!("this user holds {held} of {limit}, and the queue is full"),
        DenialReason::QueueTimeout => {
            format!("this user holds {held} of {limit}, and none went while this one waited")
        }
    }
}

/// An answer to a connection that no request is read of, before it is closed.
pub(super) fn at_the_door(status: StatusCode, error: &str, message: &str) -> String {
    let body = json!({ "error": error, "message": message }).to_string();
    format!(
        "HTTP/1.1 {status}\r\nretry-after: {RETRY_AFTER_S}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// After the usual pause.
fn later(response: &mut Response) {
    retry_after(response, Duration::from_secs(RETRY_AFTER_S));
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
    use wastegate_core::types::UserId;

    async fn said(why: DenialReason, retry_after: Duration) -> (u16, String, serde_json::Value) {
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

    /// L1, L13: the user's refusals are 429, the node's is 503, an operator's 403; all say when to come back, in whole
    /// seconds and never too early.
    #[tokio::test]
    async fn l1_l13_a_refusal_says_why_and_when_to_come_back() {
        let (status, seconds, body) =
            said(DenialReason::UserLimit, Duration::from_millis(4_001)).await;
        assert_eq!((status, seconds.as_str()), (429, "5"));
        assert_eq!(
            body,
            json!({
                "error": "user-limit", "user": "ann", "limit": 20, "held": 20,
                "message": "this user holds 20 of 20, and none of them can go",
                "retry_after_ms": 4_001, "tiers": []
            })
        );
        for why in DenialReason::ALL {
            let (status, seconds, body) = said(why, Duration::from_secs(60)).await;
            let expected = match why {
                DenialReason::NodeLimit | DenialReason::Draining | DenialReason::ClusterAway => 503,
                DenialReason::Blocked => 403,
                _ => 429,
            };
            assert_eq!((status, seconds.as_str()), (expected, "60"), "{why:?}");
            assert_eq!(body["error"], why.name());
        }
    }

    /// W70, W71: answers that HTTP wants something of.
    #[test]
    fn w70_w71_an_answer_says_what_to_do_instead() {
        let response = bad_handshake(&BadHandshake::Version);
        assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
        let headers = response.headers();
        assert_eq!(headers[SEC_WEBSOCKET_VERSION], "13");
        assert_eq!(headers[UPGRADE], "websocket");
        assert_eq!(headers[CONNECTION], "Upgrade");
        let post = BadHandshake::Request(axum::http::Method::POST, axum::http::Version::HTTP_11);
        let response = bad_handshake(&post);
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[ALLOW], "GET");
    }

    #[test]
    fn an_answer_at_the_door_is_http() {
        let said = at_the_door(StatusCode::SERVICE_UNAVAILABLE, "connection-limit", "full");
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
            "{head}"
        );
        assert!(
            head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())),
            "{head}"
        );
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            body,
            json!({ "error": "connection-limit", "message": "full" })
        );
    }
}
