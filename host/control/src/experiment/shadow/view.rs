//! What operators see of a shadow, with denominators and what was not seen.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agreement::Agreed;
use super::disagreement::{Outcomes, ShadowDisagreement};
use super::{Shadow, ShadowRefused, ShadowSpec, Shadows};
use wastegate_core::decision::PolicyRef;
use wastegate_core::stats::counts::mcnemar;
use wastegate_core::types::time::whole_ms;

/// One shadow, as the operators' API shows it and the program's own commands read it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ShadowView {
    /// As what it was started.
    pub spec: ShadowSpec,
    /// Which code it is.
    pub policy: PolicyRef,
    /// With which parameters, in its order.
    pub params: Vec<f64>,
    /// The operator that started it.
    pub by: String,
    /// For how long it has run, ms.
    pub for_ms: u64,
    /// Decisions that were made meanwhile, for users at their limit.
    pub decisions: u64,
    /// Of those, the ones it was asked about.
    pub asked: u64,
    /// Of those, the ones that did not fit into its queue.
    pub dropped: u64,
    /// What went wrong with it, by kind.
    pub faults: BTreeMap<Cow<'static, str>, u64>,
    /// The last of it.
    pub last_fault: Option<String>,
    /// Questions that could not be compared, because the active policy gave no usable ranking.
    pub live_faults: u64,
    /// Its fuel: in the mean and at the most.
    pub fuel: (u64, u64),
    /// The active policy's mean fuel on the same questions, units.
    pub live_fuel: u64,
    /// Its mean duration, microseconds.
    pub micros: u64,
    /// How far it agrees.
    pub agreement: Agreed,
    /// How disagreements came out.
    pub outcomes: Outcomes,
    /// How often a split of one-sided outcomes at least as uneven comes by chance (`McNemar`, exact).
    pub mcnemar_p: f64,
    /// Disagreements, the worst first.
    pub examples: Vec<ShadowDisagreement>,
    /// What this is and is not.
    pub note: Cow<'static, str>,
}

/// The answer to `GET /v1/shadows`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ShadowList {
    /// All of them, in the order in which they were started.
    pub shadows: Vec<ShadowView>,
}

const NOTE: &str = "Decision by decision, on what the active policy left: not the effect of deploying the shadow. An experiment shows that.";

impl Shadows {
    /// All shadows, in the order in which they were started.
    #[must_use]
    pub fn views(&self) -> Vec<ShadowView> {
        self.live
            .load()
            .iter()
            .map(|shadow| self.view_of(shadow))
            .collect()
    }

    /// How many run.
    #[must_use]
    pub fn count(&self) -> usize {
        self.live.load().len()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`ShadowRefused::NoSuch`].
    pub fn view(&self, name: &str) -> Result<ShadowView, ShadowRefused> {
        let live = self.live.load();
        let found = live.iter().find(|shadow| shadow.spec.name == name);
        found
            .map(|shadow| self.view_of(shadow))
            .ok_or_else(|| ShadowRefused::NoSuch(name.to_owned()))
    }

    fn view_of(&self, shadow: &Shadow) -> ShadowView {
        let now = self.clock.now();
        let mut findings = shadow.findings.lock();
        findings.disagreements.settle(now);
        let outcomes = findings.disagreements.outcomes();
        let asked = findings.asked;
        let mean = |sum: u64| sum.checked_div(asked).unwrap_or_default();
        ShadowView {
            spec: shadow.spec.clone(),
            policy: shadow.about.clone(),
            params: shadow.params.to_vec(),
            by: shadow.by.clone(),
            for_ms: whole_ms(now.since(shadow.since)),
            decisions: shadow.seen.load(Ordering::Relaxed),
            asked,
            dropped: shadow.dropped.load(Ordering::Relaxed),
            faults: findings.faults.clone(),
            last_fault: findings.last_fault.clone(),
            live_faults: findings.live_faults,
            fuel: (mean(findings.fuel), findings.fuel_most),
            live_fuel: mean(findings.live_fuel),
            micros: mean(findings.micros),
            agreement: findings.agreement.agreed(),
            mcnemar_p: mcnemar(outcomes.live_only_wrong, outcomes.shadow_only_wrong),
            outcomes,
            examples: findings.disagreements.examples(),
            note: NOTE.into(),
        }
    }
}
