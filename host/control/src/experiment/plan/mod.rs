//! What an experiment takes, before it starts: users, days, and the smallest effect that they show.
//!
//! Users are as a recording has them. From their values come the variance of each metric, its skewness and how
//! many of them contribute; from their first triggers how fast an experiment fills. The questions are answered
//! for the tests that the verdict is made of: the sequence that is looked at all the time, and for margins of
//! shares the exact bound, whichever takes fewer users.
//!
//! A promotion wants the primary metric better **and** every guardrail inside its margin. All of them hold with the
//! asked power where each has the power 1 − (1 − power)/tests (Schultzberg, Ankargren and Frånberg, "Risk-aware
//! product decisions in A/B tests with multiple metrics", arXiv 2402.11609).
//!
//! Not here: reading recordings, and who ranks for them (`lab::replay`).

mod arrivals;
mod question;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use self::arrivals::Arrivals;
use self::question::MetricQuestion;
use super::definition::{Definition, Invalid};
use super::metric::Metric;
use super::past::UserPast;
use super::tally::ExposureTally;
use wastegate_core::stats::Sequence;

/// Days for which a plan says what they show.
const DAYS: [f64; 6] = [1.0, 2.0, 3.0, 7.0, 14.0, 28.0];
/// A recording of fewer exposed users says nothing about others.
pub const RECORDED_MIN: usize = 30;
/// By so much fewer users another `planned_users` has to take before it is named.
const TUNED_GAIN: f64 = 0.05;

/// Users of a recording, as an experiment would have counted them.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedUsers {
    /// All users of the recording.
    pub users: u64,
    /// From its first event to its last, hours.
    pub hours: f64,
    /// Those for whom room had to be made.
    pub exposed: Vec<RecordedUser>,
}

/// A user for whom room had to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedUser {
    /// When the first time was, hours after the beginning of the recording.
    pub after_hours: f64,
    /// When the user was first seen, hours after the beginning of the recording; 0 for one of its past.
    pub seen_after_hours: f64,
    /// How long the recording goes on after that, hours.
    pub hours: f64,
    /// What was counted in that time.
    pub tally: ExposureTally,
    /// What was counted before.
    pub past: Option<UserPast>,
}

/// What is to be found out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wish {
    /// By which share of the control's value the primary metric becomes less, in (0, 1].
    pub effect: f64,
    /// Days that are shown besides the usual ones.
    pub days: Option<f64>,
}

/// What an experiment takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExperimentPlan {
    /// The experiment's name.
    pub name: String,
    /// Users of the recording.
    pub recorded_users: u64,
    /// Those for whom room had to be made: others are in no experiment.
    pub recorded_exposed: u64,
    /// How long the recording is, hours.
    pub recorded_hours: f64,
    /// How often a verdict may be wrong.
    pub alpha: f64,
    /// How often everything that a promotion asks for is to be seen.
    pub power: f64,
    /// How often each of its tests has to be passed for that.
    pub power_each: f64,
    /// The change of the primary metric that is to be seen, as a share of the control's value.
    pub effect: f64,
    /// The primary metric, then the guardrails.
    pub metrics: Vec<MetricPlan>,
    /// What an experiment shows after some days.
    pub days: Vec<DayPlan>,
    /// Exposed users of both arms that a promotion takes; none where no number does.
    pub users_needed: Option<f64>,
    /// Days until then; none where users come too seldom.
    pub days_needed: Option<f64>,
    /// The `planned_users` that takes fewest users, where it takes fewer than the definition's.
    pub planned_users: Option<u32>,
    /// What to know about these numbers, in sentences.
    pub notes: Vec<String>,
}

