//! The levers of one user. Each says why, and is in the audit log.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::Subject;
use super::views::{EvictedAnswer, LeverAnswer};
use crate::admin::policies::extract::{By, Details};
use crate::admin::policies::refusal::Refusal;
use crate::admin::reach::{self, LeverReach};
use crate::admin::{Admin, blocking};
use crate::levers::{LASTING_MAX, LeverChange, LeverOrder, REASON_BYTES_MAX};
use crate::rollout::Actor;
use wastegate_core::types::UserId;

/// A user's limit, why, and for how long.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "managers": 40, "for_s": 3_600, "reason": "a migration" }))]
pub(super) struct LimitRequest {
    /// How many managers the user may hold, from 1 to the limit of the node.
    #[schemars(range(min = 1))]
    managers: u32,
    /// For how long, s; until it is taken back where it is not said.
    #[schemars(range(min = 1, max = LASTING_MAX.as_secs()))]
    for_s: Option<u64>,
    /// Why, for the audit log and for other operators.
    #[schemars(length(min = 1, max = REASON_BYTES_MAX))]
    reason: String,
}

/// Why a user is blocked, and for how long.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "for_s": 600, "reason": "a loop in its client" }))]
pub(super) struct BlockRequest {
    /// For how long, s; until it is taken back where it is not said.
    #[schemars(range(min = 1, max = LASTING_MAX.as_secs()))]
    for_s: Option<u64>,
    /// Why, for the audit log and for other operators.
    #[schemars(length(min = 1, max = REASON_BYTES_MAX))]
    reason: String,
}

/// Why something is done.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EvictAllRequest", example = json!({ "reason": "its tabs are stuck" }))]
pub(super) struct Why {
    /// Why, for the audit log.
    #[schemars(length(min = 1, max = REASON_BYTES_MAX))]
    reason: String,
}

/// Why something is taken back, if the operator says so.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ClearRequest", example = json!({ "reason": "it is over" }))]
pub(in crate::admin) struct WhyNot {
    /// Why, for the audit log; may be empty.
    #[serde(default)]
    #[schemars(length(max = REASON_BYTES_MAX))]
    pub(in crate::admin) reason: String,
}

pub(super) async fn limit(
    State(admin): State<Arc<Admin>>,
    Subject(user): Subject,
    By(by): By,
    Details(request): Details<LimitRequest>,
) -> Result<Json<LeverAnswer>, Refusal> {
    let order = order(by, request.reason, request.for_s);
    let managers = request.managers;
    let of = user.clone();
    let done = reach::set(&admin, move |levers| levers.limit(&of, managers, order));
    Ok(answer(&user, done.await?))
}

pub(super) async fn clear_limit(
    State(admin): State<Arc<Admin>>,
    Subject(user): Subject,
    By(by): By,
    Details(WhyNot { reason }): Details<WhyNot>,
) -> Result<Json<LeverAnswer>, Refusal> {
    let order = order(by, reason, None);
    let of = user.clone();
    let done = reach::lift(&admin, move |levers| levers.clear_limit(&of, order));
    Ok(answer(&user, done.await?))
}

pub(super) async fn block(
    State(admin): State<Arc<Admin>>,
    Subject(user): Subject,
    By(by): By,
    Details(request): Details<BlockRequest>,
) -> Result<Json<LeverAnswer>, Refusal> {
    let order = order(by, request.reason, request.for_s);
    let of = user.clone();
    let done = reach::set(&admin, move |levers| levers.block(&of, order));
    Ok(answer(&user, done.await?))
}

pub(super) async fn unblock(
    State(admin): State<Arc<Admin>>,
    Subject(user): Subject,
    By(by): By,
    Details(WhyNot { reason }): Details<WhyNot>,
) -> Result<Json<LeverAnswer>, Refusal> {
    let order = order(by, reason, None);
    let of = user.clone();
    let done = reach::lift(&admin, move |levers| levers.unblock(&of, order));
    Ok(answer(&user, done.await?))
}

pub(super) async fn evict(
    State(admin): State<Arc<Admin>>,
    Subject(user): Subject,
    By(by): By,
    Details(Why { reason }): Details<Why>,
) -> Result<Json<EvictedAnswer>, Refusal> {
    let (order, levers) = (order(by, reason, None), admin.levers.clone());
    let (name, subject) = (user.to_string(), user);
    let evicted = blocking(move || levers.evict(&subject, order)).await?;
    let user = name;
    Ok(Json(EvictedAnswer { user, evicted }))
}

/// What an operator says with a lever.
pub(in crate::admin) fn order(by: Actor, reason: String, for_s: Option<u64>) -> LeverOrder {
    LeverOrder {
        by,
        reason,
        lasting: for_s.map(Duration::from_secs),
    }
}

fn answer(user: &UserId, (change, reach): (LeverChange, LeverReach)) -> Json<LeverAnswer> {
    Json(LeverAnswer {
        user: user.to_string(),
        changed: change.is_new,
        evicted: change.evicted,
        durable: change.is_durable,
        levers: change.levers,
        reach,
    })
}
