//! Authorisation of operators: a request needs the token, where there is one.
//!
//! This is the one place that knows what a token allows. It allows everything; one that only reads would
//! be told apart in [`Access::admits`].

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api::Admin;
use super::notes::Note;
use super::places::Visit;
use super::policies::refusal::Refusal;
use wastegate_core::types::Secret;

/// What orchestrators ask without knowing anything.
pub(super) const PROBES: [&str; 2] = ["/healthz", "/readyz"];
/// What is shown without a token where `admin.metrics_without_token` says so.
const METRICS: &str = "/metrics";
/// The value of `admin.token` that turns authorisation off.
pub const NO_TOKEN: &str = "none";

/// Which requests to operators' routes are authorised.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// No token: every client that reaches the listener is authorised.
    token: Option<Secret>,
    metrics_without_token: bool,
}

impl Access {
    /// Every client that reaches the listener is authorised.
    #[must_use]
    pub fn everybody() -> Self {
        Self::default()
    }

    /// For who has the token.
    #[must_use]
    pub fn with(token: Secret, metrics_without_token: bool) -> Self {
        Self {
            token: Some(token),
            metrics_without_token,
        }
    }

    /// Whether authorisation is off.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.token.is_none()
    }

    /// Whether a path is answered without authorisation.
    fn is_public(&self, path: &str) -> bool {
        PROBES.contains(&path)
            || super::console::is_of(path)
            || self.metrics_without_token && path == METRICS
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(needed) = &self.token else {
            return true;
        };
        let credentials = headers.get(AUTHORIZATION);
        let credentials = credentials.and_then(|value| value.to_str().ok());
        let token = credentials.and_then(|value| value.strip_prefix("Bearer "));
        token.is_some_and(|token| is_same(token.trim(), needed.reveal()))
    }
}

/// Lets a request through that has the token, or needs none.
pub(super) async fn check(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: Next,
) -> Response {
    if admin.access.admits(request.headers()) {
        if let Some(visit) = request.extensions().get::<Visit>() {
            visit.shown();
        }
        return next.run(request).await;
    }
    if admin.access.is_public(request.uri().path()) {
        return next.run(request).await;
    }
    let message = "send `Authorization: Bearer` with the operators' token: the value of `admin.token`, or what is in the file `admin.token` of the server's `policy.rollout.state_dir`. Commands find either where they get the server's configuration (`--config`, or the environment)";
    admin.notes.report(
        Note::Token,
        &admin.clock,
        "it has no token, or not the right one",
    );
    let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
    let mut response = refusal.into_response();
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
