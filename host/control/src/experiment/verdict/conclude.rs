//! What is concluded from what was measured, in sentences.

use super::{ArmUsers, Comparison, Evidenced, Split, Verdict, share, short};
use wastegate_core::stats::counts::SRM_ALARM;
use wastegate_core::stats::ratio::Estimate;

/// Users seen in two arms, as a share and a number, from which on nothing is concluded (GrowthBook's).
const MULTIPLE_MAX: (f64, u64) = (0.01, 10);

impl Evidenced<'_> {
    pub(super) fn conclude(
        &self,
        users: &[ArmUsers],
        split: &Split,
        comparisons: &[Comparison],
    ) -> (Verdict, Option<String>, Vec<String>) {
        let doubts = self.doubts(users, split);
        if !doubts.is_empty() {
            return (Verdict::Hold, None, doubts);
        }
        for comparison in comparisons {
            let harms = self.harms(comparison);
            if !harms.is_empty() {
                return (Verdict::Rollback, Some(comparison.arm.clone()), harms);
            }
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
            return (Verdict::Hold, None, diluted);
        }
        let mut why = Vec::new();
        for comparison in comparisons {
            match self.promotion(comparison) {
                Ok(said) => return (Verdict::Promotable, Some(comparison.arm.clone()), said),
                Err(missing) => why.extend(missing),
            }
        }
        (Verdict::Continue, None, why)
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
    fn harms(&self, comparison: &Comparison) -> Vec<String> {
        let (units, mut harms) = (self.definition.units(), Vec::new());
        let level = self.harm_alpha();
        for finding in &comparison.findings {
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
    fn promotion(&self, comparison: &Comparison) -> Result<Vec<String>, Vec<String>> {
        let arm = &comparison.arm;
        let (mut said, mut missing) = (Vec::new(), Vec::new());
        for finding in &comparison.findings {
            let (metric, events) = (finding.metric, finding.events);
            let Some(difference) = finding.difference else {
                missing.push(format!(
                    "`{metric}` of `{arm}` is being collected: each arm needs {} exposed {}",
                    self.definition.users_min,
                    self.definition.units()
                ));
                break;
            };
            match finding.margin {
                None if difference.high < 0.0 && events >= self.events_min() => {
                    said.push(format!(
                        "`{arm}` is better than the control in `{metric}`: {} against {}, better by at least {}",
                        number(finding.treatment), number(finding.control), short(-difference.high)
                    ));
                }
                None if events < self.events_min() => missing.push(format!(
                    "`{metric}` of `{arm}` is being collected: {events} of {} events",
                    self.definition.events_min
                )),
                None => missing.push(format!(
                    "`{metric}` of `{arm}` differs by {} (between {} and {}), which may be chance",
                    short(difference.delta),
                    short(difference.low),
                    short(difference.high)
                )),
                Some(margin) if difference.high < margin => {
                    said.push(format!("`{metric}` is worse by less than {margin}"));
                }
                Some(margin) => missing.push(format!(
                    "`{metric}` of `{arm}` may be worse by up to {}, and only {margin} is allowed",
                    short(difference.high)
                )),
            }
        }
        if missing.is_empty() {
            Ok(said)
        } else {
            Err(missing)
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a setting, far below 2^53")]
    fn events_min(&self) -> f64 {
        self.definition.events_min as f64
    }
}

fn number(estimate: Option<Estimate>) -> String {
    estimate.map_or_else(|| "nothing".to_owned(), |estimate| short(estimate.value))
}
