//! The room's metrics.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::denied::DenialReason;
use crate::observe::metrics::millis;

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
        Self {
            outcomes: Family::default(),
            limit_hits: Counter::default(),
            triggered: millis(),
        }
    }
}

impl Metrics {
    /// Registers under `wastegate_admission_`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "outcomes",
            "Admissions, by how they ended",
            self.outcomes.clone(),
        );
        registry.register(
            "limit_hits",
            "Admissions refused because a limit was met and nothing might be evicted",
            self.limit_hits.clone(),
        );
        registry.register(
            "triggered_duration_seconds",
            "Duration of admissions that needed a cleanup, from attempt to answer",
            self.triggered.clone(),
        );
    }

    /// Admissions refused at a limit.
    #[must_use]
    pub fn limit_hits(&self) -> u64 {
        self.limit_hits.get()
    }

    pub(super) fn count(&self, outcome: Outcome) {
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
