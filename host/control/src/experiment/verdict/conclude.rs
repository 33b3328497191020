//! What is concluded from what was measured, in sentences.

use super::{
    ArmUsers, Comparison, Evidenced, ExperimentVerdict, MetricComparison, Split, share, short,
};
use wastegate_core::stats::contrast::EFFECTIVE_MIN;
use wastegate_core::stats::counts::SRM_ALARM;
use wastegate_core::stats::ratio::Estimate;

/// Users seen in two arms, as a share and a number, from which on nothing is concluded (GrowthBook's).
const MULTIPLE_MAX: (f64, u64) = (0.01, 10);

/// Digits of a digest that are shown.
const DIGEST_SHOWN: usize = 12;

/// Which harms are looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Refusals,
    All,
}

impl Evidenced<'_> {
    pub(super) fn conclude(
        &self,
        users: &[ArmUsers],
        split: &Split,
        comparisons: &[Comparison],
    ) -> (ExperimentVerdict, Option<String>, Vec<String>) {
        if let Some((arm, same)) = self.without_difference() {
            return (ExperimentVerdict::Hold, Some(arm), vec![same]);
        }
        let worse = |comparison: &Comparison, of: Of| {
            let harms = self.harms(comparison, of);
            (!harms.is_empty()).then(|| {
                (
                    ExperimentVerdict::Rollback,
                    Some(comparison.arm.clone()),
                    harms,
                )
            })
        };
        // Whoever is refused is refused now, whatever else is in doubt.
        if let Some(harm) = comparisons.iter().find_map(|it| worse(it, Of::Refusals)) {
            return harm;
        }
        let doubts = self.doubts(users, split);
        if !doubts.is_empty() {
            return (ExperimentVerdict::Hold, None, doubts);
        }
        let mut why = Vec::new();
        if let Some((verdict, arm, harms)) = comparisons.iter().find_map(|it| worse(it, Of::All)) {
            let wait_s = u64::from(self.definition.harm_after_s);
            if self.age_ms() >= wait_s.saturating_mul(1_000) {
                return (verdict, arm, harms);
            }
            why.push(format!(
                "there are signs of harm, and the phase is {} s old: they count from {wait_s} s on (`harm_after_s`)",
                self.age_ms() / 1_000
            ));
            why.extend(harms);
            return (ExperimentVerdict::Continue, arm, why);
        }
        let diluted = users.iter().filter(|arm| arm.is_diluted);
        let diluted: Vec<String> = diluted
            .map(|arm| {
                format!(
                    "`{}` is diluted: the built-in ranking completed {} of its {} decisions, so it is shown and not compared",
                    arm.arm, arm.fallbacks, arm.decisions
                )
            })
            .collect();
        if !diluted.is_empty() {
            return (ExperimentVerdict::Hold, None, diluted);
        }
        for comparison in comparisons {
            match self.promotion(users, comparison) {
                Ok(reasons) => {
                    return (
                        ExperimentVerdict::Promotable,
                        Some(comparison.arm.clone()),
                        reasons,
                    );
                }
                Err(missing) => why.extend(missing),
            }
        }
        (ExperimentVerdict::Continue, None, why)
    }

    /// How old the phase is, ms.
    fn age_ms(&self) -> u64 {
        self.unix_ms.saturating_sub(self.phase.unix_ms)
    }

    /// An arm that is the control: the same code with the same parameters.
    fn without_difference(&self) -> Option<(String, String)> {
        let (control, others) = self.phase.arms.split_first()?;
        let arm = others.iter().find(|arm| arm.ranks_as(control))?;
        let digest: String = arm.digest.chars().take(DIGEST_SHOWN).collect();
        Some((
            arm.name.clone(),
            format!(
                "`{}` and `{}` are the same: `{}` {} ({digest}) with the same parameters; there is nothing to compare, so start an experiment with another policy or other parameters",
                control.name, arm.name, arm.policy, arm.version
            ),
        ))
    }

    /// Why nothing may be concluded at all.
    fn doubts(&self, users: &[ArmUsers], split: &Split) -> Vec<String> {
        let (units, mut doubts) = (self.definition.units(), Vec::new());
        if split.always_p < SRM_ALARM {
            let counts: Vec<String> = users
                .iter()
                .map(|arm| format!("{} in `{}`", arm.users, arm.arm))
                .collect();
            doubts.push(format!(
                "{units} do not fall into the arms as they should ({}; p = {:.2e} at all looks): find out who is missing (by node, tier, client version) before anything else",
                counts.join(", "), split.always_p
            ));
        }
        let all: u64 = users.iter().map(|arm| arm.users).sum();
        let (share_max, users_max) = MULTIPLE_MAX;
        if split.multiple >= users_max && share(split.multiple, all) > share_max {
            doubts.push(format!(
                "{} of {all} {units} were seen in two arms: look for user ids that change, or nodes with other definitions",
                split.multiple
            ));
        }
        doubts
    }

    /// What an arm makes worse, with certainty.
    fn harms(&self, comparison: &Comparison, of: Of) -> Vec<String> {
        let (units, mut harms) = (self.definition.units(), Vec::new());
        let level = self.harm_alpha();
        let findings = comparison.findings.iter();
        for finding in findings.filter(|it| of == Of::All || it.metric.is_of_refusals()) {
            if let (Some(low), Some(difference)) = (finding.harm_low, finding.difference)
                && low > 0.0
            {
                harms.push(format!(
                    "`{}` is worse than the control in `{}` ({}): {} against {}, worse by at least {} at the level {level:.4} of {} tests (p = {:.2e})",
                    comparison.arm, finding.metric, finding.about,
                    number(finding.treatment), number(finding.control), short(low),
                    comparison.findings.len(), difference.p,
                ));
            } else if let Some(p) = finding.rare_p
                && p < level
            {
                harms.push(format!(
                    "more {units} of `{}` than its share have a refusal (p = {p:.2e} at all looks, level {level:.4})",
                    comparison.arm
                ));
            }
        }
        harms
    }

    /// Why an arm may be promoted, or what is missing.
    fn promotion(
        &self,
        users: &[ArmUsers],
        comparison: &Comparison,
    ) -> Result<Vec<String>, Vec<String>> {
        let arm = &comparison.arm;
        let (mut reasons, mut missing) = (Vec::new(), Vec::new());
        if users
            .iter()
            .any(|arm| arm.users < self.definition.users_min)
        {
            return Err(vec![format!(
                "`{}` of `{arm}` is being collected: each arm needs {} exposed {}",
                self.definition.primary,
                self.definition.users_min,
                self.definition.units()
            )]);
        }
        for finding in &comparison.findings {
            let judged = match finding.margin {
                _ if finding.is_empty => self.empty(finding),
                None => self.improvement(arm, finding),
                Some(margin) => guarded(arm, finding, margin),
            };
            match judged {
                Ok(fine) => reasons.push(fine),
                Err(why) => missing.push(why),
            }
        }
        missing.extend(comparison.by_class.iter().filter_map(|class| {
            let low = class.difference.map(|it| it.low).filter(|low| *low > 0.0)?;
            Some(format!(
                "`{arm}` is worse for users of the device class `{}`, by at least {}: find out why before all of them get it",
                class.class,
                short(low)
            ))
        }));
        let hours = self.definition.hours_min;
        if share(self.age_ms(), 3_600_000) < hours {
            missing.push(format!(
                "a phase runs for at least {hours} hours before a promotion (`hours_min`), and this one is {} old",
                age(self.age_ms())
            ));
        }
        if missing.is_empty() {
            Ok(reasons)
        } else {
            Err(missing)
        }
    }

    /// A metric that has nothing to divide by decides nothing, and a guardrail of that kind is in nobody's way.
    fn empty(&self, finding: &MetricComparison) -> Result<String, String> {
        let metric = finding.metric;
        let reasons = format!(
            "`{metric}` has nothing to count in any arm: {}",
            metric.counts_of()
        );
        match finding.margin {
            Some(_) => Ok(reasons),
            None => Err(format!("{reasons}; take another `primary`")),
        }
    }

    /// Whether the primary metric is better, or why that is not known.
    fn improvement(&self, arm: &str, finding: &MetricComparison) -> Result<String, String> {
        let (metric, events) = (finding.metric, finding.events);
        let Some(difference) = finding.difference else {
            return Err(few_contribute(arm, finding));
        };
        if events < self.events_min() {
            return Err(format!(
                "`{metric}` of `{arm}` is being collected: {events} of {} events",
                self.definition.events_min
            ));
        }
        if difference.high < 0.0 {
            return Ok(format!(
                "`{arm}` is better than the control in `{metric}`: {} against {}, better by at least {}",
                number(finding.treatment),
                number(finding.control),
                short(-difference.high)
            ));
        }
        Err(format!(
            "`{metric}` of `{arm}` differs by {} (between {} and {}), which may be chance{}",
            short(difference.delta),
            short(difference.low),
            short(difference.high),
            self.shown_by(finding)
        ))
    }

    fn shown_by(&self, finding: &MetricComparison) -> String {
        let units = self.definition.units();
        finding.users_needed.map_or_else(String::new, |needed| {
            format!("; about {needed:.0} {units} in both arms would show it")
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "a setting, far below 2^53")]
    fn events_min(&self) -> f64 {
        self.definition.events_min as f64
    }
}

