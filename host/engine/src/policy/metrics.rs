//! What this room counts. No policy names and no user ids in labels: they are open sets.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::engine::Engine;
use super::seats::ActivePolicies;
use wastegate_core::decision::{Fault, Question, Ranked, Ranking};
use wastegate_core::types::{RevisionId, Scope, Tier};

/// Upper bounds of the buckets of call durations, seconds.
const DURATION_S: [f64; 12] = [
    5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2e-2, 0.1, 0.5,
];

/// What loading a policy came to.
const LOADS: [&str; 2] = ["ready", "refused"];
/// What asking a quarantined policy came to.
const TRIALS: [&str; 3] = ["answered", "failed", "not-asked"];

/// The room's metrics. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    calls: Family<ScopeLabel, Counter>,
    duration: Family<ScopeLabel, CallDuration>,
    fuel: Family<ScopeLabel, Counter>,
    user: OfScope,
    node: OfScope,
    faults: Family<FaultLabel, Counter>,
    quarantined: Gauge,
    loads: Family<ResultLabel, Counter>,
    trials: Family<ResultLabel, Counter>,
    revision: Family<TierLabel, Gauge>,
}

/// How long calls took; each bucket has the number of a decision that is in it, by which it can be read
/// (`GET /v1/decisions/{id}`). It costs a short lock more, of a call that takes microseconds.
type CallDuration = HistogramWithExemplars<DecisionLabel>;

/// The label of an example. It makes no series.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabel {
    decision_id: u64,
}

/// What every call touches, looked up once: a call takes microseconds.
#[derive(Debug, Clone)]
struct OfScope {
    calls: Counter,
    duration: CallDuration,
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
        let duration: Family<_, CallDuration> =
            Family::new_with_constructor(|| HistogramWithExemplars::new(DURATION_S.into_iter()));
        let of = |scope: Scope| {
            let label = ScopeLabel {
                scope: scope.name(),
            };
            OfScope {
                calls: calls.get_or_create_owned(&label),
                duration: duration.get_or_create_owned(&label),
                fuel: fuel.get_or_create_owned(&label),
            }
        };
        let metrics = Self {
            user: of(Scope::User),
            node: of(Scope::Node),
            calls,
            duration,
            fuel,
            faults: Family::default(),
            quarantined: Gauge::default(),
            loads: Family::default(),
            trials: Family::default(),
            revision: Family::default(),
        };
        // At zero from the start, so that the first of a kind is an increase.
        for fault in Fault::all() {
            let fault = fault.name();
            drop(metrics.faults.get_or_create(&FaultLabel { fault }));
        }
        for (results, family) in [(&LOADS[..], &metrics.loads), (&TRIALS, &metrics.trials)] {
            for &result in results {
                drop(family.get_or_create(&ResultLabel { result }));
            }
        }
        for tier in Tier::ALL {
            let tier = tier.name();
            drop(metrics.revision.get_or_create(&TierLabel { tier }));
        }
        metrics
    }
}

impl Metrics {
    /// Puts them and what their engine counts into a registry, under `wastegate_policy_`.
    pub fn register(&self, engine: &Engine, registry: &mut Registry) {
        engine.register(registry);
        registry.register("calls", "Calls of policies, by scope", self.calls.clone());
        registry.register(
            "call_duration_seconds",
            "Time that calls of policies took by the wall clock, by scope",
            self.duration.clone(),
        );
        registry.register(
            "fuel_units",
            "Fuel that calls of policies used, by scope; a unit is about one instruction",
            self.fuel.clone(),
        );
        registry.register(
            "faults",
            "Decisions for which a policy gave no usable ranking, by fault; the built-in ranking completed them",
            self.faults.clone(),
        );
        registry.register(
            "quarantined",
            "Policies that are quarantined after repeated faults, trials included",
            self.quarantined.clone(),
        );
        registry.register(
            "loads",
            "Policies that were to be loaded, by result",
            self.loads.clone(),
        );
        registry.register(
            "trials",
            "Trials of quarantined policies, whose answers change nothing, by result",
            self.trials.clone(),
        );
        registry.register(
            "revision",
            "Number of the active revision, by tier; 0 for the built-in ranking",
            self.revision.clone(),
        );
    }

    /// An answer of a policy, asked or not.
    pub(super) fn answered(&self, question: &Question, ranked: &Ranked) {
        if let Some(fuel) = ranked.fuel {
            let of_scope = match question.scope {
                Scope::User => &self.user,
                Scope::Node => &self.node,
            };
            of_scope.calls.inc();
            of_scope.fuel.inc_by(fuel);
            let decision_id = question.decision.raw();
            let took = ranked.duration.as_secs_f64();
            let example = Some(DecisionLabel { decision_id });
            of_scope.duration.observe(took, example, None);
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
        let [ready, refused] = LOADS;
        let result = if went_well { ready } else { refused };
        self.loads.get_or_create(&ResultLabel { result }).inc();
    }

    /// A quarantined policy was asked in shadow.
    pub(super) fn tried(&self, outcome: &Result<Ranking, Fault>) {
        let [answered, failed, not_asked] = TRIALS;
        let result = match outcome {
            Ok(_) => answered,
            Err(fault) if fault.is_policys() => failed,
            Err(_) => not_asked,
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
