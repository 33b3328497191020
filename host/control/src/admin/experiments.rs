//! Operators' API for experiments: what is compared, what came out, and every change.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::Admin;
use super::policies::extract::{By, Details, InPath};
use super::policies::refusal::Refusal;
use super::routes::Routes;
use crate::experiment::page;
use crate::experiment::service::{ExperimentList, ExperimentView};
use crate::experiment::{Definition, ExperimentError, Experiments};

/// `/v1/experiments` and the routes below it.
pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/v1/experiments", "Every experiment with its state.", list)
        .post("/v1/experiments", "Start an experiment.", start)
        .get(
            "/v1/experiments/{name}",
            "One experiment: its arms, numbers and verdict.",
            one,
        )
        .post("/v1/experiments/{name}/cover", "Take in more users.", cover)
        .post("/v1/experiments/{name}/stop", "Stop an experiment.", stop)
        .post(
            "/v1/experiments/{name}/renew",
            "Let its arms take the newest revisions.",
            renew,
        )
        .get(
            "/v1/experiments/{name}/report",
            "Its report as a page.",
            report,
        )
        .get(
            "/v1/experiments/{name}/export",
            "Its numbers as CSV.",
            export,
        )
}

/// How many more users take part.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cover {
    coverage: f64,
}

/// Why it is stopped.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stop {
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
) -> Result<Response, Refusal> {
    let view = blocking(&admin, move |experiments| {
        let name = definition.name.clone();
        experiments.start(definition, by.as_str())?;
        experiments.view(&name)
    });
    Ok((StatusCode::CREATED, Json(view.await?)).into_response())
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
) -> Result<Json<ExperimentView>, Refusal> {
    let view = blocking(&admin, move |experiments| {
        experiments.renew(&name, by.as_str())?;
        experiments.view(&name)
    });
    Ok(Json(view.await?))
}

async fn report(
    State(admin): State<Arc<Admin>>,
    InPath(name): InPath<String>,
) -> Result<Response, Refusal> {
    let html = blocking(&admin, move |experiments| {
        Ok(page::html(&experiments.view(&name)?))
    });
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    Ok((kind, html.await?).into_response())
}

async fn export(
    State(admin): State<Arc<Admin>>,
    InPath(name): InPath<String>,
) -> Result<Response, Refusal> {
    let csv = blocking(&admin, move |experiments| experiments.export(&name));
    let kind = [(header::CONTENT_TYPE, "text/csv; charset=utf-8")];
    Ok((kind, csv.await?).into_response())
}

impl From<ExperimentError> for Refusal {
    fn from(refused: ExperimentError) -> Self {
        let status = match &refused {
            ExperimentError::Invalid(_) | ExperimentError::Arm { .. } => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            ExperimentError::NoSuch(_) => StatusCode::NOT_FOUND,
            ExperimentError::Ledger(_) => StatusCode::INSUFFICIENT_STORAGE,
            ExperimentError::TooMany => StatusCode::SERVICE_UNAVAILABLE,
            ExperimentError::Exists(_)
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
