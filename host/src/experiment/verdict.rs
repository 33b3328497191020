//! What the numbers allow to say: roll back, hold, go on, or promote.
//!
//! - Every interval is an always-valid confidence sequence, so a verdict may be looked at all the time.
//! - Harm is any of several tests, so each has its share of α (Bonferroni). A promotion is all of
//!   several tests, which needs no correction (Spotify's risk-aware rule).
//! - A broken split of users, or users seen in two arms, makes every number suspect: hold.

use serde::Serialize;

use super::definition::{Definition, Guardrail};
use super::metric::Metric;
use super::tally::Member;
use crate::stats::counts::{Evidence, SRM_ALARM, SampleRatio};
use crate::stats::moments::Moments;
use crate::stats::power::{detectable_effect, users_per_arm};
use crate::stats::ratio::{Difference, Estimate};
use crate::stats::relative::{Relative, fieller};
use crate::stats::sequence::Sequence;

/// Events without which an interval of a metric says nothing.
const EVENTS_MIN: f64 = 25.0;
/// Users seen in two arms, as a share and a number, from which on nothing is concluded (GrowthBook's).
const MULTIPLE_MAX: (f64, u64) = (0.01, 10);
/// Share of an arm's decisions completed by the built-in ranking, above which it is not itself.
const DILUTED_FROM: f64 = 0.05;
/// How strong the prior of the test for rare events is, users.
const RARE_PRIOR_USERS: f64 = 10.0;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
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
#[derive(Debug, Clone, Serialize)]
pub struct Assessment {
    /// What is to be done.
    pub verdict: Verdict,
    /// Which arm that is about, if about one.
    pub arm: Option<String>,
    /// Why, in sentences.
    pub because: Vec<String>,
    /// Each arm's users.
    pub users: Vec<ArmUsers>,
    /// Whether users fell into arms as they should.
    pub split: Split,
    /// Each arm against the control.
    pub comparisons: Vec<Comparison>,
}

/// An arm's users.
#[derive(Debug, Clone, Serialize)]
pub struct ArmUsers {
    /// The arm.
    pub arm: String,
    /// Its share.
    pub weight: f64,
    /// Exposed users.
    pub users: u64,
    /// Decisions that it was asked for.
    pub decisions: u64,
    /// Those that the built-in ranking completed; they stay with the arm (intention to treat).
    pub fallbacks: u64,
    /// So many of them that it is not compared.
    pub is_diluted: bool,
}

/// The sample ratio.
#[derive(Debug, Clone, Serialize)]
pub struct Split {
    /// At all looks so far; below [`SRM_ALARM`] it is broken.
    pub always_p: f64,
    /// At this look alone, for display.
    pub fixed: Option<SampleRatio>,
    /// Users seen in two arms.
    pub multiple: u64,
    /// Triggers of users who could not be taken in.
    pub not_taken: u64,
}

/// An arm against the control.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The arm.
    pub arm: String,
    /// The primary metric first, then the guardrails.
    pub findings: Vec<Finding>,
}

/// One metric of an arm and of the control; less is better.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// Which metric.
    pub metric: Metric,
    /// What it is.
    pub about: &'static str,
    /// By how much it may be worse; none for the primary metric.
    pub margin: Option<f64>,
    /// Its numerator in both arms.
    pub events: f64,
    /// The control's value.
    pub control: Option<Estimate>,
    /// The arm's value.
    pub treatment: Option<Estimate>,
    /// The arm's less the control's, and what is certain about it whenever it is looked at.
    pub difference: Option<Interval>,
    /// The difference's lower end at the level that a rollback asks for.
    pub harm_low: Option<f64>,
    /// The arm's over the control's; none where that cannot be estimated.
    pub relative: Option<Relative>,
    /// The smallest difference that so many users would show, if they were counted once.
    pub detectable: Option<f64>,
    /// Users per arm that it takes to see the difference as it is now.
    pub users_needed: Option<f64>,
    /// Of rare events, how often users of the arm are hit so much more by chance, at all looks.
    pub rare_p: Option<f64>,
    /// The arms may differ in what the metric is per, so it is no verdict by itself.
    pub is_per_event: bool,
}

