//! Operators' API for users: who holds how much, and levers for one of them.

mod change;
mod list;
mod one;
pub mod views;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

pub(super) use self::change::{WhyNot, order};
use super::Admin;
use super::openapi::{Operation, OperationInput, Page, Schemas};
use super::policies::extract::InPath;
use super::policies::refusal::Refusal;
use super::routes::Routes;
use crate::levers::LeverError;
use wastegate_core::types::UserId;

/// How a lever may be refused; see [`LeverError`].
pub(super) const LEVER_REFUSED: &[StatusCode] =
    &[StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY];

/// `/v1/users` and the routes below it that are about a whole user.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Users)
        .get(
            "/v1/users",
            "Users who hold managers or have a lever set, a page at a time.",
            list::list,
        )
        .refuses(&[StatusCode::UNPROCESSABLE_ENTITY])
        .get(
            "/v1/users/{user}",
            "One user, with every signal of its managers.",
            one::one,
        )
        .put(
            "/v1/users/{user}/limit",
            "Set a user's limit, for a time or until it is taken back.",
            change::limit,
        )
        .refuses(LEVER_REFUSED)
        .delete(
            "/v1/users/{user}/limit",
            "Take back a user's limit.",
            change::clear_limit,
        )
        .refuses(LEVER_REFUSED)
        .post(
            "/v1/users/{user}/evict",
            "Evict all managers of a user.",
            change::evict,
        )
        .refuses(LEVER_REFUSED)
        .put(
            "/v1/users/{user}/block",
            "Close a user's connections and refuse new ones.",
            change::block,
        )
        .refuses(LEVER_REFUSED)
        .delete(
            "/v1/users/{user}/block",
            "Let a user in again.",
            change::unblock,
        )
        .refuses(LEVER_REFUSED)
}

/// The user that a path names.
pub(super) struct Subject(pub(super) UserId);

impl OperationInput for Subject {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.refuses(&[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND]);
    }
}

impl FromRequestParts<Arc<Admin>> for Subject {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Self, Refusal> {
        let InPath(name) = InPath::<String>::from_request_parts(parts, admin).await?;
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
            LeverError::Pin(_) => Self::new(StatusCode::CONFLICT, "not-pinned", message),
            LeverError::NoReason
            | LeverError::ReasonTooLong
            | LeverError::Lasting
            | LeverError::PinLasting
            | LeverError::Rate
            | LeverError::Managers { .. }
            | LeverError::TokenId
            | LeverError::BeforeOfOne
            | LeverError::Ahead => Self::unusable(message),
        }
    }
}
