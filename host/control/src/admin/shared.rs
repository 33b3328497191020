//! What ranks on all nodes of the cluster.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Admin;
use super::openapi::Page;
use super::policies::extract::{By, Details};
use super::policies::refusal::Refusal;
use super::routes::Routes;
use crate::rollout::audit::REASON_BYTES_MAX;
use crate::sharing::{SharedSeats, SharedView, Sharing, SharingError};
use wastegate_core::types::chain;

/// What all nodes of the cluster are to rank by, as this node sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SharedPoliciesDto {
    /// The number of the shared document; 0 before anything was shared.
    pub number: u64,
    /// Whether this node ranks by it: not where it refused a policy, or was changed by itself since.
    pub in_step: bool,
    /// Why it does not follow the document, which it tries again; empty if it does.
    pub problem: String,
    /// What it says, and who shared it; null before anything was shared.
    pub shared: Option<SharedSeats>,
}

/// Why what ranks here is to rank everywhere.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "from": 3, "reason": "tried on one node for a week" }))]
struct ShareRequest {
    /// The number of the document that the operator saw: nothing is shared if it is another one by now. Without it, the
    /// one that this node follows.
    from: Option<u64>,
    /// Why, for the audit log and for other operators.
    #[schemars(length(min = 1, max = REASON_BYTES_MAX))]
    reason: String,
}

/// What came of sharing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SharedDto {
    /// The number of the document that is in force now.
    pub number: u64,
}

pub(super) fn routes() -> Routes {
    Routes::of(Page::Policies)
        .get(
            "/v1/cluster/policies",
            "What all nodes of the cluster rank by, and whether this one does.",
            look,
        )
        .refuses(&[StatusCode::NOT_FOUND])
        .put(
            "/v1/cluster/policies",
            "Have all nodes of the cluster rank as this one does now.",
            share,
        )
        .refuses(&[
            StatusCode::NOT_FOUND,
            StatusCode::CONFLICT,
            StatusCode::GONE,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::UNPROCESSABLE_ENTITY,
        ])
}

async fn look(State(admin): State<Arc<Admin>>) -> Result<Json<SharedPoliciesDto>, Refusal> {
    let SharedView {
        followed,
        seats,
        is_in_step,
    } = sharing(&admin)?.view();
    Ok(Json(SharedPoliciesDto {
        number: followed.number,
        in_step: is_in_step && followed.problem.is_empty(),
        problem: followed.problem,
        shared: seats.map(|seats| SharedSeats::clone(&seats)),
    }))
}

async fn share(
    State(admin): State<Arc<Admin>>,
    By(by): By,
    Details(ShareRequest { from, reason }): Details<ShareRequest>,
) -> Result<Json<SharedDto>, Refusal> {
    let sharing = sharing(&admin)?.clone();
    // To its end, whatever becomes of the request: the audit log has what was shared.
    let shared = admin.tasks.spawn(
        "share",
        async move { sharing.share(from, &reason, &by).await },
    );
    let number = shared.await.map_err(|_| Refusal::interrupted())??;
    Ok(Json(SharedDto { number }))
}

fn sharing(admin: &Admin) -> Result<&Arc<Sharing>, Refusal> {
    let none = "this node is in no cluster, so its policies are its own: `cluster.engine` makes it one of several";
    admin
        .sharing
        .as_ref()
        .ok_or_else(|| Refusal::not_found(none))
}

impl From<SharingError> for Refusal {
    fn from(error: SharingError) -> Self {
        let (status, word) = match error {
            SharingError::Rollout(refused) => return refused.into(),
            SharingError::Reason(_) => (StatusCode::UNPROCESSABLE_ENTITY, "request"),
            SharingError::Newer(_) => (StatusCode::CONFLICT, "changed"),
            SharingError::TooLong(_) | SharingError::TooLarge { .. } => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too-large")
            }
            SharingError::Engine(_)
            | SharingError::Unreadable { .. }
            | SharingError::NoFile { .. }
            | SharingError::Refused { .. } => (StatusCode::SERVICE_UNAVAILABLE, "cluster"),
        };
        Self::new(status, word, chain(&error))
    }
}
