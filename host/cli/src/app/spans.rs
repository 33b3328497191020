//! Spans: made by the gateway, sent by the exporter.

use std::sync::Arc;
use std::time::Duration;

use super::error::AppError;
use wastegate::embed::Embedded;
use wastegate::gateway::close;
use wastegate::observe::Pseudonymizer;
use wastegate::observe::metrics::MetricsRegistry;
use wastegate::observe::spans::{Spans, SpansParts};
use wastegate_control::otlp;

pub(super) use wastegate_control::otlp::Exporter;

/// How long a stop waits at the most for the collector.
const SENT_WITHIN_MAX: Duration = Duration::from_secs(5);

/// Has a gateway make spans, if there is a collector for them: by this name of the node, with users as they are named
/// in journals.
pub(super) fn export(
    config: otlp::Config,
    (node, pseudonyms): (&str, &Pseudonymizer),
    embedded: &Embedded,
    metrics: &mut MetricsRegistry,
) -> Result<Option<Arc<Exporter>>, AppError> {
    let counts = otlp::Metrics::default();
    counts.register(metrics.room("otlp"));
    let clock = embedded.clock.clone();
    let (ratio, parents) = (config.ratio, config.parents);
    let exporter = Exporter::new(config, node, clock.clone(), counts);
    let Some(exporter) = exporter.map_err(AppError::Otlp)? else {
        return Ok(None);
    };
    let spans = Spans::new(SpansParts {
        sink: exporter.clone(),
        clock,
        pseudonyms: pseudonyms.clone(),
        ratio,
        parents,
        close_code: |reason| close::code(reason).0,
        seed: getrandom::u64().map_err(AppError::Random)?,
    });
    embedded.gateway.traced_by(spans.clone());
    embedded.cleaner.traced_by(spans);
    Ok(Some(exporter))
}

/// Sends what is left at a stop. What a collector does not take soon is dropped.
pub(super) async fn send_rest(exporter: Option<&Exporter>) {
    let Some(exporter) = exporter else {
        return;
    };
    let within = exporter.timeout().min(SENT_WITHIN_MAX);
    if tokio::time::timeout(within, exporter.flush())
        .await
        .is_err()
    {
        tracing::warn!("the collector of `otlp.endpoint` did not take all spans before the end");
        exporter.give_up();
    }
}
