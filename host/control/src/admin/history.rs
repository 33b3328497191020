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
    /// Only steps that ended after this, ms since the Unix epoch: `end_unix_ms` of an earlier answer asks for what
    /// came since. Without it, all that are known.
    after_unix_ms: Option<u64>,
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
    let step_ms = whole_ms(past.step);
    let after = query.after_unix_ms;
    let wanted = after.map_or(usize::MAX, |after| {
        steps_between(after, past.end_unix_ms, step_ms)
    });
    let known = |value: f64| (!value.is_nan()).then_some(value);
    let series = past.values.into_iter().map(|(series, values)| {
        let older = values.len().saturating_sub(wanted);
        let values = values.into_iter().skip(older).map(known).collect();
        (series.name().to_owned(), values)
    });
    Json(HistoryView {
        step_ms,
        end_unix_ms: past.end_unix_ms,
        series: series.collect(),
    })
}

/// How many steps there are between two moments, to the nearest: the system's clock may have been set by a little
/// meanwhile.
fn steps_between(after_unix_ms: u64, end_unix_ms: u64, step_ms: u64) -> usize {
    let between = end_unix_ms.saturating_sub(after_unix_ms);
    let steps = between.saturating_add(step_ms / 2) / step_ms.max(1);
    usize::try_from(steps).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::steps_between;

    #[test]
    fn what_came_since_an_answer_is_counted_in_whole_steps() {
        assert_eq!(steps_between(10_000, 10_000, 1_000), 0);
        assert_eq!(steps_between(10_000, 13_000, 1_000), 3);
        // The clock was set by a little.
        assert_eq!(steps_between(10_003, 13_000, 1_000), 3);
        assert_eq!(steps_between(9_997, 13_000, 1_000), 3);
        // A moment that is still to come, and one before everything.
        assert_eq!(steps_between(20_000, 13_000, 1_000), 0);
        assert_eq!(steps_between(0, 13_000, 1_000), 13);
    }
}
