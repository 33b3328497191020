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

use axum::http::StatusCode;

use super::openapi::Page;
use super::routes::Routes;

/// The header in which a client says who it is, for the audit log.
pub const ACTOR_HEADER: &str = "wastegate-actor";
/// The header with the signature of an uploaded file: the base64 of its `.minisig` file.
pub const SIGNATURE_HEADER: &str = "wastegate-signature";

/// How a change of policies may be refused, and a question to one: see `refusal`.
pub(super) const REFUSED: &[StatusCode] = &[
    StatusCode::NOT_FOUND,
    StatusCode::CONFLICT,
    StatusCode::GONE,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNPROCESSABLE_ENTITY,
    StatusCode::INSUFFICIENT_STORAGE,
];

/// `/v1/policies`, `/v1/revisions`, `/v1/audit` and the routes below them.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Policies)
        .get(
            "/v1/policies",
            "Which policy is active at each tier, and every revision.",
            look::list,
        )
        .get(
            "/v1/policies/{name}",
            "One policy: its revisions and parameters.",
            look::history,
        )
        .refuses(&[StatusCode::NOT_FOUND])
        .put(
            "/v1/policies/{name}",
            "Take a policy's file, and activate it if asked.",
            change::upload,
        )
        .refuses(REFUSED)
        .patch(
            "/v1/policies/{name}",
            "Change parameters and limits of a policy.",
            change::set,
        )
        .refuses(REFUSED)
        .post(
            "/v1/policies/{name}/activate",
            "Make a policy active, at all tiers or at one.",
            change::activate,
        )
        .refuses(REFUSED)
        .post(
            "/v1/policies/{name}/pull",
            "Bring a policy from a registry.",
            change::pull,
        )
        .refuses(REFUSED)
        .refuses(&[StatusCode::BAD_GATEWAY])
        .post(
            "/v1/policies/rollback",
            "Put back what was active before.",
            change::rollback,
        )
        .refuses(REFUSED)
        .post(
            "/v1/policies/disable",
            "Let the built-in ranking answer.",
            change::disable,
        )
        .refuses(REFUSED)
        .get("/v1/revisions/{revision}", "One revision.", look::revision)
        .refuses(&[StatusCode::NOT_FOUND])
        .get(
            "/v1/revisions/{revision}/wasm",
            "The bytes of a revision.",
            look::wasm,
        )
        .refuses(&[StatusCode::NOT_FOUND, StatusCode::GONE])
        .get(
            "/v1/revisions/{revision}/faults",
            "On what a revision failed lately.",
            look::faults,
        )
        .refuses(&[StatusCode::NOT_FOUND])
        .get(
            "/v1/revisions/{revision}/faults/{number}",
            "One of these faults, as a test case.",
            look::fault,
        )
        .refuses(&[StatusCode::NOT_FOUND])
        .get(
            "/v1/revisions/{revision}/log",
            "What a revision wrote to its log lately.",
            look::log,
        )
        .refuses(&[StatusCode::NOT_FOUND])
        .get("/v1/audit", "Who changed what, when and why.", look::audit)
}
