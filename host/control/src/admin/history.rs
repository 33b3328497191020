//! The node over the last minutes and the last day: `GET /v1/history`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::Admin;
use super::openapi::Page;
use super::policies::extract::Asked;
use super::routes::Routes;
use crate::history::Span;
use wastegate_core::types::time::whole_ms;

/// How far back.
#[derive(Debug, Default, Deserialize, JsonSchema)]
enum SpanName {
    /// Ten minutes by the second.
    #[default]
    #[serde(rename = "10m")]
    Minutes,
    /// A day by ten seconds.
    #[serde(rename = "1d")]
    Day,
}

/// What is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    /// How far back.
    #[serde(default)]
    span: SpanName,
}

/// The answer to `GET /v1/history`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HistoryView {
    /// The length of a step, ms.
    pub step_ms: u64,
    /// When the last step ended, ms since the Unix epoch.
    pub end_unix_ms: u64,
    /// Values by series, oldest first; all lists have one length. Null where the value is not known.
    pub series: BTreeMap<String, Vec<Option<f64>>>,
}

/// The route of the past.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Server).get(
        "/v1/history",
        "Gauges and rates of the last ten minutes, or of the last day.",
        history,
    )
}

async fn history(
    State(admin): State<Arc<Admin>>,
    Asked(query): Asked<HistoryQuery>,
) -> Json<HistoryView> {
    let past = admin.history.past(match query.span {
        SpanName::Minutes => Span::Minutes,
        SpanName::Day => Span::Day,
    });
    let known = |value: f64| (!value.is_nan()).then_some(value);
    let series = past.values.into_iter().map(|(series, values)| {
        let values = values.into_iter().map(known).collect();
        (series.name().to_owned(), values)
    });
    Json(HistoryView {
        step_ms: whole_ms(past.step),
        end_unix_ms: past.end_unix_ms,
        series: series.collect(),
    })
}
