//! Operators' API for experiments: what is compared, what came out, and every change.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::Admin;
use super::openapi::{Created, Csv, Html, Media, Page};
use super::policies::extract::{By, Details, InPath};
use super::policies::refusal::Refusal;
use super::routes::Routes;
use crate::experiment::page;
use crate::experiment::service::{ExperimentList, ExperimentView, RenewAnswer};
use crate::experiment::{Definition, ExperimentError, Experiments};

/// How a change of experiments may be refused; see the errors below.
const CHANGE_REFUSED: &[StatusCode] = &[
    StatusCode::NOT_FOUND,
    StatusCode::CONFLICT,
    StatusCode::UNPROCESSABLE_ENTITY,
    StatusCode::INSUFFICIENT_STORAGE,
];

/// `/v1/experiments` and the routes below it.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Experiments)
        .get("/v1/experiments", "Every experiment with its state.", list)
        .post("/v1/experiments", "Start an experiment.", start)
        .refuses(CHANGE_REFUSED)
        .get(
            "/v1/experiments/{name}",
            "One experiment: its arms, numbers and verdict.",
            one,
        )
        .refuses(&[StatusCode::NOT_FOUND])
        .post("/v1/experiments/{name}/cover", "Take in more users.", cover)
        .refuses(CHANGE_REFUSED)
        .post("/v1/experiments/{name}/stop", "Stop an experiment.", stop)
        .refuses(CHANGE_REFUSED)
        .post(
            "/v1/experiments/{name}/renew",
            "Let its arms take the newest revisions.",
            renew,
        )
        .refuses(CHANGE_REFUSED)
        .get(
            "/v1/experiments/{name}/report",
            "Its report as a page.",
            report,
        )
        .refuses(&[StatusCode::NOT_FOUND])
        .get(
            "/v1/experiments/{name}/export",
            "Its numbers as CSV.",
            export,
        )
        .refuses(&[StatusCode::NOT_FOUND])
}

/// How many more users take part.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CoverRequest", example = json!({ "coverage": 0.5 }))]
struct Cover {
    /// The share of users who take part, in (0, 1], more than now.
    #[schemars(range(min = 0, max = 1))]
    coverage: f64,
}

/// Why it is stopped.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StopRequest", example = json!({ "reason": "decided" }))]
struct Stop {
    /// Why, for the audit log; may be empty.
    #[serde(default)]
    reason: String,
}

async fn list(State(admin): State<Arc<Admin>>) -> Result<Json<ExperimentList>, Refusal> {
    let views = blocking(&admin, |experiments| Ok(experiments.views())).await?;
    Ok(Json(ExperimentList { experiments: views }))
}

async fn one(
    State(admin): State<Arc<Admin>>,
    InPath(name): InPath<String>,
) -> Result<Json<ExperimentView>, Refusal> {
    let view = blocking(&admin, move |experiments| experiments.view(&name)).await?;
    Ok(Json(view))
}

async fn start(
    State(admin): State<Arc<Admin>>,
    By(by): By,
    Details(definition): Details<Definition>,
) -> Result<Created<ExperimentView>, Refusal> {
    let view = blocking(&admin, move |experiments| {
        let name = definition.name.clone();
        experiments.start(definition, by.as_str())?;
        experiments.view(&name)
    });
    Ok(Created(view.await?))
}

async fn cover(
    State(admin): State<Arc<Admin>>,
    InPath(name): InPath<String>,
    By(by): By,
    Details(Cover { coverage }): Details<Cover>,
) -> Result<Json<ExperimentView>, Refusal> {
    let view = blocking(&admin, move |experiments| {
        experiments.cover(&name, coverage, by.as_str())?;
        experiments.view(&name)
    });
    Ok(Json(view.await?))
}

async fn stop(
    State(admin): State<Arc<Admin>>,
    InPath(name): InPath<String>,
    By(by): By,
    Details(Stop { reason }): Details<Stop>,
) -> Result<Json<ExperimentView>, Refusal> {
    let view = blocking(&admin, move |experiments| {
        experiments.stop(&name, by.as_str(), &reason)?;
        experiments.view(&name)
    });
    Ok(Json(view.await?))
}

async fn renew(
    State(admin): State<Arc<Admin>>,
    InPath(name): InPath<String>,
    By(by): By,
) -> Result<Json<RenewAnswer>, Refusal> {
    let answer = blocking(&admin, move |experiments| {
        let renewed = experiments.renew(&name, by.as_str())?;
        let experiment = experiments.view(&name)?;
        Ok(RenewAnswer {
            experiment,
            renewed,
        })
    });
    Ok(Json(answer.await?))
}

async fn report(
    State(admin): State<Arc<Admin>>,
    InPath(name): InPath<String>,
) -> Result<Media<Html>, Refusal> {
    let html = blocking(&admin, move |experiments| {
        Ok(page::html(&experiments.view(&name)?))
    });
    Ok(Media::new(html.await?))
}

async fn export(
    State(admin): State<Arc<Admin>>,
    InPath(name): InPath<String>,
) -> Result<Media<Csv>, Refusal> {
    let csv = blocking(&admin, move |experiments| experiments.export(&name));
    Ok(Media::new(csv.await?))
}

impl From<ExperimentError> for Refusal {
    fn from(refused: ExperimentError) -> Self {
        let status = match &refused {
            ExperimentError::Invalid(_) | ExperimentError::Arm { .. } => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            ExperimentError::NoSuch(_) => StatusCode::NOT_FOUND,
            ExperimentError::Ledger(_) => StatusCode::INSUFFICIENT_STORAGE,
            // It lasts until an operator stops one, so trying again later is no remedy.
            ExperimentError::TooMany
            | ExperimentError::Exists(_)
            | ExperimentError::Overlaps { .. }
            | ExperimentError::HoldoutFirst { .. }
            | ExperimentError::Over(_)
            | ExperimentError::Coverage { .. } => StatusCode::CONFLICT,
        };
        Self::new(status, refused.word(), refused.to_string())
    }
}

/// Runs what compiles, waits for a disk or reads all users on a thread for blocking work.
async fn blocking<T: Send + 'static>(
    admin: &Admin,
    work: impl FnOnce(&Experiments) -> Result<T, ExperimentError> + Send + 'static,
) -> Result<T, Refusal> {
    let experiments = admin.experiments.clone();
    super::blocking(move || work(&experiments)).await
}
