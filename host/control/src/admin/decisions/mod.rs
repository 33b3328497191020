//! The last decisions, and what another policy would have done: `GET /v1/decisions` and below.

mod ask;
mod views;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

pub use self::ask::AskTurns;
use self::views::{DecisionAnswer, DecisionLine, DecisionPage};
use super::Admin;
use super::openapi::Page;
use super::policies;
use super::policies::extract::{Asked, InPath};
use super::policies::refusal::Refusal;
use super::routes::Routes;
use wastegate::cleanup::Decided;
use wastegate_core::types::{DecisionId, UserId};

/// Decisions of a page where the request does not say.
const PAGE: usize = 50;
/// Decisions of a page at the most.
const PAGE_MAX: usize = 200;

/// Every route about decisions.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Decisions)
        .get(
            "/v1/decisions",
            "The last decisions in memory, newest first.",
            list,
        )
        .refuses(&[StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY])
        .get(
            "/v1/decisions/{id}",
            "One decision: the table as the policy saw it, its ranking, and what came of it.",
            one,
        )
        .refuses(&[StatusCode::NOT_FOUND])
        .post(
            "/v1/decisions/{id}/ask",
            "What another policy, or other parameters, would have ranked. Changes nothing.",
            ask::ask,
        )
        .refuses(policies::REFUSED)
}

/// Which decisions are asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Only those about this user's managers.
    #[schemars(length(min = 1, max = 256), example = &"ann")]
    user: Option<String>,
    /// Only those that were made before this one.
    before: Option<u64>,
    /// How many; 50 where it is not said.
    #[schemars(range(min = 1, max = PAGE_MAX))]
    limit: Option<usize>,
}

async fn list(
    State(admin): State<Arc<Admin>>,
    Asked(query): Asked<ListQuery>,
) -> Result<Json<DecisionPage>, Refusal> {
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Refusal::request(format!(
            "`limit` is {limit}: give 1 to {PAGE_MAX}"
        )));
    }
    let user = query.user.as_deref().map(UserId::new).transpose();
    let user = user.map_err(|error| Refusal::unusable(format!("`user` names no user: {error}")))?;
    let before = query.before.map(|before| kept(&admin, &before.to_string()));
    let before = before.transpose()?.map(|before| before.question.decision);
    // One more than asked for says whether there is a next page.
    let mut found = admin.why.decisions().last(user.as_ref(), before, limit + 1);
    let is_more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| is_more);
    Ok(Json(DecisionPage {
        next_before: last.map(|decided| decided.question.decision.raw()),
        decisions: found
            .iter()
            .map(|decided| DecisionLine::of(decided, &admin.clock))
            .collect(),
    }))
}

async fn one(
    State(admin): State<Arc<Admin>>,
    InPath(id): InPath<String>,
) -> Result<Json<DecisionAnswer>, Refusal> {
    let decided = kept(&admin, &id)?;
    Ok(Json(DecisionAnswer::of(&decided, &admin.clock)))
}

/// The decision that a path names.
fn kept(admin: &Admin, id: &str) -> Result<Arc<Decided>, Refusal> {
    let number: u64 = id.parse().map_err(|_| {
        Refusal::request(format!(
            "`{id}` is no number of a decision: give one as `GET /v1/decisions` has it"
        ))
    })?;
    let decided = admin.why.decisions().get(DecisionId::from_raw(number));
    decided.ok_or_else(|| {
        Refusal::not_found(format!(
            "decision {number} is not in memory: the last {} of this process are kept; `observe.decisions.file` keeps all",
            crate::why::DECISIONS_MAX
        ))
    })
}
