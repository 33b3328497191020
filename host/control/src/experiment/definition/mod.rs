//! What an experiment compares, on which users, and by which metrics: fixed before it begins.

mod defaults;
mod invalid;
mod population;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use invalid::Invalid;

use super::assign::Layer;
use super::explore::Explore;
use super::metric::Metric;
use super::ramp::Ramp;
use super::running::MEMBERS_MAX;
use super::switchback::Switchback;
use wastegate_core::stats::sequence::ASYMPTOTIC_USERS_MIN;

/// Arms that an experiment may have.
pub const ARMS_MAX: usize = 8;
/// Guardrails that an experiment may have.
pub const GUARDRAILS_MAX: usize = 8;
/// Characters of a name.
pub const NAME_CHARS_MAX: usize = 64;
/// The name of the policy of an arm that the active policy ranks for.
pub const ACTIVE: &str = "champion";

/// An experiment as the operator defines it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({
    "name": "revisit-2026",
    "question": "Are fewer sessions wanted back with `revisit`?",
    "arms": [{ "policy": "champion" }, { "policy": "revisit" }],
    "coverage": 0.2,
    "primary": "regret-10m",
}))]
pub struct Definition {
    /// Its name, also the seed by which users fall into arms.
    pub name: String,
    /// What is asked, in a sentence.
    #[serde(default)]
    pub question: String,
    /// The first is the control.
    #[serde(default)]
    pub arms: Vec<ArmSpec>,
    /// The share of users who take part, in (0, 1]. Raising it moves no user to another arm. Default 1.
    #[serde(default = "defaults::one")]
    pub coverage: f64,
    /// Begin with few users, and take in more by itself while every guardrail holds; in place of `coverage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
    /// Experiments in one layer meet no user in common.
    #[serde(default)]
    pub layer: Option<LayerSpec>,
    /// Compare a policy that a few users keep with everything that changes for the others: the active policy and
    /// all experiments. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub holdout: bool,
    /// Let arms take turns on the whole node, and count windows in place of users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switchback: Option<Switchback>,
    /// What decides. Default `regret-10m`.
    #[serde(default = "defaults::primary")]
    pub primary: Metric,
    /// What may not become worse. Default `blocked-users`, `live-kills` and `fallbacks`.
    #[serde(default = "defaults::guardrails")]
    pub guardrails: Vec<Guardrail>,
    /// How often a verdict may be wrong, ever, however often it is looked at. Default 0.05.
    #[serde(default = "defaults::alpha")]
    pub alpha: f64,
    /// How often an effect of the detectable size is to be seen. Default 0.8.
    #[serde(default = "defaults::power")]
    pub power: f64,
    /// Exposed users of two arms together at which the intervals are tightest. Default 5,000.
    #[serde(default = "defaults::planned_users")]
    pub planned_users: u32,
    /// Exposed users that each arm needs before anything is concluded. Default 100, the least.
    #[serde(default = "defaults::users_min")]
    pub users_min: u64,
    /// Events that the primary metric needs in two arms together. Default 25.
    #[serde(default = "defaults::events_min")]
    pub events_min: u64,
    /// How long a phase runs before an arm may be promoted, hours, from 0 to 2,160. Default 24: a whole day, so
    /// that no hour of it decides alone.
    #[serde(default = "defaults::hours_min")]
    pub hours_min: f64,
    /// How long a phase runs before harm rolls it back, s, at most 86,400. Refused users do not wait for that.
    /// Default 60.
    #[serde(default = "defaults::harm_after_s")]
    pub harm_after_s: u32,
    /// Take away from differences what users' past explains (CUPED). Default true: `docs/experiments.md` has the
    /// simulation.
    #[serde(default = "defaults::yes")]
    pub use_past: bool,
}

