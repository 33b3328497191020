//! What is measured: each arm's users, and each metric of an arm against the control's.

use super::super::definition::{Definition, Guardrail};
use super::super::metric::Metric;
use super::super::tally::Member;
use super::{ArmUsers, Assessment, Comparison, Evidenced, Finding, Interval, Split, share};
use wastegate_core::stats::counts::{Evidence, SampleRatio};
use wastegate_core::stats::moments::Moments;
use wastegate_core::stats::power::{detectable_effect, users_per_arm};
use wastegate_core::stats::ratio::{Difference, Estimate};
use wastegate_core::stats::relative::fieller;
use wastegate_core::stats::sequence::Sequence;

/// Events without which an interval of a metric says nothing.
const EVENTS_MIN: f64 = 25.0;
/// Share of an arm's decisions completed by the built-in ranking, above which it is not itself.
const DILUTED_FROM: f64 = 0.05;
/// How strong the prior of the test for rare events is, users.
const RARE_PRIOR_USERS: f64 = 10.0;

impl Evidenced<'_> {
    /// Looks at everything.
    pub(in crate::experiment) fn assess(&self) -> Assessment {
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
    pub(super) fn harm_alpha(&self) -> f64 {
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
}