/// What one metric takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricPlan {
    /// The metric that is compared.
    pub metric: Metric,
    /// One sentence about what the metric measures.
    pub about: Cow<'static, str>,
    /// By how much it may be worse; none for the primary metric.
    pub margin: Option<f64>,
    /// Its value in the recording.
    pub value: Option<f64>,
    /// Its numerator in the recording.
    pub events: f64,
    /// The part of its variance that the users' past explains, 0 to 1.
    pub variance_removed: f64,
    /// The difference that is to be shown: of a guardrail its margin.
    pub difference: Option<f64>,
    /// Exposed users of both arms that show it; none where no number does.
    pub users: Option<f64>,
    /// Days until then; none where users come too seldom.
    pub days: Option<f64>,
}

/// What an experiment shows after some days.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DayPlan {
    /// After so many days.
    pub days: f64,
    /// Exposed users of both arms.
    pub users: f64,
    /// The smallest difference of the primary metric that they show; none where so few show nothing.
    pub detectable: Option<f64>,
    /// The same as a share of the control's value.
    pub detectable_share: Option<f64>,
}

/// Why nothing can be planned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The definition makes no sense.
    #[error("the experiment cannot be as it is defined: {0}")]
    Invalid(#[from] Invalid),
    /// Windows are no users.
    #[error(
        "`switchback` compares windows, and a recording says nothing about how they differ: count on at least {windows} windows of {window_s} s, which is {days:.1} days"
    )]
    Switchback {
        /// Windows of all arms.
        windows: u64,
        /// How long one is, s.
        window_s: u64,
        /// How long they take, days.
        days: f64,
    },
    /// Nobody needed room.
    #[error(
        "room had to be made for {exposed} of the {users} recorded users, and a plan needs {RECORDED_MIN}: record for longer, or check the limit (`--cap`)"
    )]
    TooFew {
        /// Users for whom room had to be made.
        exposed: usize,
        /// Users of the recording.
        users: u64,
    },
}

/// What the experiment takes, where users are as recorded and their policy changes nothing but the primary metric.
///
/// # Errors
/// [`PlanError`] where the definition makes no sense or the recording has too few users.
pub fn plan(
    definition: &Definition,
    recorded: &RecordedUsers,
    wish: Wish,
) -> Result<ExperimentPlan, PlanError> {
    definition.check()?;
    if let Some(turns) = definition.switchback {
        let windows = definition.users_min * definition.arms.len() as u64;
        return Err(PlanError::Switchback {
            windows,
            window_s: turns.window_s,
            days: hours(windows.saturating_mul(turns.window_s)) / 24.0,
        });
    }
    let exposed = recorded.exposed.len();
    if exposed < RECORDED_MIN {
        let users = recorded.users;
        return Err(PlanError::TooFew { exposed, users });
    }
    let shares = shares(definition);
    let layer = definition.layer.as_ref();
    let part = definition.coverage * layer.map_or(1.0, |layer| layer.to - layer.from);
    let arrivals = Arrivals::new(recorded, part * (shares[0] + shares[1]));
    let questions = MetricQuestion::all(definition, recorded, shares);
    let metrics: Vec<MetricPlan> = questions
        .iter()
        .map(|question| {
            let users = question.users(wish.effect, |_| {
                Sequence::new(definition.alpha, f64::from(definition.planned_users))
            });
            question.plan(wish.effect, users, &arrivals)
        })
        .collect();
    let users_needed = metrics.iter().map(|it| it.users).reduce(both).flatten();
    let hours_needed = users_needed.and_then(|users| arrivals.hours(users));
    let days_needed = hours_needed.map(|hours| hours.max(definition.hours_min) / 24.0);
    let mut plan = ExperimentPlan {
        name: definition.name.clone(),
        recorded_users: recorded.users,
        recorded_exposed: exposed as u64,
        recorded_hours: recorded.hours,
        alpha: definition.alpha,
        power: definition.power,
        power_each: question::power_each(definition),
        effect: wish.effect,
        days: days(definition, &questions, &arrivals, wish.days),
        planned_users: tuned(definition, &questions, wish.effect, users_needed),
        metrics,
        users_needed,
        days_needed,
        notes: Vec::new(),
    };
    plan.notes = notes(&plan, definition);
    Ok(plan)
}

