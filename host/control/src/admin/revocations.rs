//! Tokens that are revoked, on the operators' API.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Admin;
use super::openapi::Page;
use super::policies::extract::{By, Details, InPath};
use super::policies::refusal::Refusal;
use super::reach::{self, LeverReach};
use super::routes::Routes;
use super::users::{LEVER_REFUSED, Subject, WhyNot, order};
use crate::levers::{LASTING_MAX, LeverChange, REASON_BYTES_MAX, Revocation, RevocationTarget};
use crate::rollout::Actor;

/// Tokens that are revoked.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RevocationList {
    /// Every revocation that is in force.
    pub revocations: Vec<RevocationRow>,
}

/// One revocation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RevocationRow {
    /// Which tokens: `token/ID`, `user/NAME` or `all`.
    pub target: String,
    /// Up to when, who set it, why, and until when it holds.
    #[serde(flatten)]
    pub revocation: Revocation,
}

/// What a revocation came to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RevocationAnswer {
    /// Which tokens: `token/ID`, `user/NAME` or `all`.
    pub target: String,
    /// Whether it changed anything: false where nothing was in force that could be taken back.
    pub changed: bool,
    /// Connections that were closed for it.
    pub closed: usize,
    /// Whether it survives a restart. False without a state directory, or where its disk is full.
    pub durable: bool,
    /// What is in force now; null where that was taken back.
    pub revocation: Option<Revocation>,
    /// Whether the other nodes of the cluster have it too.
    #[serde(flatten)]
    pub reach: LeverReach,
}

/// Why tokens are revoked, up to when, and for how long.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "for_s": 3_600, "reason": "her phone was stolen" }))]
struct RevokeRequest {
    /// Tokens that were issued before this are revoked, ms since the Unix epoch; without it, before now. Not for one
    /// token.
    #[serde(default)]
    issued_before_unix_ms: Option<u64>,
    /// After how many seconds it ends by itself; without it, it stays until it is taken back.
    #[schemars(range(min = 1, max = LASTING_MAX.as_secs()))]
    for_s: Option<u64>,
    /// Why, for the audit log and for other operators.
    #[schemars(length(min = 1, max = REASON_BYTES_MAX))]
    reason: String,
}

/// `/v1/revocations` and the routes below it.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Users)
        .get(
            "/v1/revocations",
            "Tokens that are revoked, with who revoked them, why, and until when.",
            list,
        )
        .put(
            "/v1/revocations/tokens/{jti}",
            "Revoke one token by its claim `jti`, and close its connections.",
            revoke_token,
        )
        .refuses(LEVER_REFUSED)
        .delete(
            "/v1/revocations/tokens/{jti}",
            "Take the revocation of one token back.",
            allow_token,
        )
        .refuses(LEVER_REFUSED)
        .put(
            "/v1/revocations/users/{user}",
            "Revoke a user's tokens that were issued before a moment, and close their connections.",
            revoke_user,
        )
        .refuses(LEVER_REFUSED)
        .delete(
            "/v1/revocations/users/{user}",
            "Take the revocation of a user's tokens back.",
            allow_user,
        )
        .refuses(LEVER_REFUSED)
        .put(
            "/v1/revocations/all",
            "Revoke all tokens that were issued before a moment, and close their connections.",
            revoke_all,
        )
        .refuses(LEVER_REFUSED)
        .delete(
            "/v1/revocations/all",
            "Take the revocation of all tokens back.",
            allow_all,
        )
        .refuses(LEVER_REFUSED)
}

async fn list(State(admin): State<Arc<Admin>>) -> Json<RevocationList> {
    let table = admin.levers.all();
    let revocations = table.revoked().iter().map(|(target, it)| RevocationRow {
        target: target.to_string(),
        revocation: it.clone(),
    });
    Json(RevocationList {
        revocations: revocations.collect(),
    })
}

async fn revoke_token(
    State(admin): State<Arc<Admin>>,
    InPath(id): InPath<String>,
    By(by): By,
    Details(request): Details<RevokeRequest>,
) -> Result<Json<RevocationAnswer>, Refusal> {
    revoke(&admin, RevocationTarget::Token(id), by, request).await
}

async fn allow_token(
    State(admin): State<Arc<Admin>>,
    InPath(id): InPath<String>,
    By(by): By,
    Details(why): Details<WhyNot>,
) -> Result<Json<RevocationAnswer>, Refusal> {
    allow(&admin, RevocationTarget::Token(id), by, why).await
}

async fn revoke_user(
    State(admin): State<Arc<Admin>>,
    Subject(user): Subject,
    By(by): By,
    Details(request): Details<RevokeRequest>,
) -> Result<Json<RevocationAnswer>, Refusal> {
    revoke(&admin, RevocationTarget::User(user), by, request).await
}

async fn allow_user(
    State(admin): State<Arc<Admin>>,
    Subject(user): Subject,
    By(by): By,
    Details(why): Details<WhyNot>,
) -> Result<Json<RevocationAnswer>, Refusal> {
    allow(&admin, RevocationTarget::User(user), by, why).await
}

async fn revoke_all(
    State(admin): State<Arc<Admin>>,
    By(by): By,
    Details(request): Details<RevokeRequest>,
) -> Result<Json<RevocationAnswer>, Refusal> {
    revoke(&admin, RevocationTarget::All, by, request).await
}

async fn allow_all(
    State(admin): State<Arc<Admin>>,
    By(by): By,
    Details(why): Details<WhyNot>,
) -> Result<Json<RevocationAnswer>, Refusal> {
    allow(&admin, RevocationTarget::All, by, why).await
}

async fn revoke(
    admin: &Admin,
    target: RevocationTarget,
    by: Actor,
    request: RevokeRequest,
) -> Result<Json<RevocationAnswer>, Refusal> {
    let order = order(by, request.reason, request.for_s);
    let before = request.issued_before_unix_ms;
    let name = target.to_string();
    let done = reach::set(admin, move |levers| levers.revoke(target, before, order));
    Ok(answer(name, done.await?))
}

async fn allow(
    admin: &Admin,
    target: RevocationTarget,
    by: Actor,
    why: WhyNot,
) -> Result<Json<RevocationAnswer>, Refusal> {
    let order = order(by, why.reason, None);
    let name = target.to_string();
    let done = reach::lift(admin, move |levers| levers.allow(&target, order));
    Ok(answer(name, done.await?))
}

fn answer(
    target: String,
    (change, reach): (LeverChange<Option<Revocation>>, LeverReach),
) -> Json<RevocationAnswer> {
    Json(RevocationAnswer {
        target,
        changed: change.is_new,
        closed: change.evicted,
        durable: change.is_durable,
        revocation: change.levers,
        reach,
    })
}
