//! Why an experiment cannot be as it is defined, in sentences with a remedy.

use super::super::assign::BadLayer;
use super::super::metric::Metric;
use super::super::ramp::RAMP_STEPS_MAX;
use super::super::switchback::{Switchback, WINDOW_PER_WASHOUT_MIN, WINDOW_S_MAX};
use super::{ARMS_MAX, GUARDRAILS_MAX, NAME_CHARS_MAX, WEIGHT_MIN};

/// Why an experiment cannot be as it is defined.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
pub enum Invalid {
    /// A name that paths and labels cannot hold.
    #[error(
        "`name` is `{0}`: use 1 to {NAME_CHARS_MAX} of a to z, 0 to 9 and `-`, since it is in paths and labels"
    )]
    Name(String),
    /// Too few arms.
    #[error(
        "`arms` has {0}: an experiment compares at least two, the first of them the control, such as arms = [{{ policy = \"champion\" }}, {{ policy = \"lru\" }}]"
    )]
    TooFewArms(usize),
    /// More arms than [`ARMS_MAX`].
    #[error("`arms` has {0}: at most {ARMS_MAX} can be told apart")]
    TooManyArms(usize),
    /// Two of one name.
    #[error("two arms are called `{0}`: give each a `name` of its own")]
    SameName(String),
    /// An arm's name.
    #[error("`arms[{at}].name` is `{name}`: use 1 to {NAME_CHARS_MAX} of a to z, 0 to 9 and `-`")]
    ArmName {
        /// Which arm, from 0.
        at: usize,
        name: String,
    },
    /// A draw that cannot be made.
    #[error(
        "`arms[{0}].explore` is none of the two: give {{ epsilon = 0.1 }} (above 0, at most 1), or {{ temperature = 1.0 }} (above 0, at most 100)"
    )]
    Explore(usize),
    /// Weights here and none there.
    #[error("some arms have a `weight` and some have none: give all of them one, or none")]
    SomeWeights,
    /// A weight of nothing.
    #[error("`arms[{at}].weight` is {weight}: give a share from {WEIGHT_MIN} to below 1")]
    Weight {
        /// Which arm, from 0.
        at: usize,
        weight: f64,
    },
    /// Weights that are no shares.
    #[error("the arms' weights sum to {0}: they are shares and sum to 1")]
    Weights(f64),
    /// A number out of its range.
    #[error("`{key}` is {value}: {remedy}")]
    Range {
        key: String,
        value: f64,
        /// What it may be.
        remedy: &'static str,
    },
    /// Steps that do not rise.
    #[error(
        "`ramp.steps` is {0:?}: give 1 to {RAMP_STEPS_MAX} shares of users, each more than the one before, above 0 and at most 1, such as [0.01, 0.05, 0.25, 0.5]"
    )]
    RampSteps(Vec<f64>),
    /// A ramp, and something else that says who takes part.
    #[error(
        "`ramp` says how many users take part: leave out `coverage` and `switchback`, and give the last coverage as its last step"
    )]
    RampOfSome,
    /// Windows that are too short for what is left out of them, or too long.
    #[error(
        "`switchback` has windows of {} s and leaves out {} s of each: leave out at least 1 s, and give windows of at least {WINDOW_PER_WASHOUT_MIN} times that and at most {WINDOW_S_MAX} s",
        .0.window_s,
        .0.washout_s
    )]
    Switchback(Switchback),
    /// A part of the users.
    #[error(
        "`switchback` is about the whole node: leave out `coverage` and `layer`, since nobody is left aside in a window"
    )]
    SwitchbackOfSome,
    /// A holdout that is none.
    #[error(
        "`holdout` compares a policy that few users keep with everything that the others get: give two arms, first the policy by its name with a `weight`, then `champion` with the rest and nothing else, such as arms = [{{ name = \"held\", policy = \"lru\", weight = 0.05 }}, {{ policy = \"champion\", weight = 0.95 }}]; leave out `coverage`, `layer`, `ramp` and `switchback`"
    )]
    Holdout,
    /// A metric that looks further ahead.
    #[error(
        "`{metric}` looks {ahead_s} s ahead, beyond `switchback.washout_s`: what one arm did would be counted as the next one's; make it at least {ahead_s}, or take a metric that looks less far"
    )]
    Washout {
        metric: Metric,
        /// How far it looks, s.
        ahead_s: u64,
    },
    /// A layer that cannot be.
    #[error("`layer`: {0}")]
    Layer(#[from] BadLayer),
    /// A layer without a name.
    #[error("`layer.name` is empty: give the layer's name, the same in every experiment of it")]
    LayerName,
    /// A guardrail that decides as well, or twice.
    #[error("`guardrails` names `{0}` {1}")]
    Guardrail(Metric, &'static str),
    /// Too many guardrails.
    #[error(
        "`guardrails` has {0}: at most {GUARDRAILS_MAX}, since each takes from the others' power"
    )]
    Guardrails(usize),
}