/// The control's share of users, and the least of the arms': that arm takes longest.
fn shares(definition: &Definition) -> [f64; 2] {
    let weights = definition.weights();
    let (control, others) = weights.split_first().unwrap_or((&1.0, &[]));
    [*control, others.iter().copied().fold(1.0, f64::min)]
}

fn both(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a?.max(b?))
}

fn days(
    definition: &Definition,
    questions: &[MetricQuestion<'_>],
    arrivals: &Arrivals,
    asked: Option<f64>,
) -> Vec<DayPlan> {
    let sequence = Sequence::new(definition.alpha, f64::from(definition.planned_users));
    let (Some(primary), Some(sequence)) = (questions.first(), sequence) else {
        return Vec::new();
    };
    let mut all: Vec<f64> = DAYS.into_iter().chain(asked).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    let shown = all.into_iter().map(|days| {
        let users = arrivals.users(days * 24.0);
        let detectable = primary.detectable(&sequence, users);
        DayPlan {
            days,
            users,
            detectable,
            detectable_share: primary.share_of_value(detectable),
        }
    });
    shown.collect()
}

/// The `planned_users` by which fewest users are needed, if that is worth a word.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of users that is above zero and saturates"
)]
fn tuned(
    definition: &Definition,
    questions: &[MetricQuestion<'_>],
    effect: f64,
    needed: Option<f64>,
) -> Option<u32> {
    let best = |users: f64| Sequence::new(definition.alpha, users);
    let tuned = questions.iter().map(|it| it.users(effect, best));
    let users = tuned.reduce(both).flatten()?;
    let saves = needed.is_none_or(|needed| users < needed * (1.0 - TUNED_GAIN));
    saves.then(|| (users.ceil() as u32).max(200))
}

fn notes(plan: &ExperimentPlan, definition: &Definition) -> Vec<String> {
    let mut notes = Vec::new();
    for it in &plan.metrics {
        let metric = it.metric;
        if it.metric.is_of_waits() && it.value.is_none() {
            notes.push(format!(
                "`{metric}` cannot be planned: a replay lets nobody wait"
            ));
        } else if it.value.is_none() {
            notes.push(format!(
                "`{metric}` has nothing to count in the recording: {}",
                metric.counts_of()
            ));
        } else if it.margin.is_none() && it.events <= 0.0 {
            notes.push(format!(
                "`{metric}` has no event in the recording, so there is nothing to become less: take another `primary`"
            ));
        }
        let ahead = hours(metric.looks_ahead_s());
        if ahead >= plan.recorded_hours {
            notes.push(format!(
                "`{metric}` looks {ahead} h ahead, and the recording has {:.1} h: it misses most of what would count",
                plan.recorded_hours
            ));
        }
    }
    let is_longer = plan
        .days_needed
        .is_some_and(|days| days * 24.0 > plan.recorded_hours);
    if is_longer {
        notes.push(format!(
            "the experiment takes longer than the recording of {:.1} h: users are taken to come as in its second half, and each is watched longer than here, which makes these numbers of users a little too large",
            plan.recorded_hours
        ));
    }
    if plan.users_needed.is_none() {
        notes.push("no number of users shows all of it: a larger effect, a larger margin, or another metric".to_owned());
    } else if plan.days_needed.is_none() {
        notes.push(
            "users come too seldom for it: no user needed room in the second half of the recording"
                .to_owned(),
        );
    }
    if let Some(planned) = plan.planned_users {
        notes.push(format!(
            "`planned_users = {planned}` takes fewest users; the definition has {}",
            definition.planned_users
        ));
    }
    notes
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds of any experiment are far below 2^53"
)]
fn hours(s: u64) -> f64 {
    s as f64 / 3_600.0
}

#[cfg(test)]
mod tests;