/// A difference with its always-valid interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The difference.
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
    /// By arm.
    pub(super) members: &'a [Vec<&'a Member>],
    pub(super) unix_ms: u64,
    pub(super) split_p: f64,
    pub(super) multiple: u64,
    pub(super) not_taken: u64,
}

impl Evidenced<'_> {
    /// Looks at everything.
    pub(super) fn assess(&self) -> Assessment {
        let users = self.users();
        let comparisons: Vec<Comparison> = (1..self.definition.arms.len())
            .map(|arm| self.compare(arm))
            .collect();
        let counts: Vec<u64> = users.iter().map(|arm| arm.users).collect();
        let split = Split {
            always_p: self.split_p,
            fixed: SampleRatio::of(&counts, &self.definition.weights()),
            multiple: self.multiple,
            not_taken: self.not_taken,
        };
        let (verdict, arm, because) = self.conclude(&users, &split, &comparisons);
        Assessment {
            verdict,
            arm,
            because,
            users,
            split,
            comparisons,
        }
    }

    fn users(&self) -> Vec<ArmUsers> {
        let arms = self.definition.arms.iter().zip(self.definition.weights());
        arms.zip(self.members)
            .map(|((arm, weight), members)| {
                let sum = |of: fn(&Member) -> u64| members.iter().map(|member| of(member)).sum();
                let decisions: u64 = sum(|member| member.tally.decisions);
                let fallbacks: u64 = sum(|member| member.tally.fallbacks);
                ArmUsers {
                    arm: arm.name.clone(),
                    weight,
                    users: members.len() as u64,
                    decisions,
                    fallbacks,
                    is_diluted: share(fallbacks, decisions) > DILUTED_FROM,
                }
            })
            .collect()
    }

    fn arm(&self, arm: usize) -> &[&Member] {
        self.members.get(arm).map_or(&[], Vec::as_slice)
    }

    fn compare(&self, arm: usize) -> Comparison {
        let metrics = std::iter::once((self.definition.primary, None)).chain(
            self.definition
                .guardrails
                .iter()
                .map(|&Guardrail { metric, margin }| (metric, Some(margin))),
        );
        Comparison {
            arm: self
                .definition
                .arms
                .get(arm)
                .map(|arm| arm.name.clone())
                .unwrap_or_default(),
            findings: metrics
                .map(|(metric, margin)| self.find(arm, metric, margin))
                .collect(),
        }
    }

    /// The level of each of the tests any of which rolls back.
    #[expect(clippy::cast_precision_loss, reason = "tests are few")]
    fn harm_alpha(&self) -> f64 {
        let tests = (1 + self.definition.guardrails.len()) * (self.definition.arms.len() - 1);
        self.definition.alpha / tests.max(1) as f64
    }

    fn find(&self, arm: usize, metric: Metric, margin: Option<f64>) -> Finding {
        let sums = |arm: usize| {
            let mut sums = Moments::default();
            for member in self.arm(arm) {
                let (y, x) = metric.pair(&member.tally, member.hours(self.unix_ms));
                sums.add(y, x);
            }
            sums
        };
        let (a, b) = (sums(0), sums(arm));
        let events = a.sum_y() + b.sum_y();
        let (control, treatment) = (Estimate::of(&a), Estimate::of(&b));
        let mut finding = Finding {
            metric,
            about: metric.about(),
            margin,
            events,
            control,
            treatment,
            difference: None,
            harm_low: None,
            relative: None,
            detectable: None,
            users_needed: None,
            rare_p: (metric == Metric::BlockedUsers)
                .then(|| self.rare(arm))
                .flatten(),
            is_per_event: metric.is_per_event(),
        };
        if let (Some(control), Some(treatment)) = (control, treatment) {
            self.estimate(&mut finding, &control, &treatment);
        }
        finding
    }

    fn estimate(&self, finding: &mut Finding, control: &Estimate, treatment: &Estimate) {
        let Definition { alpha, power, .. } = *self.definition;
        let fixed = Difference::of(control, treatment, alpha);
        let per_arm = control.users.min(treatment.users);
        let (va, vb) = (control.variance, treatment.variance);
        #[expect(clippy::cast_precision_loss, reason = "2^53 users are beyond anybody")]
        let (per_arm_users, both) = (per_arm as f64, (control.users + treatment.users) as f64);
        finding.detectable = Some(detectable_effect(va, vb, per_arm_users, alpha, power))
            .filter(|effect| effect.is_finite());
        finding.users_needed = Some(users_per_arm(va, vb, fixed.delta, alpha, power).ceil())
            .filter(|users| users.is_finite());
        finding.relative = fieller(control, treatment, alpha).ok();
        if per_arm < self.definition.users_min {
            return;
        }
        let planned = f64::from(self.definition.planned_users);
        let sequence = |alpha| Sequence::new(alpha, planned);
        finding.difference = sequence(alpha).map(|sequence| {
            let always = sequence.at(fixed.delta, fixed.se, both);
            Interval {
                delta: fixed.delta,
                se: fixed.se,
                low: always.low,
                high: always.high,
                p: always.p,
            }
        });
        let harm = sequence(self.harm_alpha()).map(|it| it.at(fixed.delta, fixed.se, both).low);
        finding.harm_low = harm.filter(|_| finding.events >= EVENTS_MIN);
    }

    /// Whether more users of an arm are refused than its share, by the exact test for rare events: a
    /// user counts once, and it needs no number of users.
    fn rare(&self, arm: usize) -> Option<f64> {
        let weights = self.definition.weights();
        let shares = [*weights.first()?, *weights.get(arm)?];
        let hit = |arm: usize| {
            let blocked = self
                .arm(arm)
                .iter()
                .filter(|member| member.tally.blocked > 0);
            blocked.count() as u64
        };
        let counts = [hit(0), hit(arm)];
        let evidence = Evidence::against(&shares, RARE_PRIOR_USERS)?;
        let expected = share(counts[0], 1) * shares[1] / shares[0];
        // Only harm counts: fewer than the share is no alarm.
        let is_more = share(counts[1], 1) > expected;
        is_more.then(|| (-evidence.ln_e(&counts)).exp().min(1.0))
    }

    fn conclude(
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
        let mut doubts = Vec::new();
        if split.always_p < SRM_ALARM {
            let counts: Vec<String> = users
                .iter()
                .map(|arm| format!("{} in `{}`", arm.users, arm.arm))
                .collect();
            doubts.push(format!(
                "users do not fall into the arms as they should ({}; p = {:.2e} at all looks): find out who is missing (by node, tier, client version) before anything else",
                counts.join(", "), split.always_p
            ));
        }
        let all: u64 = users.iter().map(|arm| arm.users).sum();
        let (share_max, users_max) = MULTIPLE_MAX;
        if split.multiple >= users_max && share(split.multiple, all) > share_max {
            doubts.push(format!(
                "{} of {all} users were seen in two arms: look for user ids that change, or nodes with other definitions",
                split.multiple
            ));
        }
        doubts
    }

    /// What an arm makes worse, with certainty.
    fn harms(&self, comparison: &Comparison) -> Vec<String> {
        let mut harms = Vec::new();
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
                    "more users of `{}` than its share are refused (p = {p:.2e} at all looks, level {level:.4})",
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
                    "`{metric}` of `{arm}` is being collected: each arm needs {} exposed users",
                    self.definition.users_min
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

#[expect(clippy::cast_precision_loss, reason = "2^53 events are beyond anybody")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

fn number(estimate: Option<Estimate>) -> String {
    estimate.map_or_else(|| "nothing".to_owned(), |estimate| short(estimate.value))
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
