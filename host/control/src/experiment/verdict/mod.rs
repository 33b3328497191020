//! What the numbers allow to say: roll back, hold, go on, or promote.
//!
//! - Every interval is an always-valid confidence sequence, so a verdict may be looked at all the time.
//! - Harm is any of several tests, so each has its share of α (Bonferroni). A promotion is all of
//!   several tests, which needs no correction (Spotify's risk-aware rule).
//! - Device classes are several tests too: their intervals share α, and a class that is surely worse off keeps an
//!   arm from being promoted. No class rolls back by itself.
//! - What few users decide is concluded from by nobody: see [`wastegate_core::stats::contrast`].
//! - Refused users are the one harm that outranks every doubt: a lock-out is stopped first.
//! - A broken split of users, or users seen in two arms, makes every number suspect: hold.

mod classes;
mod conclude;
mod measure;

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::definition::Definition;
use super::entry::PhaseKey;
use super::metric::Metric;
use super::tally::Member;
use wastegate_core::stats::counts::SampleRatio;
use wastegate_core::stats::ratio::Estimate;
use wastegate_core::stats::relative::Relative;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExperimentVerdict {
    /// Some arm does harm.
    Rollback,
    /// The numbers cannot be trusted.
    Hold,
    /// Nothing is certain yet.
    Continue,
    /// Some arm is better and no worse in anything guarded.
    Promotable,
}

/// Everything that is known of a phase.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PhaseAssessment {
    /// What is to be done.
    pub verdict: ExperimentVerdict,
    /// Which arm that is about, if about one.
    pub arm: Option<String>,
    /// Why, in sentences.
    pub because: Vec<String>,
    /// Users that were exposed to the arm in this phase.
    pub users: Vec<ArmUsers>,
    /// Whether users fell into arms as they should.
    pub split: Split,
    /// Each arm against the control.
    pub comparisons: Vec<Comparison>,
}

/// An arm's users.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ArmUsers {
    /// The arm's name.
    pub arm: String,
    /// The arm's share of users, from 0 to 1.
    pub weight: f64,
    /// Users that were exposed to the arm in this phase.
    pub users: u64,
    /// Decisions that it was asked for.
    pub decisions: u64,
    /// Those that the built-in ranking completed; they stay with the arm (intention to treat).
    pub fallbacks: u64,
    /// So many of them that it is not compared.
    pub is_diluted: bool,
}

/// The sample ratio.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Split {
    /// At all looks so far; below [`SRM_ALARM`](wastegate_core::stats::counts::SRM_ALARM) it is broken.
    pub always_p: f64,
    /// At this look alone, for display.
    pub fixed: Option<SampleRatio>,
    /// Users seen in two arms.
    pub multiple: u64,
    /// Triggers of users who could not be taken in.
    pub not_taken: u64,
}

/// An arm against the control.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The arm's name.
    pub arm: String,
    /// The primary metric first, then the guardrails.
    pub findings: Vec<MetricComparison>,
    /// The primary metric for users of each device class, in the order of their codes; those that were met.
    #[serde(default)]
    pub by_class: Vec<ClassComparison>,
}

/// The primary metric for users of one device class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClassComparison {
    /// What most of their managers ran on at their first trigger.
    pub class: Cow<'static, str>,
    /// Users of the control and of the arm.
    pub users: [u64; 2],
    /// The control's value and the arm's.
    pub values: [Option<f64>; 2],
    /// The difference, with an interval that holds for all classes and arms together.
    pub difference: Option<Interval>,
    /// The p-value, adjusted for all classes and arms (Holm's method); 1 where too few users contribute.
    pub adjusted_p: f64,
}

/// One metric of an arm and of the control; less is better.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct MetricComparison {
    /// The metric that is compared.
    pub metric: Metric,
    /// One sentence about what the metric measures.
    pub about: Cow<'static, str>,
    /// By how much it may be worse; none for the primary metric.
    pub margin: Option<f64>,
    /// Its numerator in both arms.
    pub events: f64,
    /// There is nothing to divide by in either arm, e.g. no victim that could have answered.
    pub is_empty: bool,
    /// The control's value.
    pub control: Option<Estimate>,
    /// The arm's value.
    pub treatment: Option<Estimate>,
    /// The arm's less the control's, and what is certain about it whenever it is looked at.
    pub difference: Option<Interval>,
    /// The difference's lower end at the level that a rollback asks for.
    pub harm_low: Option<f64>,
    /// Users who contribute to it, as many as are expected in the smaller arm; below
    /// [`EFFECTIVE_MIN`](wastegate_core::stats::contrast::EFFECTIVE_MIN) nothing is concluded from it.
    pub contributing: f64,
    /// The part of the variance that the users' past explains and that the difference is without, 0 to 1.
    #[serde(default)]
    pub variance_removed: f64,
    /// The most by which the arm may be worse: the difference's upper end, or an exact bound where events are
    /// too few for that.
    pub worst: Option<f64>,
    /// The arm's over the control's, whenever it is looked at; none where that cannot be estimated.
    pub relative: Option<Relative>,
    /// The smallest difference that so many users show with the power that was asked for, at all looks.
    pub detectable: Option<f64>,
    /// Users of both arms that it takes to show the difference as it is now; of a guardrail, to show that it is
    /// worse by less than its margin where it is not worse at all.
    pub users_needed: Option<f64>,
    /// Of rare events, how often users of the arm are hit so much more by chance, at all looks.
    pub rare_p: Option<f64>,
    /// The arms may differ in what the metric is per, so it is no verdict by itself.
    pub is_per_event: bool,
}

/// A difference with its always-valid interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// The arm's mean less the control's, in the metric's unit.
    pub delta: f64,
    /// Its standard error.
    pub se: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
    /// The always-valid p-value.
    pub p: f64,
}

/// What an assessment is made of.
pub(super) struct Evidenced<'a> {
    pub(super) definition: &'a Definition,
    pub(super) phase: &'a PhaseKey,
    /// The exposed users or windows of each arm, in the order of the arms.
    pub(super) members: &'a [Vec<&'a Member>],
    pub(super) unix_ms: u64,
    pub(super) split_p: f64,
    pub(super) multiple: u64,
    pub(super) not_taken: u64,
}

/// What users in arms come to at a moment, as a running experiment judges them whose split of users is sound:
/// for simulations, and to look at recorded users again.
#[must_use]
pub fn judge(
    definition: &Definition,
    phase: &PhaseKey,
    arms: &[Vec<&Member>],
    unix_ms: u64,
) -> PhaseAssessment {
    let evidenced = Evidenced {
        definition,
        phase,
        members: arms,
        unix_ms,
        split_p: 1.0,
        multiple: 0,
        not_taken: 0,
    };
    evidenced.assess()
}

#[expect(clippy::cast_precision_loss, reason = "2^53 events are beyond anybody")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// Four digits that count.
pub(super) fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    #[expect(clippy::cast_possible_truncation, reason = "a logarithm is small")]
    let digits = value.abs().log10().floor() as i32;
    let places = usize::try_from(3 - digits).unwrap_or(0);
    format!("{value:.places$}")
}
