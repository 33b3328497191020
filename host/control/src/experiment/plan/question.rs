//! One metric of a plan: what so many users would show of it.

use super::super::definition::Definition;
use super::super::metric::Metric;
use super::super::past::covariates;
use super::arrivals::Arrivals;
use super::{MetricPlan, RecordedUsers};
use wastegate_core::stats::bounded::mixture;
use wastegate_core::stats::cuped::explained;
use wastegate_core::stats::power::{first, power_quantile};
use wastegate_core::stats::{Moments, Observed, Sequence, Spread};

/// A metric, how it varies over recorded users, and what is to be shown of it.
pub(super) struct MetricQuestion<'a> {
    definition: &'a Definition,
    metric: Metric,
    margin: Option<f64>,
    sums: Moments,
    spread: Option<Spread>,
    /// The part of the variance that the users' past explains.
    explained: f64,
    /// The two arms' parts of the users of both.
    parts: [f64; 2],
}

/// How often each test of a promotion has to be passed so that all are with the asked power.
#[expect(clippy::cast_precision_loss, reason = "tests are few")]
pub(super) fn power_each(definition: &Definition) -> f64 {
    let tests = 1 + definition.guardrails.len();
    1.0 - (1.0 - definition.power) / tests as f64
}

impl<'a> MetricQuestion<'a> {
    /// The primary metric, then the guardrails.
    pub(super) fn all(
        definition: &'a Definition,
        recorded: &RecordedUsers,
        [control, arm]: [f64; 2],
    ) -> Vec<Self> {
        let guarded = definition.guardrails.iter();
        let margins = std::iter::once((definition.primary, None))
            .chain(guarded.map(|it| (it.metric, Some(it.margin))));
        let of = |(metric, margin): (Metric, Option<f64>)| {
            let users = recorded.exposed.iter();
            let pairs: Vec<(f64, f64)> = users
                .clone()
                .map(|user| metric.pair(&user.tally, user.hours))
                .collect();
            let observed = pairs.iter().zip(users).map(|(&pair, user)| Observed {
                pair,
                before: covariates(metric, user.past.as_ref()),
            });
            let observed: Vec<Observed> = observed.collect();
            Self {
                definition,
                metric,
                margin,
                explained: if definition.use_past {
                    explained(&observed)
                } else {
                    0.0
                },
                sums: Moments::of(&pairs),
                spread: Spread::of(&pairs),
                parts: [control, arm].map(|share| share / (control + arm)),
            }
        };
        margins.map(of).collect()
    }

    fn value(&self) -> Option<f64> {
        (self.sums.sum_x() > 0.0).then(|| self.sums.sum_y() / self.sums.sum_x())
    }

    /// The difference that is to be shown.
    fn difference(&self, effect: f64) -> Option<f64> {
        let value = self.value()?;
        self.margin
            .or_else(|| (value > 0.0).then_some(value * effect))
    }

    /// A difference as a share of the value.
    pub(super) fn share_of_value(&self, difference: Option<f64>) -> Option<f64> {
        let value = self.value().filter(|value| *value > 0.0)?;
        Some(difference? / value)
    }

    /// The smallest difference that so many users of both arms show; none where they show nothing.
    pub(super) fn detectable(&self, sequence: &Sequence, users: f64) -> Option<f64> {
        let arms = self.parts.map(|part| part * users);
        let least = self.definition.users_min;
        let spread = self.spread?;
        let contrast = Spread {
            variance: spread.variance * (1.0 - self.explained),
            ..spread
        };
        let contrast = contrast.between(arms);
        let [a, b] = contrast.users;
        let events = self.sums.sum_y() / self.sums.count() * users;
        let are_enough = self.margin.is_some() || events >= self.events_min();
        if a.min(b) < least || !are_enough {
            return None;
        }
        let always = contrast.at(sequence)?;
        Some(always.high + power_quantile(power_each(self.definition)) * contrast.se)
    }

    /// The margin that the exact bound of a share shows by so many users.
    fn exactly(&self, users: f64) -> Option<f64> {
        let value = self.value().filter(|_| self.metric.is_share())?;
        let per_user = self.sums.equal_weights()? / self.sums.count();
        let [a, b] = self.parts.map(|part| part * users);
        let least = number(self.definition.users_min);
        if a.min(b) < least {
            return None;
        }
        let [a, b] = [a, b].map(|users| users * per_user);
        let bounds = |n: f64| mixture(value * n, n, self.definition.alpha / 2.0);
        let spread = value * (1.0 - value) * (1.0 / a + 1.0 / b);
        let slack = power_quantile(power_each(self.definition)) * spread.sqrt();
        Some(bounds(b).1 - bounds(a).0 + slack)
    }

    /// Users of both arms that show what is asked, by the sequence for that number. None where no number does, and
    /// zero of a guardrail that has nothing to count: it is in nobody's way.
    pub(super) fn users(
        &self,
        effect: f64,
        sequence: impl Fn(f64) -> Option<Sequence>,
    ) -> Option<f64> {
        if self.value().is_none() && self.margin.is_some() {
            return Some(0.0);
        }
        let wanted = self.difference(effect)?;
        let shows = |users: f64| {
            let by_sequence = sequence(users).and_then(|it| self.detectable(&it, users));
            let exact = self.margin.and_then(|_| self.exactly(users));
            let shown = [by_sequence, exact].into_iter().flatten();
            shown.reduce(f64::min).is_some_and(|it| it <= wanted)
        };
        Some(first(shows)).filter(|users| users.is_finite())
    }

    pub(super) fn plan(&self, effect: f64, users: Option<f64>, arrivals: &Arrivals) -> MetricPlan {
        let hours = users.and_then(|users| arrivals.hours(users));
        MetricPlan {
            metric: self.metric,
            about: self.metric.about().into(),
            margin: self.margin,
            value: self.value(),
            events: self.sums.sum_y(),
            variance_removed: self.explained,
            difference: self.difference(effect),
            users: users.map(f64::ceil),
            days: hours.map(|hours| hours / 24.0),
        }
    }

    fn events_min(&self) -> f64 {
        number(self.definition.events_min)
    }
}

#[expect(clippy::cast_precision_loss, reason = "settings, far below 2^53")]
const fn number(count: u64) -> f64 {
    count as f64
}