/// One policy of the experiment, with its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArmSpec {
    /// Its name; without one the policy's.
    #[serde(default)]
    pub name: String,
    /// A policy that the server knows, or `champion`.
    pub policy: String,
    /// Parameters that are set, besides those that the policy has on this server.
    #[serde(default)]
    pub params: BTreeMap<String, f64>,
    /// Its share of the users who take part; all sum to 1. Without any, all have the same.
    #[serde(default)]
    pub weight: Option<f64>,
    /// Draw the first choice at random, so that it can be weighed for other policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explore: Option<Explore>,
}

/// A slice of a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LayerSpec {
    /// The layer's name; experiments of one layer share no user.
    pub name: String,
    /// Where the slice begins, in [0, 1).
    pub from: f64,
    /// Where it ends, in (0, 1].
    pub to: f64,
}

/// Something that may not become worse.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guardrail {
    /// The metric that must not become worse.
    pub metric: Metric,
    /// By how much it may be worse for a promotion, in the metric's own unit.
    pub margin: f64,
}

/// The least share of an arm: below it no experiment has the users that a verdict needs.
pub(super) const WEIGHT_MIN: f64 = 0.001;
/// The longest that a promotion may be made to wait, hours.
const HOURS_MAX: f64 = 2_160.0;
/// The longest that harm may be left alone, s.
const HARM_AFTER_S_MAX: u32 = 86_400;
/// The most events that may be asked for.
const COUNT_MAX: u64 = 1_000_000_000;
/// How far weights may be from summing to 1.
const WEIGHTS_TOLERANCE: f64 = 1e-3;

impl Definition {
    /// Gives nameless arms their policy's name.
    #[must_use]
    pub fn named(mut self) -> Self {
        for arm in &mut self.arms {
            if arm.name.is_empty() {
                arm.name.clone_from(&arm.policy);
            }
        }
        self
    }

    /// Says whether it can be, and how it is to be mended.
    ///
    /// # Errors
    /// [`Invalid`], the first that is found.
    pub fn check(&self) -> Result<(), Invalid> {
        if !is_name(&self.name) {
            return Err(Invalid::Name(self.name.clone()));
        }
        self.check_arms()?;
        let ranges = [
            (
                "coverage",
                self.coverage,
                self.coverage > 0.0 && self.coverage <= 1.0,
                "give the share of users who take part, above 0 and at most 1",
            ),
            (
                "alpha",
                self.alpha,
                (1e-6..=0.2).contains(&self.alpha),
                "give how often a verdict may be wrong, from 0.000001 to 0.2; 0.05 is usual",
            ),
            (
                "power",
                self.power,
                (0.5..1.0).contains(&self.power),
                "give how often a real effect is to be seen, from 0.5 to below 1; 0.8 is usual",
            ),
            (
                "planned_users",
                f64::from(self.planned_users),
                self.planned_users >= 200,
                "give at least 200 users of two arms together",
            ),
            (
                "hours_min",
                self.hours_min,
                (0.0..=HOURS_MAX).contains(&self.hours_min),
                "give the hours that a phase runs before a promotion, from 0 to 2,160 (90 days); 24 is usual",
            ),
            (
                "harm_after_s",
                f64::from(self.harm_after_s),
                self.harm_after_s <= HARM_AFTER_S_MAX,
                "give the seconds that a phase runs before harm rolls it back, at most 86,400; 60 is usual",
            ),
            (
                "events_min",
                number(self.events_min),
                (1..=COUNT_MAX).contains(&self.events_min),
                "give the events that the primary metric needs, from 1 to 1,000,000,000; 25 is usual",
            ),
            (
                "users_min",
                number(self.users_min),
                self.users_min <= MEMBERS_MAX as u64,
                "an experiment counts at most 500,000 users, so give at most that",
            ),
        ];
        for (key, value, is_sound, remedy) in ranges {
            if !is_sound {
                let key = key.to_owned();
                return Err(Invalid::Range { key, value, remedy });
            }
        }
        if self.users_min < ASYMPTOTIC_USERS_MIN {
            return Err(Invalid::Range {
                key: "users_min".to_owned(),
                value: number(self.users_min),
                remedy: "the intervals are right from 100 users an arm on, so give at least 100",
            });
        }
        self.layer()?;
        self.check_population()?;
        self.check_guardrails()
    }

