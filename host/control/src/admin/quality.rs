//! What came of evictions and admissions: `GET /v1/quality`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::api::Admin;
use super::openapi::Page;
use super::routes::Routes;
use crate::quality::report::{self, QualityReport};

/// The answer to `GET /v1/quality`.
#[derive(Debug, Serialize, JsonSchema)]
struct QualityView {
    /// What keys of the report mean.
    definitions: BTreeMap<&'static str, String>,
    /// Everything since the start.
    since_start: QualityReport,
}

/// The route of the report.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Quality).get(
        "/v1/quality",
        "What came of evictions and admissions since the start.",
        quality,
    )
}

async fn quality(State(admin): State<Arc<Admin>>) -> Json<QualityView> {
    Json(QualityView {
        definitions: report::definitions(),
        since_start: admin.quality.report(admin.clock.now()),
    })
}
