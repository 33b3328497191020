//! What this room counts. No policy names and no user ids in labels: they are open sets.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::engine::Engine;
use super::seats::ActivePolicies;
use wastegate_core::decision::{Fault, Ranked, Ranking};
use wastegate_core::types::{RevisionId, Scope, Tier};

/// Upper bounds of the buckets of call durations, microseconds.
const DURATION_US: [f64; 12] = [
    5.0, 10.0, 20.0, 50.0, 100.0, 250.0, 500.0, 1e3, 5e3, 2e4, 1e5, 5e5,
];

/// The room's metrics. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    calls: Family<ScopeLabel, Counter>,
    duration_us: Family<ScopeLabel, Histogram>,
    fuel: Family<ScopeLabel, Counter>,
    user: OfScope,
    node: OfScope,
    faults: Family<FaultLabel, Counter>,
    quarantined: Gauge,
    loads: Family<ResultLabel, Counter>,
    trials: Family<ResultLabel, Counter>,
    revision: Family<TierLabel, Gauge>,
}

/// What every call touches, looked up once: a call takes microseconds.
#[derive(Debug, Clone)]
struct OfScope {
    calls: Counter,
    duration_us: Histogram,
    fuel: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ScopeLabel {
    scope: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FaultLabel {
    fault: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TierLabel {
    tier: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let (calls, fuel) = (Family::default(), Family::default());
        let duration_us: Family<_, Histogram> =
            Family::new_with_constructor(|| Histogram::new(DURATION_US));
        let of = |scope: Scope| {
            let label = ScopeLabel {
                scope: scope.name(),
            };
            OfScope {
                calls: calls.get_or_create_owned(&label),
                duration_us: duration_us.get_or_create_owned(&label),
                fuel: fuel.get_or_create_owned(&label),
            }
        };
        Self {
            user: of(Scope::User),
            node: of(Scope::Node),
            calls,
            duration_us,
            fuel,
            faults: Family::default(),
            quarantined: Gauge::default(),
            loads: Family::default(),
            trials: Family::default(),
            revision: Family::default(),
        }
    }
}

impl Metrics {
    /// Puts them and what their engine counts into a registry, under `wastegate_policy_`.
    pub fn register(&self, engine: &Engine, registry: &mut Registry) {
        engine.register(registry);
        registry.register("calls", "Calls of policies, by scope", self.calls.clone());
        registry.register(
            "call_duration_microseconds",
            "How long calls of policies took by the wall clock, by scope",
            self.duration_us.clone(),
        );
        registry.register(
            "fuel_units",
            "Fuel that calls of policies used, by scope",
            self.fuel.clone(),
        );
        registry.register(
            "faults",
            "Decisions for which a policy gave no usable ranking, by kind",
            self.faults.clone(),
        );
        registry.register(
            "quarantined",
            "Policies that are not asked, or on trial, after repeated faults",
            self.quarantined.clone(),
        );
        registry.register(
            "loads",
            "Policies that were loaded, by result",
            self.loads.clone(),
        );
        registry.register(
            "trials",
            "Calls of quarantined policies in shadow, by result",
            self.trials.clone(),
        );
        registry.register(
            "revision",
            "Number of the active revision, by tier; 0 for the built-in ranking",
            self.revision.clone(),
        );
    }

    /// An answer of a policy, asked or not.
    pub(super) fn answered(&self, scope: Scope, ranked: &Ranked) {
        if let Some(fuel) = ranked.fuel {
            let of_scope = match scope {
                Scope::User => &self.user,
                Scope::Node => &self.node,
            };
            of_scope.calls.inc();
            of_scope.fuel.inc_by(fuel);
            of_scope
                .duration_us
                .observe(ranked.duration.as_secs_f64() * 1e6);
        }
        if let Err(fault) = &ranked.outcome {
            let fault = fault.name();
            self.faults.get_or_create(&FaultLabel { fault }).inc();
        }
    }

    /// How many policies are quarantined now.
    pub(super) fn quarantined(&self, policies: usize) {
        self.quarantined
            .set(i64::try_from(policies).unwrap_or(i64::MAX));
    }

    /// A policy was loaded, or was refused.
    pub(super) fn loaded(&self, went_well: bool) {
        let result = if went_well { "ready" } else { "refused" };
        self.loads.get_or_create(&ResultLabel { result }).inc();
    }

    /// A quarantined policy was asked in shadow.
    pub(super) fn tried(&self, outcome: &Result<Ranking, Fault>) {
        let result = match outcome {
            Ok(_) => "answered",
            Err(fault) if fault.is_policys() => "failed",
            Err(_) => "not-asked",
        };
        self.trials.get_or_create(&ResultLabel { result }).inc();
    }

    /// Another policy is active.
    pub(super) fn active_policies(&self, active_policies: &ActivePolicies) {
        for tier in Tier::ALL {
            let active = active_policies.seat(tier).active.as_ref();
            let number = active.map_or(0, |deployed| RevisionId::get(deployed.revision));
            let label = TierLabel { tier: tier.name() };
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            self.revision.get_or_create(&label).set(number);
        }
    }
}
