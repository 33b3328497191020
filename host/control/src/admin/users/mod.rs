//! Operators' API for users: who holds how much, and levers for one of them.

mod change;
mod list;
mod one;
pub mod views;

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{get, post, put};

pub(super) use self::change::order;
use super::Admin;
use super::policies::refusal::Refusal;
use crate::levers::LeverError;
use wastegate_core::types::UserId;

/// `/v1/users` and the routes below it that are about a whole user.
pub(super) fn routes() -> Router<Arc<Admin>> {
    Router::new()
        .route("/v1/users", get(list::list))
        .route("/v1/users/{user}", get(one::one))
        .route(
            "/v1/users/{user}/limit",
            put(change::limit).delete(change::clear_limit),
        )
        .route("/v1/users/{user}/evict", post(change::evict))
        .route(
            "/v1/users/{user}/block",
            put(change::block).delete(change::unblock),
        )
}

/// The user that a path names.
struct Subject(UserId);

impl FromRequestParts<Arc<Admin>> for Subject {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Self, Refusal> {
        let Path(name) = Path::<String>::from_request_parts(parts, admin)
            .await
            .map_err(|error| Refusal::request(error.body_text()))?;
        let user = UserId::new(&name)
            .map_err(|error| Refusal::not_found(format!("no such user: {error}")))?;
        Ok(Self(user))
    }
}

impl From<LeverError> for Refusal {
    fn from(refused: LeverError) -> Self {
        let message = refused.to_string();
        match refused {
            LeverError::TooMany => Self::new(StatusCode::CONFLICT, "too-many-levers", message),
            LeverError::NoReason
            | LeverError::ReasonTooLong
            | LeverError::Lasting
            | LeverError::Managers { .. } => Self::request(message),
        }
    }
}
