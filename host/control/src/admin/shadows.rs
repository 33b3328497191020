//! Operators' API for shadows.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Admin;
use super::api::NoDetails;
use super::openapi::{Created, Page};
use super::policies::extract::{By, Details, InPath};
use super::policies::refusal::Refusal;
use super::routes::Routes;
use crate::experiment::Shadows;
use crate::experiment::shadow::{ShadowList, ShadowRefused, ShadowSpec, ShadowView};

/// `/v1/shadows` and the routes below it.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Shadows)
        .get(
            "/v1/shadows",
            "Policies that rank beside the active one.",
            list,
        )
        .post("/v1/shadows", "Start a shadow.", start)
        .refuses(&[
            StatusCode::NOT_FOUND,
            StatusCode::CONFLICT,
            StatusCode::UNPROCESSABLE_ENTITY,
        ])
        .get(
            "/v1/shadows/{name}",
            "One shadow: where it agrees with the active policy.",
            one,
        )
        .refuses(&[StatusCode::NOT_FOUND])
        .post("/v1/shadows/{name}/stop", "Stop a shadow.", stop)
        .refuses(&[StatusCode::NOT_FOUND])
}

async fn list(State(admin): State<Arc<Admin>>) -> Json<ShadowList> {
    Json(ShadowList {
        shadows: admin.shadows.views(),
    })
}

async fn one(
    State(admin): State<Arc<Admin>>,
    InPath(name): InPath<String>,
) -> Result<Json<ShadowView>, Refusal> {
    Ok(Json(admin.shadows.view(&name)?))
}

async fn start(
    State(admin): State<Arc<Admin>>,
    By(by): By,
    Details(spec): Details<ShadowSpec>,
) -> Result<Created<ShadowView>, Refusal> {
    let name = if spec.name.is_empty() {
        spec.policy.clone()
    } else {
        spec.name.clone()
    };
    let view = blocking(&admin, move |shadows| {
        shadows.start(spec, by.as_str())?;
        shadows.view(&name)
    });
    Ok(Created(view.await?))
}

async fn stop(
    State(admin): State<Arc<Admin>>,
    InPath(name): InPath<String>,
    By(by): By,
    Details(_): Details<NoDetails>,
) -> Result<Json<ShadowView>, Refusal> {
    let view = blocking(&admin, move |shadows| shadows.stop(&name, by.as_str()));
    Ok(Json(view.await?))
}

async fn blocking<T: Send + 'static>(
    admin: &Admin,
    work: impl FnOnce(&Shadows) -> Result<T, ShadowRefused> + Send + 'static,
) -> Result<T, Refusal> {
    let shadows = admin.shadows.clone();
    super::blocking(move || work(&shadows)).await
}

impl From<ShadowRefused> for Refusal {
    fn from(refused: ShadowRefused) -> Self {
        let (status, word) = match &refused {
            ShadowRefused::Name(_) | ShadowRefused::Sample(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "definition")
            }
            ShadowRefused::Policy(_) => (StatusCode::UNPROCESSABLE_ENTITY, "policy"),
            ShadowRefused::Exists(_) => (StatusCode::CONFLICT, "exists"),
            // It lasts until an operator stops one, so trying again later is no remedy.
            ShadowRefused::TooMany => (StatusCode::CONFLICT, "busy"),
            ShadowRefused::Thread(_) => (StatusCode::SERVICE_UNAVAILABLE, "threads"),
            ShadowRefused::NoSuch(_) => (StatusCode::NOT_FOUND, "not-found"),
        };
        Self::new(status, word, refused.to_string())
    }
}
