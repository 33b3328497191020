//! The room's metrics.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::driver::Cleaner;
use super::run::TierRun;
use crate::observe::alerts::PressureLevel;
use crate::observe::metrics::{ClosedLabel, begin, millis};
use wastegate_core::decision::{
    Class, RejectReason, RejectedChoice, TierTable, Victim, VictimOutcome,
};
use wastegate_core::types::Tier;

/// Labels of a tier's runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TierLabels {
    tier: &'static str,
    /// One of [`RESULTS`].
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
    /// `alive` if it answered our Close, `undecided` if nothing is shown by that it did not, else `dead`.
    peer: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RejectedLabel {
    why: &'static str,
}

/// What came of a run: it freed slots, there was no manager that it may evict, or it evicted none of them.
const RESULTS: [&str; 3] = ["freed", "empty", "none"];

impl EvictionLabels {
    fn of(tier: Tier, class: Class, outcome: VictimOutcome) -> Self {
        Self {
            tier: tier.name(),
            class: class.name(),
            outcome: outcome.name(),
            peer: match outcome {
                VictimOutcome::Echoed { .. } => "alive",
                VictimOutcome::Undecided => "undecided",
                _ => "dead",
            },
        }
    }
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
        let metrics = Self {
            runs: Family::default(),
            freed: Family::default(),
            duration: Family::new_with_constructor(millis),
            evictions: Family::default(),
            forced_responsive: Counter::default(),
            held_back: Counter::default(),
            rejected: Family::default(),
        };
        let table = TierTable::default();
        for tier in Tier::ALL {
            let tier_runs = RESULTS.map(|result| TierLabels {
                tier: tier.name(),
                result,
            });
            begin(&metrics.runs, tier_runs);
            let label = TierLabel { tier: tier.name() };
            begin(&metrics.freed, [label.clone()]);
            begin(&metrics.duration, [label]);
            // Another table may admit more; those series begin with their first eviction.
            for class in &table.rule(tier).admits {
                let ends = VictimOutcome::EVICTED;
                begin(
                    &metrics.evictions,
                    ends.map(|end| EvictionLabels::of(tier, *class, end)),
                );
            }
        }
        let whys = RejectReason::ALL.map(|why| RejectedLabel { why: why.name() });
        begin(&metrics.rejected, whys);
        metrics
    }
}

impl Cleaner {
    /// Registers all metrics of the room under `wastegate_cleanup_`.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        self.metrics.register(registry);
        registry.register_collector(Box::new(PressureCollector(Arc::downgrade(self))));
    }
}

/// Reads users' levels when it is asked: no count is kept beside them.
struct PressureCollector(Weak<Cleaner>);

impl fmt::Debug for PressureCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PressureCollector")
    }
}

impl Collector for PressureCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(cleaner) = self.0.upgrade() else {
            return Ok(());
        };
        let (name, help) = (
            "users_under_pressure",
            "Users whose managers approach their limit, by level; users below every threshold are left out",
        );
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (level, users) in cleaner.pressure.counts() {
            let labels = [(PressureLevel::KEY, level.value())];
            ConstGauge::new(users).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Metrics {
    /// Registers under `wastegate_cleanup_`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "tier_runs",
            "Runs of a tier, by result: `freed` slots, `empty` (no manager that it may evict), or `none` (none of those was evicted)",
            self.runs.clone(),
        );
        registry.register(
            "freed",
            "Slots that cleanup freed, by tier",
            self.freed.clone(),
        );
        registry.register(
            "tier_duration_seconds",
            "Time that one run of a tier took, probes and ranking included",
            self.duration.clone(),
        );
        registry.register(
            "evictions",
            "Managers that cleanup evicted, by tier, class, what came of closing them, and whether their peer was alive",
            self.evictions.clone(),
        );
        registry.register(
            "forced_responsive",
            "Live kills: managers that still answered and were evicted by the tier `force`",
            self.forced_responsive.clone(),
        );
        registry.register(
            "returns_held_back",
            "Admissions that might not displace an answering manager because their own manager had been displaced shortly before",
            self.held_back.clone(),
        );
        registry.register(
            "struck",
            "Choices of a policy that the guard rejected, by reason",
            self.rejected.clone(),
        );
    }

    pub(super) fn tier_run(&self, run: &TierRun, took: Duration) {
        let [freed, empty, none] = RESULTS;
        let result = match (run.freed, run.eligible) {
            (1.., _) => freed,
            (0, 0) => empty,
            (0, _) => none,
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
        if !outcome.is_eviction() {
            return;
        }
        let labels = EvictionLabels::of(tier, victim.class, outcome);
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
