//! Why was a client disconnected: `GET /v1/why`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::api::Admin;
use super::openapi::Page;
use super::policies::extract::Asked;
use super::policies::refusal::Refusal;
use super::routes::Routes;
use crate::why::{Timeline, When};
use wastegate_core::types::{ConnectionRef, ManagerKey, UserId};

/// What is asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WhyQuery {
    /// Whose connection; not needed with a reference.
    #[schemars(length(min = 1, max = 256), example = &"ann")]
    user: Option<String>,
    /// The reference in a close reason: the end of that connection.
    #[schemars(length(equal = 6), example = &"7K2M9Q")]
    reference: Option<String>,
    /// Of which of the user's managers; without it of any.
    #[schemars(length(min = 1, max = 256), example = &"chat-1")]
    key: Option<String>,
    /// About when, ms since the Unix epoch; without it the last end.
    at_ms: Option<u64>,
}

/// The routes of this question.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Why)
        .get("/v1/why", "Why a client was disconnected or refused.", why)
        .refuses(&[StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY])
}

async fn why(
    State(admin): State<Arc<Admin>>,
    Asked(query): Asked<WhyQuery>,
) -> Result<Json<Timeline>, Refusal> {
    let wrong = |name: &str, error: &dyn std::fmt::Display| {
        Refusal::unusable(format!("`{name}` names none: {error}"))
    };
    if let Some(reference) = &query.reference {
        let reference: ConnectionRef = reference
            .parse()
            .map_err(|error| wrong("reference", &error))?;
        let timeline = admin.why.of_connection(reference);
        return timeline.map(Json).ok_or_else(|| {
            Refusal::not_found(format!(
                "nothing is remembered of a connection {reference}: it ended over an hour ago, or at another node or process"
            ))
        });
    }
    let user = query
        .user
        .as_deref()
        .ok_or_else(|| Refusal::unusable("give `user`, or the `reference` of a close reason"))?;
    let user = UserId::new(user).map_err(|error| wrong("user", &error))?;
    let key = query.key.as_deref().map(ManagerKey::new).transpose();
    let key = key.map_err(|error| wrong("key", &error))?;
    let when = query.at_ms.map_or(When::Last, When::At);
    Ok(Json(admin.why.of(&user, key.as_ref(), when)))
}
