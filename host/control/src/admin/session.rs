//! The console's session: a cookie that is made from a token, so that the page need not keep the token.
//!
//! The cookie says who it is for and until when, under a key of this process; nothing is kept for it. It is
//! `HttpOnly`, so no script reads it, and `SameSite=Strict`, so no other site sends it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{COOKIE, HOST, HeaderValue, SET_COOKIE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::api::Admin;
use super::blocking;
use super::notes::Note;
use super::openapi::{Page, WithoutBody};
use super::policies::extract::{By, Details};
use super::policies::refusal::Refusal;
use super::roles::Role;
use super::routes::Routes;
use super::token::Caller;
use super::users::{LEVER_REFUSED, WhyNot, order};

/// Where sessions are made and ended; answered without a token.
pub(super) const PATH: &str = "/v1/session";
/// How the name of the cookie begins. The gateway hands such cookies to no backend.
pub(super) const NAME: &str = wastegate::gateway::CONSOLE_COOKIE;
/// How long a session lasts, seconds.
const LASTS_S: u64 = 12 * 3_600;

/// The name of the cookie, as the browser keeps it for the place that it asks. Browsers send cookies to every port of
/// their host (RFC 6265, section 8.5): two gateways on one host each need a cookie of their own.
fn name(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let port = host.and_then(|host| host.parse::<Authority>().ok()?.port_u16());
    port.map_or_else(|| NAME.to_owned(), |port| format!("{NAME}_{port}"))
}

/// The key of a process's sessions.
#[derive(Debug, Clone)]
pub(super) struct SessionKey(hmac::Key);

impl SessionKey {
    /// A new one; none where the system has no randomness.
    pub(super) fn random() -> Option<Self> {
        let random = ring::rand::SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random);
        key.ok().map(Self)
    }

    /// A cookie's value for a caller.
    fn cookie(&self, caller: &Caller, now_unix_ms: u64) -> String {
        let ends_s = now_unix_ms / 1_000 + LASTS_S;
        let name = caller.name.as_deref().unwrap_or_default();
        let claims = format!("{}.{ends_s}.{name}", caller.role);
        let code = hmac::sign(&self.0, claims.as_bytes());
        format!("{claims}.{}", URL_SAFE_NO_PAD.encode(code))
    }

    /// The caller that a cookie's value was made for, while it lasts.
    pub(super) fn caller(&self, headers: &HeaderMap, now_unix_ms: u64) -> Option<Caller> {
        let cookies = headers.get_all(COOKIE).iter();
        let mut pairs = cookies
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let name = name(headers);
        let (_, value) = pairs.find(|(called, _)| *called == name)?;
        let (claims, code) = value.rsplit_once('.')?;
        let code = URL_SAFE_NO_PAD.decode(code).ok()?;
        hmac::verify(&self.0, claims.as_bytes(), &code).ok()?;
        let (role, rest) = claims.split_once('.')?;
        let (ends_s, name) = rest.split_once('.')?;
        let ends_s: u64 = ends_s.parse().ok()?;
        (now_unix_ms / 1_000 < ends_s).then_some(())?;
        Some(Caller {
            name: (!name.is_empty()).then(|| name.into()),
            role: Role::by_name(role)?,
        })
    }
}

/// The routes of sessions.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Session)
        .get(
            PATH,
            "What the caller may do, and whether a token is needed.",
            look,
        )
        .post(
            PATH,
            "Make a session of a token: the answer sets a cookie.",
            begin,
        )
        .refuses(&[StatusCode::UNAUTHORIZED])
        .delete(
            PATH,
            "End the session: the answer takes the cookie back.",
            end,
        )
        .delete(
            "/v1/sessions",
            "End all sessions of the console: everybody has to give a token again.",
            end_all,
        )
        .refuses(LEVER_REFUSED)
}

/// What the caller may do.
#[derive(Debug, Serialize, JsonSchema)]
struct SessionView {
    /// Whether the API needs a token.
    needed: bool,
    /// `read` or `operate`; null for a caller without either.
    role: Option<&'static str>,
    /// The name of the caller's token; null where it has none.
    name: Option<String>,
}

async fn look(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Json<SessionView> {
    let caller = admin.access.caller(&headers, admin.unix_ms());
    Json(SessionView {
        needed: !admin.access.is_open(),
        role: caller.as_ref().map(|caller| caller.role.name()),
        name: caller.and_then(|caller| caller.name.as_deref().map(str::to_owned)),
    })
}

/// The body of a new session.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "token": "8c1f4be29d0a7763" }))]
struct SessionRequest {
    /// A token of an operator.
    token: String,
}

async fn begin(
    State(admin): State<Arc<Admin>>,
    headers: HeaderMap,
    Details(request): Details<SessionRequest>,
) -> Result<WithoutBody, Refusal> {
    let Some(caller) = admin.access.of(request.token.trim()) else {
        let why = "a session was asked for with a token that is not one";
        admin.notes.report(Note::Token, &admin.clock, why);
        return Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "that is no token of this server: give the value of `admin.token`, or one of `admin.tokens_file`",
        ));
    };
    let key = admin.access.sessions().ok_or_else(|| {
        Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no-sessions",
            "this server makes no sessions: send the token with each request",
        )
    })?;
    let cookie = key.cookie(&caller, admin.unix_ms());
    Ok(set(&name(&headers), &cookie, LASTS_S))
}

async fn end(headers: HeaderMap) -> WithoutBody {
    set(&name(&headers), "", 0)
}

/// Cookies carry what they say, so one session cannot be ended before its time, but all of them can.
async fn end_all(
    State(admin): State<Arc<Admin>>,
    headers: HeaderMap,
    By(by): By,
    Details(WhyNot { reason }): Details<WhyNot>,
) -> Result<WithoutBody, Refusal> {
    let order = order(by, reason, None);
    let (access, levers) = (admin.access.clone(), admin.levers.clone());
    blocking(move || levers.sessions_end(order, || access.end_sessions())).await?;
    Ok(set(&name(&headers), "", 0))
}

fn set(name: &str, value: &str, lasts_s: u64) -> WithoutBody {
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={lasts_s}");
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, value);
    }
    WithoutBody(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookies: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_str(cookies).unwrap());
        headers
    }

    #[test]
    fn a_cookie_says_who_until_when_and_nothing_else_passes() {
        let (key, other) = (SessionKey::random().unwrap(), SessionKey::random().unwrap());
        let caller = Caller {
            name: Some("grafana".into()),
            role: Role::Read,
        };
        let now = 1_800_000_000_000;
        let cookie = key.cookie(&caller, now);
        let of = |key: &SessionKey, value: &str, now| {
            key.caller(&headers(&format!("a=b; {NAME}={value}; c=d")), now)
        };
        assert_eq!(of(&key, &cookie, now), Some(caller.clone()));
        let last = now + LASTS_S * 1_000;
        assert_eq!(of(&key, &cookie, last - 1), Some(caller.clone()));
        assert_eq!(of(&key, &cookie, last), None, "over");
        assert_eq!(of(&other, &cookie, now), None, "of another process");
        let risen = cookie.replacen("read", "operate", 1);
        assert_eq!(of(&key, &risen, now), None, "changed");
        for value in [
            "",
            ".",
            "read.9999999999.",
            "operate.1.x.",
            &cookie[..cookie.len() - 2],
        ] {
            assert_eq!(of(&key, value, now), None, "{value}");
        }
        let unnamed = Caller {
            name: None,
            role: Role::Operate,
        };
        let cookie = key.cookie(&unnamed, now);
        assert_eq!(of(&key, &cookie, now), Some(unnamed));
    }
}
