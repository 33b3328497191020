//! The room's metrics.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::denied::DenialReason;
use super::ladder::Admission;
use crate::observe::metrics::{begin, millis};
use crate::observe::spans;

/// How an admission ended, or went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Admitted,
    AdmittedByCleanup,
    AdmittedFromQueue,
    Temporary,
    Queued,
}

impl Outcome {
    const ALL: [Self; 5] = [
        Self::Admitted,
        Self::AdmittedByCleanup,
        Self::AdmittedFromQueue,
        Self::Temporary,
        Self::Queued,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::AdmittedByCleanup => "admitted-by-cleanup",
            Self::AdmittedFromQueue => "admitted-from-queue",
            Self::Temporary => "temporary",
            Self::Queued => "queued",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// Counters of how admissions ended, and how long those with a cleanup took.
#[derive(Debug)]
pub struct Metrics {
    outcomes: Family<OutcomeLabel, Counter>,
    limit_hits: Counter,
    triggered: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let outcomes = Family::default();
        let names = Outcome::ALL.iter().map(|outcome| outcome.name());
        let names = names.chain(DenialReason::ALL.iter().map(|why| why.name()));
        begin(&outcomes, names.map(|outcome| OutcomeLabel { outcome }));
        Self {
            outcomes,
            limit_hits: Counter::default(),
            triggered: millis(),
        }
    }
}

impl Admission {
    /// Registers all metrics of the room under `wastegate_admission_`.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        self.metrics().register(registry);
        registry.register_collector(Box::new(QueueCollector(Arc::downgrade(self))));
    }
}

/// The span of an admission says what the counters say.
fn note(outcome: &'static str) {
    spans::note("wastegate.admission.outcome", || outcome);
}

/// Reads the queue when it is asked: no count is kept beside it.
struct QueueCollector(Weak<Admission>);

impl fmt::Debug for QueueCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueueCollector")
    }
}

impl Collector for QueueCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(admission) = self.0.upgrade() else {
            return Ok(());
        };
        let gauge = ConstGauge::new(admission.queued() as u64);
        let (name, help) = ("queue_length", "Admissions that wait in the queue now");
        gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
    }
}

impl Metrics {
    /// Registers under `wastegate_admission_`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "outcomes",
            "Admissions by how they ended; `queued` ones end a second time when they leave the queue",
            self.outcomes.clone(),
        );
        registry.register(
            "limit_hits",
            "Admissions that were refused because a limit was reached and nothing might be evicted",
            self.limit_hits.clone(),
        );
        registry.register(
            "triggered_duration_seconds",
            "Time from attempt to answer of admissions that needed a cleanup",
            self.triggered.clone(),
        );
    }

    /// Admissions refused at a limit.
    #[must_use]
    pub fn limit_hits(&self) -> u64 {
        self.limit_hits.get()
    }

    pub(super) fn count(&self, outcome: Outcome) {
        note(outcome.name());
        self.outcomes
            .get_or_create(&OutcomeLabel {
                outcome: outcome.name(),
            })
            .inc();
    }

    pub(super) fn admitted(&self, outcome: Outcome, took: Duration, triggered: bool) {
        self.count(outcome);
        if triggered {
            self.triggered.observe(took.as_secs_f64());
        }
    }

    pub(super) fn denied(&self, why: DenialReason, took: Duration) {
        note(why.name());
        self.outcomes
            .get_or_create(&OutcomeLabel {
                outcome: why.name(),
            })
            .inc();
        let at_a_limit = matches!(
            why,
            DenialReason::UserLimit
                | DenialReason::NodeLimit
                | DenialReason::QueueFull
                | DenialReason::ManagerConnections
                | DenialReason::Displaced
        );
        if at_a_limit {
            self.limit_hits.inc();
            self.triggered.observe(took.as_secs_f64());
        }
    }
}
