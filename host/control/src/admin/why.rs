//! Why was a client disconnected: `GET /v1/why`.

use std::sync::Arc;

use axum::Json;
use serde::Deserialize;

use super::api::Admin;
use super::policies::extract::Asked;
use super::policies::refusal::Refusal;
use super::routes::Routes;
use crate::why::{Timeline, When};
use axum::extract::State;
use wastegate_core::types::{ManagerKey, UserId};

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WhyQuery {
    /// Whose connection.
    user: String,
    /// Of which of the user's managers; without it of any.
    key: Option<String>,
    /// About when, ms since the Unix epoch; without it the last end.
    at_ms: Option<u64>,
}

/// The routes of this question.
pub(super) fn routes() -> Routes {
    Routes::default().get("/v1/why", "Why a client was disconnected or refused.", why)
}

async fn why(
    State(admin): State<Arc<Admin>>,
    Asked(query): Asked<WhyQuery>,
) -> Result<Json<Timeline>, Refusal> {
    let wrong = |name: &str, error: &dyn std::fmt::Display| {
        Refusal::request(format!("`{name}` names none: {error}"))
    };
    let user = UserId::new(&query.user).map_err(|error| wrong("user", &error))?;
    let key = query.key.as_deref().map(ManagerKey::new).transpose();
    let key = key.map_err(|error| wrong("key", &error))?;
    let when = query.at_ms.map_or(When::Last, When::At);
    Ok(Json(admin.why.of(&user, key.as_ref(), when)))
}