    /// What it looks at: the primary metric, then the guardrails'.
    pub fn metrics(&self) -> impl Iterator<Item = Metric> + '_ {
        let guarded = self.guardrails.iter().map(|guardrail| guardrail.metric);
        std::iter::once(self.primary).chain(guarded)
    }

    /// What falls into arms, as reports call it.
    #[must_use]
    pub const fn units(&self) -> &'static str {
        match self.switchback {
            Some(_) => "windows",
            None => "users",
        }
    }

    fn check_arms(&self) -> Result<(), Invalid> {
        match self.arms.len() {
            few @ (0 | 1) => return Err(Invalid::TooFewArms(few)),
            many if many > ARMS_MAX => return Err(Invalid::TooManyArms(many)),
            _ => {}
        }
        for (at, arm) in self.arms.iter().enumerate() {
            if !is_name(&arm.name) {
                let name = arm.name.clone();
                return Err(Invalid::ArmName { at, name });
            }
            if self
                .arms
                .iter()
                .take(at)
                .any(|other| other.name == arm.name)
            {
                return Err(Invalid::SameName(arm.name.clone()));
            }
            if arm.explore.is_some_and(|explore| !explore.is_sound()) {
                return Err(Invalid::Explore(at));
            }
        }
        let weights: Vec<f64> = self.arms.iter().filter_map(|arm| arm.weight).collect();
        if weights.is_empty() {
            return Ok(());
        }
        if weights.len() != self.arms.len() {
            return Err(Invalid::SomeWeights);
        }
        let bad = weights
            .iter()
            .position(|weight| !(WEIGHT_MIN..1.0).contains(weight));
        if let Some((at, &weight)) = bad.and_then(|at| Some((at, weights.get(at)?))) {
            return Err(Invalid::Weight { at, weight });
        }
        let sum: f64 = weights.iter().sum();
        if (sum - 1.0).abs() > WEIGHTS_TOLERANCE {
            return Err(Invalid::Weights(sum));
        }
        Ok(())
    }

    fn check_guardrails(&self) -> Result<(), Invalid> {
        if self.guardrails.len() > GUARDRAILS_MAX {
            return Err(Invalid::Guardrails(self.guardrails.len()));
        }
        for (at, &Guardrail { metric, margin }) in self.guardrails.iter().enumerate() {
            if metric == self.primary {
                return Err(Invalid::Guardrail(
                    metric,
                    "which is `primary` already: leave it out",
                ));
            }
            if self
                .guardrails
                .iter()
                .take(at)
                .any(|other| other.metric == metric)
            {
                return Err(Invalid::Guardrail(metric, "twice: leave one out"));
            }
            if !(margin > 0.0 && margin.is_finite()) {
                return Err(Invalid::Range {
                    key: format!("guardrails[{at}].margin"),
                    value: margin,
                    remedy: "give by how much the metric may be worse, above 0: no experiment can show that it is not worse at all",
                });
            }
        }
        Ok(())
    }

    /// The slice of a layer that it has, if it is in one.
    ///
    /// # Errors
    /// [`Invalid`] if there is no such slice.
    pub fn layer(&self) -> Result<Option<Layer>, Invalid> {
        let Some(layer) = &self.layer else {
            return Ok(None);
        };
        if layer.name.is_empty() {
            return Err(Invalid::LayerName);
        }
        Ok(Some(Layer::new(&layer.name, layer.from, layer.to)?))
    }

    /// The arms' shares, which sum to 1.
    #[must_use]
    pub fn weights(&self) -> Vec<f64> {
        #[expect(clippy::cast_precision_loss, reason = "arms are few")]
        let equal = 1.0 / self.arms.len() as f64;
        let weights = self.arms.iter().map(|arm| arm.weight.unwrap_or(equal));
        weights.collect()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "it is shown, and settings are small"
)]
const fn number(count: u64) -> f64 {
    count as f64
}

pub(super) fn is_name(name: &str) -> bool {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.chars().all(sound)
}

#[cfg(test)]
mod tests;
