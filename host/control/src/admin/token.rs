//! Authorisation of operators: a request needs the token, where there is one.
//!
//! This is the one place that knows what a token allows: everything, or only to read ([`Role`]).

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api::Admin;
use super::notes::Note;
use super::places::Visit;
use super::policies::refusal::Refusal;
use super::roles::{NamedToken, Role};
use super::session::{self, SessionKey};

/// What orchestrators ask without knowing anything.
pub(super) const PROBES: [&str; 2] = ["/healthz", "/readyz"];
/// What is shown without a token where `admin.metrics_without_token` says so.
const METRICS: &str = "/metrics";
/// Around the number in the path of a question, which changes nothing although it has a body.
const QUESTION: (&str, &str) = ("/v1/decisions/", "/ask");
/// The value of `admin.token` that turns authorisation off.
pub const NO_TOKEN: &str = "none";

/// Which requests to operators' routes are authorised.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// None: every client that reaches the listener may do everything.
    tokens: Arc<[NamedToken]>,
    metrics_without_token: bool,
    /// None where the system has no randomness. Replaced when all sessions are ended.
    sessions: Arc<ArcSwapOption<SessionKey>>,
}

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// The name of its token, if it has one.
    pub(super) name: Option<Arc<str>>,
    /// What it may do.
    pub(super) role: Role,
}

impl Access {
    /// Every client that reaches the listener is authorised.
    #[must_use]
    pub fn everybody() -> Self {
        Self::default()
    }

    /// For the clients that have one of these tokens; for every client where there are none.
    #[must_use]
    pub fn with(tokens: Vec<NamedToken>, metrics_without_token: bool) -> Self {
        Self {
            sessions: Arc::new(ArcSwapOption::new(SessionKey::random().map(Arc::new))),
            tokens: tokens.into(),
            metrics_without_token,
        }
    }

    /// Whether authorisation is off.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Whether a path is answered without authorisation.
    fn is_public(&self, path: &str) -> bool {
        is_always_public(path) || self.metrics_without_token && path == METRICS
    }

    pub(super) fn sessions(&self) -> Option<Arc<SessionKey>> {
        self.sessions.load_full()
    }

    /// No cookie that was made until now is taken from now on.
    pub(super) fn end_sessions(&self) {
        self.sessions.store(SessionKey::random().map(Arc::new));
    }

    /// Who has a token.
    pub(super) fn of(&self, token: &str) -> Option<Caller> {
        // All are compared, so that the time does not tell which one it is.
        let mut same = None;
        for known in self.tokens.iter() {
            if is_same(token, known.token.reveal()) {
                same = Some(known);
            }
        }
        same.map(|known| Caller {
            name: known.name.clone(),
            role: known.role,
        })
    }

    /// Who makes a request, by its token or its session.
    pub(super) fn caller(&self, headers: &HeaderMap, now_unix_ms: u64) -> Option<Caller> {
        if self.is_open() {
            return Some(Caller {
                name: None,
                role: Role::Operate,
            });
        }
        let credentials = headers.get(AUTHORIZATION);
        let credentials = credentials.and_then(|value| value.to_str().ok()?.split_once(' '));
        match credentials {
            // The scheme in any case (RFC 9110, section 11.1).
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => self.of(token.trim()),
            // Other credentials are for a proxy before us.
            _ => self.sessions()?.caller(headers, now_unix_ms),
        }
    }
}

/// Whether a path is answered without authorisation, whatever the settings say.
pub(super) fn is_always_public(path: &str) -> bool {
    PROBES.contains(&path) || super::console::is_of(path) || path == session::PATH
}

/// What a request needs. Reading is whatever changes nothing.
pub(super) fn needed(method: &Method, path: &str) -> Role {
    let number = path.strip_prefix(QUESTION.0);
    let number = number.and_then(|rest| rest.strip_suffix(QUESTION.1));
    // A number and nothing else: any other segment could be a name, and a name may be `ask`.
    let is_question = *method == Method::POST
        && number.is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()));
    if matches!(*method, Method::GET | Method::HEAD) || is_question {
        Role::Read
    } else {
        Role::Operate
    }
}

/// Lets a request through that has the token for it, or needs none.
pub(super) async fn check(
    State(admin): State<Arc<Admin>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(caller) = admin.access.caller(request.headers(), admin.unix_ms()) {
        if let Some(visit) = request.extensions().get::<Visit>() {
            visit.shown();
        }
        let is_public = admin.access.is_public(request.uri().path());
        if caller.role < needed(request.method(), request.uri().path()) && !is_public {
            let message = "this token may read and change nothing: use one whose role is `operate`";
            let refusal = Refusal::new(StatusCode::FORBIDDEN, "read-only", message);
            return refusal.into_response();
        }
        request.extensions_mut().insert(caller);
        return next.run(request).await;
    }
    if admin.access.is_public(request.uri().path()) {
        return next.run(request).await;
    }
    let message = "send `Authorization: Bearer` with an operators' token: the value of `admin.token`, one of `admin.tokens_file`, or what is in the file `admin.token` of the server's `policy.rollout.state_dir`. Commands find the first and the last where they get the server's configuration (`--config`, or the environment)";
    admin.notes.report(
        Note::Token,
        &admin.clock,
        "it has no token, or not the right one",
    );
    Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", message).into_response()
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
