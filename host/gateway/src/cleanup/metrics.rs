//! The room's metrics.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::run::TierRun;
use crate::observe::metrics::millis;
use wastegate_core::decision::{Class, RejectedChoice, Victim, VictimOutcome};
use wastegate_core::types::Tier;

/// Labels of a tier's runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TierLabels {
    tier: &'static str,
    /// `freed`, `empty` (no manager that it may evict) or `none` (it evicted none).
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TierLabel {
    tier: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EvictionLabels {
    tier: &'static str,
    class: &'static str,
    outcome: &'static str,
    /// `alive` if it answered our Close, else `dead`.
    peer: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RejectedLabel {
    why: &'static str,
}

/// Counters of tiers, evictions and rejected choices.
#[derive(Debug, Clone)]
pub struct Metrics {
    runs: Family<TierLabels, Counter>,
    freed: Family<TierLabel, Counter>,
    duration: Family<TierLabel, Histogram>,
    evictions: Family<EvictionLabels, Counter>,
    forced_responsive: Counter,
    held_back: Counter,
    rejected: Family<RejectedLabel, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            runs: Family::default(),
            freed: Family::default(),
            duration: Family::new_with_constructor(millis),
            evictions: Family::default(),
            forced_responsive: Counter::default(),
            held_back: Counter::default(),
            rejected: Family::default(),
        }
    }
}

impl Metrics {
    /// Registers under `wastegate_cleanup_`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "tier_runs",
            "Runs of a tier, by what came of them",
            self.runs.clone(),
        );
        registry.register("freed", "Slots freed, by tier", self.freed.clone());
        registry.register(
            "tier_duration_seconds",
            "Duration of a tier's run",
            self.duration.clone(),
        );
        registry.register(
            "evictions",
            "Evicted managers, by class and end",
            self.evictions.clone(),
        );
        registry.register(
            "forced_responsive",
            "Managers that still answered and were evicted by force",
            self.forced_responsive.clone(),
        );
        registry.register(
            "returns_held_back",
            "Managers that were evicted while they answered and came back too soon to displace another",
            self.held_back.clone(),
        );
        registry.register(
            "struck",
            "Choices the guard struck out, by reason",
            self.rejected.clone(),
        );
    }

    pub(super) fn tier_run(&self, run: &TierRun, took: Duration) {
        let result = match (run.freed, run.eligible) {
            (1.., _) => "freed",
            (0, 0) => "empty",
            (0, _) => "none",
        };
        let tier = run.tier.name();
        self.runs.get_or_create(&TierLabels { tier, result }).inc();
        self.freed
            .get_or_create(&TierLabel { tier })
            .inc_by(run.freed.into());
        self.duration
            .get_or_create(&TierLabel { tier })
            .observe(took.as_secs_f64());
    }

    pub(super) fn evicted(&self, tier: Tier, victim: &Victim, outcome: VictimOutcome) {
        if outcome == VictimOutcome::Spared {
            return;
        }
        let labels = EvictionLabels {
            tier: tier.name(),
            class: victim.class.name(),
            outcome: outcome.name(),
            peer: match outcome {
                VictimOutcome::Echoed { .. } => "alive",
                VictimOutcome::Undecided => "undecided",
                _ => "dead",
            },
        };
        self.evictions.get_or_create(&labels).inc();
        if victim.class == Class::Responsive {
            self.forced_responsive.inc();
        }
    }

    pub(super) fn held_back(&self) {
        self.held_back.inc();
    }

    pub(super) fn rejected(&self, refusals: &[RejectedChoice]) {
        for refusal in refusals {
            self.rejected
                .get_or_create(&RejectedLabel {
                    why: refusal.why.name(),
                })
                .inc();
        }
    }
}
