//! Who may operate: whoever has the token, where there is one.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::api::Admin;

/// What orchestrators ask without knowing anything.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// Lets a request through that has the token, or needs none.
pub(super) async fn check(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: Next,
) -> Response {
    let needed = &admin.token;
    if needed.is_empty() || OPEN.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let said = request.headers().get(AUTHORIZATION);
    let said = said.and_then(|value| value.to_str().ok());
    let token = said.and_then(|value| value.strip_prefix("Bearer "));
    if token.is_some_and(|token| is_same(token.trim(), needed.reveal())) {
        return next.run(request).await;
    }
    let body = Json(json!({
        "error": "unauthorized",
        "message": "send `Authorization: Bearer` with the value of `admin.token`",
    }));
    let mut response = (StatusCode::UNAUTHORIZED, body).into_response();
    let bearer = HeaderValue::from_static("Bearer");
    response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
    response
}

/// Whether two texts are the same, in a time that does not tell how much of them is: their
/// authentication codes under a key of the moment are compared.
fn is_same(one: &str, other: &str) -> bool {
    let random = ring::rand::SystemRandom::new();
    let Ok(key) = ring::hmac::Key::generate(ring::hmac::HMAC_SHA256, &random) else {
        return false;
    };
    let code = ring::hmac::sign(&key, one.as_bytes());
    ring::hmac::verify(&key, other.as_bytes(), code.as_ref()).is_ok()
}
