//! More users by themselves, step by step, while every guardrail holds.
//!
//! A step is taken when the last one has lasted, when enough users came to be asked, and when nothing is in doubt:
//! no harm, no broken split, and no guardrail whose difference is beyond its margin. That is weaker than what a
//! promotion asks for, which so few users cannot show; what does harm is rolled back by its own tests meanwhile.
//! The hash that users fall by does not depend on outcomes, and raising the coverage moves nobody, so intervals
//! hold as they do for users who come by themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::verdict::{ExperimentVerdict, MetricComparison, PhaseAssessment, short};

/// Steps that a ramp may have.
pub const RAMP_STEPS_MAX: usize = 16;
/// The longest that a step may last, hours.
pub const RAMP_HOURS_MAX: f64 = 2_160.0;
/// Exposed users that each arm needs before the next step: whom nobody asked, nobody harmed.
pub const RAMP_USERS_MIN: u64 = 25;

/// The coverages that an experiment goes through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    /// The shares of users who take part, each more than the one before, the last at most 1. Default 0.01, 0.05,
    /// 0.25, 0.5.
    #[serde(default = "steps")]
    pub steps: Vec<f64>,
    /// How long each step lasts at least, hours, above 0 and at most 2,160. Default 24.
    #[serde(default = "hours")]
    pub hours: f64,
}

/// What a ramp does next, as the operators' API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RampView {
    /// The share of users who take part next; none if the last step is reached.
    pub next: Option<f64>,
    /// What it waits for, in sentences; empty if the next look takes the step.
    pub waits: Vec<String>,
}

fn steps() -> Vec<f64> {
    vec![0.01, 0.05, 0.25, 0.5]
}

const fn hours() -> f64 {
    24.0
}

impl Ramp {
    /// Whether the steps rise from above 0 to at most 1.
    #[must_use]
    pub fn is_rising(&self) -> bool {
        let mut last = 0.0;
        let rises = self.steps.iter().all(|step| {
            let is_more = *step > last && *step <= 1.0;
            last = *step;
            is_more
        });
        rises && (1..=RAMP_STEPS_MAX).contains(&self.steps.len())
    }

    /// What it does next, where a coverage was reached so long ago.
    pub(super) fn view(
        &self,
        coverage: f64,
        held_hours: f64,
        assessment: &PhaseAssessment,
    ) -> RampView {
        let next = self.steps.iter().copied().find(|step| *step > coverage);
        let mut waits = Vec::new();
        if next.is_none() {
            return RampView { next, waits };
        }
        if held_hours < self.hours {
            waits.push(format!(
                "a step lasts {} hours (`ramp.hours`), and this one has lasted {}",
                self.hours,
                short(held_hours)
            ));
        }
        let few = assessment
            .users
            .iter()
            .filter(|arm| arm.users < RAMP_USERS_MIN);
        waits.extend(few.map(|arm| {
            format!(
                "`{}` has {} exposed users, and a step needs {RAMP_USERS_MIN} in each arm",
                arm.arm, arm.users
            )
        }));
        if matches!(
            assessment.verdict,
            ExperimentVerdict::Rollback | ExperimentVerdict::Hold
        ) {
            waits.extend(assessment.because.iter().cloned());
        }
        for comparison in &assessment.comparisons {
            let beyond = comparison.findings.iter().filter_map(beyond);
            waits.extend(beyond.map(|(finding, delta, margin)| {
                format!(
                    "`{}` of `{}` is worse by {}, and only {margin} is allowed",
                    finding.metric,
                    comparison.arm,
                    short(delta)
                )
            }));
        }
        RampView { next, waits }
    }
}

/// A guardrail whose difference is beyond its margin, also where that may be chance: few users do not show more.
fn beyond(finding: &MetricComparison) -> Option<(&MetricComparison, f64, f64)> {
    let margin = finding.margin?;
    let values = finding.treatment.zip(finding.control);
    let delta = match finding.difference {
        Some(difference) => difference.delta,
        None => values.map(|(arm, control)| arm.value - control.value)?,
    };
    (delta >= margin).then_some((finding, delta, margin))
}
