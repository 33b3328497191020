//! Levers of the node as a whole. Each says why, and is in the audit log.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::openapi::Page;
use super::policies::extract::{By, Details};
use super::policies::refusal::Refusal;
use super::routes::Routes;
use super::users::{LEVER_REFUSED, WhyNot, order};
use super::{Admin, blocking};
use crate::levers::{
    Disconnecting, LASTING_MAX, LeverChange, LeverTerms, PER_S_MAX, REASON_BYTES_MAX,
};

/// Why the node is drained, and for how long.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "for_s": 3_600, "reason": "a new kernel" }))]
struct DrainRequest {
    /// For how long, s; until it is taken back where it is not said.
    #[schemars(range(min = 1, max = LASTING_MAX.as_secs()))]
    for_s: Option<u64>,
    /// Why, for the audit log and for other operators.
    #[schemars(length(min = 1, max = REASON_BYTES_MAX))]
    reason: String,
}

/// Why all clients connect again, and how fast.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "per_s": 50, "reason": "a new node to balance on" }))]
struct DisconnectRequest {
    /// How many connections are closed in a second.
    #[schemars(range(min = 1, max = PER_S_MAX))]
    per_s: u32,
    /// Why, for the audit log and for other operators.
    #[schemars(length(min = 1, max = REASON_BYTES_MAX))]
    reason: String,
}

/// What a change of the drain came to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DrainAnswer {
    /// Whether it changed anything: false where the node was not drained.
    pub changed: bool,
    /// Whether it survives a restart. False without a state directory, or where its disk is full.
    pub durable: bool,
    /// Who drains the node now, why, and until when; null if nobody does.
    pub drain: Option<LeverTerms>,
}

/// What is being closed now.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DisconnectAnswer {
    /// Whether it changed anything: false where nothing was being closed.
    pub changed: bool,
    /// What is being closed; null where nothing is.
    pub disconnecting: Option<Disconnecting>,
}

impl From<LeverChange<Option<LeverTerms>>> for DrainAnswer {
    fn from(change: LeverChange<Option<LeverTerms>>) -> Self {
        Self {
            changed: change.is_new,
            durable: change.is_durable,
            drain: change.levers,
        }
    }
}

/// The routes of levers of the node.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Server)
        .put(
            "/v1/node/drain",
            "Take no new connections until that is taken back; those that are open stay.",
            drain,
        )
        .refuses(LEVER_REFUSED)
        .delete("/v1/node/drain", "Take new connections again.", undrain)
        .refuses(LEVER_REFUSED)
        .put(
            "/v1/node/disconnect",
            "Close the connections that are open now, so many a second, so that their clients connect again.",
            disconnect,
        )
        .refuses(LEVER_REFUSED)
        .delete(
            "/v1/node/disconnect",
            "Close no more of them.",
            stop_disconnect,
        )
        .refuses(LEVER_REFUSED)
}

async fn drain(
    State(admin): State<Arc<Admin>>,
    By(by): By,
    Details(request): Details<DrainRequest>,
) -> Result<Json<DrainAnswer>, Refusal> {
    let order = order(by, request.reason, request.for_s);
    let levers = admin.levers.clone();
    let change = blocking(move || levers.drain(order)).await?;
    Ok(Json(change.into()))
}

async fn undrain(
    State(admin): State<Arc<Admin>>,
    By(by): By,
    Details(WhyNot { reason }): Details<WhyNot>,
) -> Result<Json<DrainAnswer>, Refusal> {
    let order = order(by, reason, None);
    let levers = admin.levers.clone();
    let change = blocking(move || levers.undrain(order)).await?;
    Ok(Json(change.into()))
}

async fn disconnect(
    State(admin): State<Arc<Admin>>,
    By(by): By,
    Details(DisconnectRequest { per_s, reason }): Details<DisconnectRequest>,
) -> Result<Json<DisconnectAnswer>, Refusal> {
    let order = order(by, reason, None);
    let levers = admin.levers.clone();
    let begun = blocking(move || levers.disconnect(per_s, order)).await?;
    Ok(Json(DisconnectAnswer {
        changed: true,
        disconnecting: Some(begun),
    }))
}

async fn stop_disconnect(
    State(admin): State<Arc<Admin>>,
    By(by): By,
    Details(WhyNot { reason }): Details<WhyNot>,
) -> Result<Json<DisconnectAnswer>, Refusal> {
    let order = order(by, reason, None);
    let levers = admin.levers.clone();
    let left = blocking(move || levers.stop_disconnect(order)).await?;
    Ok(Json(DisconnectAnswer {
        changed: left.is_some(),
        disconnecting: None,
    }))
}
