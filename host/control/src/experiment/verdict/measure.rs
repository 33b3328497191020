//! What is measured: each arm's users, and each metric of an arm against the control's.

use super::super::definition::{Definition, Guardrail};
use super::super::metric::Metric;
use super::super::past::covariates;
use super::super::tally::Member;
use super::{
    ArmUsers, ClassComparison, Comparison, Evidenced, Interval, MetricComparison, PhaseAssessment,
    Split, share,
};
use wastegate_core::stats::bounded::mixture;
use wastegate_core::stats::counts::{MultinomialTest, SampleRatio};
use wastegate_core::stats::power::{sequence_effect, sequence_users};
use wastegate_core::stats::relative::fieller_within;
use wastegate_core::stats::{Adjusted, Contrast, Estimate, Moments, Observed, Sequence, adjust};

/// Events without which an interval of a metric says nothing.
const EVENTS_MIN: f64 = 25.0;
/// Share of an arm's decisions completed by the built-in ranking, above which it is not itself.
const DILUTED_FROM: f64 = 0.05;
/// How strong the prior of the test for rare events is, users.
const RARE_PRIOR_USERS: f64 = 10.0;

impl Evidenced<'_> {
    /// Looks at everything.
    pub(in crate::experiment) fn assess(&self) -> PhaseAssessment {
        let users = self.users();
        let by_class = self.by_class().into_iter();
        let comparisons: Vec<Comparison> = (1..self.definition.arms.len())
            .zip(by_class)
            .map(|(arm, by_class)| self.compare(arm, by_class))
            .collect();
        let counts: Vec<u64> = users.iter().map(|arm| arm.users).collect();
        let split = Split {
            always_p: self.split_p,
            fixed: SampleRatio::of(&counts, &self.definition.weights()),
            multiple: self.multiple,
            not_taken: self.not_taken,
        };
        let (verdict, arm, because) = self.conclude(&users, &split, &comparisons);
        PhaseAssessment {
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
                    is_diluted: self.is_surely_above(fallbacks, decisions),
                }
            })
            .collect()
    }

    /// Whether so many decisions were not an arm's own that few would not show it.
    fn is_surely_above(&self, fallbacks: u64, decisions: u64) -> bool {
        let (fallbacks, decisions) = (share(fallbacks, 1), share(decisions, 1));
        mixture(fallbacks, decisions, self.definition.alpha).0 > DILUTED_FROM
    }

    pub(super) fn arm(&self, arm: usize) -> &[&Member] {
        self.members.get(arm).map_or(&[], Vec::as_slice)
    }

    fn compare(&self, arm: usize, by_class: Vec<ClassComparison>) -> Comparison {
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
            by_class,
        }
    }

    /// The level of each of the tests any of which rolls back.
    #[expect(clippy::cast_precision_loss, reason = "tests are few")]
    pub(super) fn harm_alpha(&self) -> f64 {
        let tests = (1 + self.definition.guardrails.len()) * (self.definition.arms.len() - 1);
        self.definition.alpha / tests.max(1) as f64
    }

    fn find(&self, arm: usize, metric: Metric, margin: Option<f64>) -> MetricComparison {
        let observed = |arm: usize| -> Vec<Observed> {
            let members = self.arm(arm).iter();
            members.map(|member| self.observe(metric, member)).collect()
        };
        let arms = [observed(0), observed(arm)];
        let [a, b] = &arms;
        let sums = [a, b].map(|arm| {
            let mut sums = Moments::default();
            arm.iter()
                .for_each(|user| sums.add(user.pair.0, user.pair.1));
            sums
        });
        let [control, treatment] = sums.map(|sums| Estimate::of(&sums));
        let adjusted = adjust(a, b);
        let mut finding = MetricComparison {
            metric,
            about: metric.about().into(),
            margin,
            events: sums.iter().map(Moments::sum_y).sum(),
            is_empty: sums.iter().all(|sums| sums.sum_x() <= 0.0),
            control,
            treatment,
            difference: None,
            harm_low: None,
            contributing: adjusted.map_or(0.0, |it| it.contrast.effective),
            variance_removed: adjusted.map_or(0.0, |it| it.variance_removed),
            worst: None,
            relative: None,
            detectable: None,
            users_needed: None,
            rare_p: (metric == Metric::BlockedUsers)
                .then(|| self.rare(arm))
                .flatten(),
            is_per_event: metric.is_per_event(),
        };
        let are_enough = sums
            .iter()
            .all(|sums| sums.n() >= self.definition.users_min);
        if let Some(adjusted) = adjusted {
            self.plan(&mut finding, &adjusted.contrast);
            if are_enough {
                self.conclude_from(&mut finding, &adjusted);
            }
        }
        if are_enough && metric.is_share() {
            let exact = self.exactly_worst(&sums);
            let ends = [finding.worst, exact].into_iter().flatten();
            finding.worst = ends.reduce(f64::min);
        }
        finding
    }

    /// A user's values, and what foretold them.
    pub(super) fn observe(&self, metric: Metric, member: &Member) -> Observed {
        let past = member.exposure.past.as_ref();
        Observed {
            pair: metric.pair(&member.tally, member.hours(self.unix_ms)),
            before: covariates(metric, past.filter(|_| self.definition.use_past)),
        }
    }

    pub(super) fn sequence(&self, alpha: f64) -> Option<Sequence> {
        Sequence::new(alpha, f64::from(self.definition.planned_users))
    }

    /// What so many users show, and how many it takes.
    fn plan(&self, finding: &mut MetricComparison, contrast: &Contrast) {
        let Definition { alpha, power, .. } = *self.definition;
        let Some(sequence) = self.sequence(alpha).filter(|_| contrast.se > 0.0) else {
            return;
        };
        let users = contrast.both();
        let effect = finding.margin.unwrap_or(contrast.delta);
        finding.detectable = Some(sequence_effect(&sequence, contrast.se, users, power));
        let needed = sequence_users(&sequence, (contrast.se, users), effect, power).ceil();
        finding.users_needed = Some(needed).filter(|users| users.is_finite());
    }

    /// What is certain whenever it is looked at.
    fn conclude_from(&self, finding: &mut MetricComparison, adjusted: &Adjusted) {
        let contrast = &adjusted.contrast;
        let sequence = self.sequence(self.definition.alpha);
        let Some((sequence, always)) =
            sequence.and_then(|sequence| Some((sequence, contrast.at(&sequence)?)))
        else {
            return;
        };
        finding.difference = Some(Interval {
            delta: contrast.delta,
            se: contrast.se,
            low: always.low,
            high: always.high,
            p: always.p,
        });
        finding.worst = Some(always.high);
        let harm = self.sequence(self.harm_alpha());
        let harm = harm.and_then(|sequence| contrast.at(&sequence));
        finding.harm_low = harm
            .map(|always| always.low)
            .filter(|_| finding.events >= EVENTS_MIN);
        let reach = sequence.reach(contrast.both());
        if let (Some(mut control), Some(mut treatment)) = (finding.control, finding.treatment) {
            // The arms' values are shown as they are, so their ratio has the variance that they have.
            [control.variance, treatment.variance] = adjusted.plain.variances;
            finding.relative = fieller_within(&control, &treatment, reach).ok();
        }
    }

    /// The most by which a share may be worse, for few events and for none: each arm's exact bound at half of
    /// the level.
    fn exactly_worst(&self, sums: &[Moments; 2]) -> Option<f64> {
        let bounds = |sums: &Moments| {
            let share = sums.sum_y() / sums.sum_x();
            let n = sums.equal_weights()?;
            Some(mixture(share * n, n, self.definition.alpha / 2.0))
        };
        let [(low, _), (_, high)] = [bounds(&sums[0])?, bounds(&sums[1])?];
        Some(high - low)
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
        let evidence = MultinomialTest::against(&shares, RARE_PRIOR_USERS)?;
        let expected = share(counts[0], 1) * shares[1] / shares[0];
        // Only harm counts: fewer than the share is no alarm.
        let is_more = share(counts[1], 1) > expected;
        is_more.then(|| (-evidence.ln_e(&counts)).exp().min(1.0))
    }
}
