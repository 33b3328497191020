//! The routes that only look.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::extract::{Asked, InPath, Named, revision as id};
use super::refusal::Refusal;
use super::views::{AuditDto, FaultDto, ListDto, LogDto, PolicyDto, RevisionDto};
use crate::admin::Admin;
use crate::admin::openapi::{Download, Media, Wasm};
use crate::rollout::audit::RECENT_MAX;
use wastegate_engine::policy::TestCase;

pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Json<ListDto> {
    Json(ListDto::from(&admin.rollout.status()))
}

pub(super) async fn history(
    State(admin): State<Arc<Admin>>,
    Named(name): Named,
) -> Result<Json<PolicyDto>, Refusal> {
    let view = admin.rollout.history(&name)?;
    Ok(Json(PolicyDto::from(&view)))
}

pub(super) async fn revision(
    State(admin): State<Arc<Admin>>,
    InPath(revision): InPath<String>,
) -> Result<Json<RevisionDto>, Refusal> {
    let view = admin.rollout.revision(id(&revision)?)?;
    Ok(Json(RevisionDto::from(&view)))
}

pub(super) async fn wasm(
    State(admin): State<Arc<Admin>>,
    InPath(revision): InPath<String>,
) -> Result<Download<Media<Wasm>>, Refusal> {
    let id = id(&revision)?;
    let name = admin.rollout.revision(id)?.revision.name;
    let bytes = admin.rollout.bytes(id).await?;
    Ok(Download {
        name: format!("{name}-{id}.wasm"),
        content: Media::new(bytes.to_vec()),
    })
}

pub(super) async fn faults(
    State(admin): State<Arc<Admin>>,
    InPath(revision): InPath<String>,
) -> Result<Json<Vec<FaultDto>>, Refusal> {
    let id = id(&revision)?;
    let cases = admin.rollout.faults(id)?;
    let numbered = cases.iter().enumerate().map(|(at, case)| FaultDto {
        number: at + 1,
        fault: case.fault.clone(),
        tier: case.tier,
        scope: case.scope,
        rows: case.rows,
        href: format!("/v1/revisions/{}/faults/{}", id.get(), at + 1),
    });
    Ok(Json(numbered.collect()))
}

pub(super) async fn fault(
    State(admin): State<Arc<Admin>>,
    InPath((revision, number)): InPath<(String, String)>,
) -> Result<Download<Json<Arc<TestCase>>>, Refusal> {
    let id = id(&revision)?;
    let cases = admin.rollout.faults(id)?;
    let at = number
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_sub(1));
    let Some(case) = at.and_then(|at| cases.get(at)) else {
        return Err(Refusal::not_found(format!(
            "there is no fault {number} of {id}: {} are kept, and 1 is the newest",
            cases.len()
        )));
    };
    Ok(Download {
        name: format!("{id}-fault-{number}.json"),
        content: Json(case.clone()),
    })
}

pub(super) async fn log(
    State(admin): State<Arc<Admin>>,
    InPath(revision): InPath<String>,
) -> Result<Json<LogDto>, Refusal> {
    let recent = admin.rollout.log(id(&revision)?)?;
    Ok(Json(LogDto::from(recent)))
}

/// Which entries are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Window {
    /// Those with a higher number.
    #[serde(default)]
    after: u64,
    /// At most so many, the last ones; 1,024 where it is not said, and never more.
    max: Option<usize>,
}

pub(super) async fn audit(
    State(admin): State<Arc<Admin>>,
    Asked(window): Asked<Window>,
) -> Json<AuditDto> {
    let max = window.max.unwrap_or(RECENT_MAX).min(RECENT_MAX);
    let entries = admin.rollout.audit().recent(window.after, max);
    Json(AuditDto { entries })
}
