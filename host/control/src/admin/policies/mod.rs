//! Operators' API for policies: what there is, what was done, and every change.
//!
//! Who may ask here may activate any policy, within the sandbox's limits: that is for `admin::token`
//! to say, and nothing here authenticates anybody. Every refusal is a JSON object of `error`, a word for programs, and
//! `message`, a sentence with a remedy.

mod change;
pub(super) mod extract;
mod look;
pub(super) mod refusal;
pub mod views;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::Admin;

/// The header in which a client says who it is, for the audit log.
pub const ACTOR_HEADER: &str = "wastegate-actor";
/// The header with the signature of an uploaded file: the base64 of its `.minisig` file.
pub const SIGNATURE_HEADER: &str = "wastegate-signature";

/// `/v1/policies`, `/v1/revisions`, `/v1/audit` and the routes below them.
pub(super) fn routes() -> Router<Arc<Admin>> {
    Router::new()
        .route("/v1/policies", get(look::list))
        .route(
            "/v1/policies/{name}",
            get(look::history).put(change::upload).patch(change::set),
        )
        .route("/v1/policies/{name}/activate", post(change::activate))
        .route("/v1/policies/{name}/pull", post(change::pull))
        .route("/v1/policies/rollback", post(change::rollback))
        .route("/v1/policies/disable", post(change::disable))
        .route("/v1/revisions/{revision}", get(look::revision))
        .route("/v1/revisions/{revision}/wasm", get(look::wasm))
        .route("/v1/revisions/{revision}/faults", get(look::faults))
        .route("/v1/revisions/{revision}/faults/{number}", get(look::fault))
        .route("/v1/revisions/{revision}/log", get(look::log))
        .route("/v1/audit", get(look::audit))
}