/// Whether a guardrail is worse by less than its margin, or why that is not known.
fn guarded(arm: &str, finding: &MetricComparison, margin: f64) -> Result<String, String> {
    let metric = finding.metric;
    match finding.worst {
        Some(worst) if worst < margin => Ok(format!(
            "`{metric}` is worse by less than {margin}: by at most {}",
            short(worst.max(0.0))
        )),
        Some(worst) => Err(format!(
            "`{metric}` of `{arm}` may be worse by up to {}, and only {margin} is allowed{}",
            short(worst),
            finding
                .users_needed
                .map_or_else(String::new, |needed| format!(
                    "; about {needed:.0} users in both arms would show it"
                ))
        )),
        None => Err(few_contribute(arm, finding)),
    }
}

/// That the values of so few users would decide.
fn few_contribute(arm: &str, finding: &MetricComparison) -> String {
    format!(
        "`{}` of `{arm}` rests on {} contributing users in the smaller arm, and an interval needs {EFFECTIVE_MIN}: too few decide it",
        finding.metric,
        short(finding.contributing)
    )
}

/// A time in the largest unit that fits.
fn age(ms: u64) -> String {
    match ms / 1_000 {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s => format!("{} h", s / 3_600),
    }
}

fn number(estimate: Option<Estimate>) -> String {
    estimate.map_or_else(|| "nothing".to_owned(), |estimate| short(estimate.value))
}
