//! Which spans were sent, and which were not.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use wastegate::observe::metrics::begin;

/// Why a span was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drops {
    QueueFull,
    NotTaken,
    Rejected,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DropLabel {
    why: &'static str,
}

impl Drops {
    const ALL: [Self; 3] = [Self::QueueFull, Self::NotTaken, Self::Rejected];

    const fn label(self) -> DropLabel {
        let why = match self {
            Self::QueueFull => "queue-full",
            Self::NotTaken => "not-taken",
            Self::Rejected => "rejected",
        };
        DropLabel { why }
    }
}

/// Counts of one exporter.
#[derive(Debug, Clone)]
pub struct Metrics {
    exported: Counter,
    dropped: Family<DropLabel, Counter>,
    failed: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let dropped = Family::default();
        begin(&dropped, Drops::ALL.map(Drops::label));
        Self {
            exported: Counter::default(),
            dropped,
            failed: Counter::default(),
        }
    }
}

impl Metrics {
    /// Registers under `wastegate_otlp_`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "spans_exported",
            "Spans that the OpenTelemetry collector took",
            self.exported.clone(),
        );
        registry.register(
            "spans_dropped",
            "Spans that were dropped: the queue was full, the collector did not take them in all attempts, or it rejected them",
            self.dropped.clone(),
        );
        registry.register(
            "exports_failed",
            "Requests that the OpenTelemetry collector did not take",
            self.failed.clone(),
        );
    }

    pub(super) fn exported(&self, spans: u64) {
        self.exported.inc_by(spans);
    }

    pub(super) fn dropped(&self, why: Drops, spans: u64) {
        self.dropped.get_or_create(&why.label()).inc_by(spans);
    }

    pub(super) fn failed(&self) {
        self.failed.inc();
    }
}
