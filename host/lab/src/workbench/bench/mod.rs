//! What a ranking takes: fuel, which is exact, and time, which is this machine's, over the number of
//! rows and beside the host's own ranking in native code, in one run.
//!
//! A call is timed as the server makes it: from the question to the answer, columns, instance and
//! all. Times are by the wall clock. A round is as many calls as take half a millisecond, since the
//! clock counts microseconds; rounds of the policy and of native code alternate, so that a machine
//! that is busy is busy for both.
//!
//! Not here: saved figures and what changed since ([`baseline`]).

pub mod baseline;
mod report;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::made_up;
use wastegate_core::decision::builtin::BuiltIn;
use wastegate_core::decision::{Answer, PolicyRef, Question, Ranked, Ranker};
use wastegate_core::types::{Clock, Scope, Tier};
use wastegate_engine::policy::Policy;

/// Row counts that are measured where nothing else is said.
pub const ROWS: [u32; 5] = [1, 20, 100, 1_000, 10_000];
/// The most rows that are measured.
pub const ROWS_MAX: u32 = 1_000_000;

/// How long a round takes at least.
const ROUND: Duration = Duration::from_micros(500);
/// Calls in a round, at the most.
const CALLS_MAX: u32 = 4_096;
/// Rounds of each.
const ROUNDS: usize = 15;

/// The figures of one policy.
#[derive(Debug, Clone, Serialize)]
pub struct Bench {
    /// The policy that was measured.
    pub policy: PolicyRef,
    /// At which scope it was asked.
    pub scope: Scope,
    /// At which tier; it decides how many rows are needed.
    pub tier: Tier,
    /// One entry each number of rows.
    pub points: Vec<Point>,
}

/// The figures of one number of rows.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// How many rows.
    pub rows: u32,
    /// Units of fuel of a call; none if it gave no answer.
    pub fuel: Option<u64>,
    /// Units of fuel that it has.
    pub budget: u64,
    /// Why it gave no answer.
    pub fault: Option<String>,
    /// Time of a call.
    pub time: Time,
    /// Time of the built-in ranking for the same question.
    pub native: Time,
}

/// Time of a call by the wall clock, over all rounds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Time {
    /// The median round, microseconds a call.
    pub median_us: f64,
    /// The fastest round, microseconds a call.
    pub min_us: f64,
}

impl Point {
    /// How many times as long as native code it takes, by the medians.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.time.median_us / self.native.median_us
    }
}

/// Measures a policy at each number of rows. Blocks for about a tenth of a second each.
#[must_use]
pub fn bench(policy: &Policy, rows: &[u32]) -> Bench {
    let scope = if policy.program().supports(Scope::User) {
        Scope::User
    } else {
        Scope::Node
    };
    let tier = Tier::Force;
    let points = rows.iter().filter_map(|&rows| {
        let question = made_up::question(scope, tier, rows.min(ROWS_MAX))?;
        Some(point(policy, &Arc::new(question)))
    });
    Bench {
        policy: policy.about().clone(),
        scope,
        tier,
        points: points.collect(),
    }
}

fn point(policy: &Policy, question: &Arc<Question>) -> Point {
    let engine = policy.program().engine();
    let rows = u32::try_from(question.rows.len()).unwrap_or(u32::MAX);
    let (Ranked { fuel, outcome, .. }, _) = policy.answer(None, question);
    let guest = || drop(std::hint::black_box(policy.answer(None, question)));
    let native = || {
        if let Answer::Ready(ranked) = BuiltIn.rank(question) {
            drop(std::hint::black_box(ranked));
        }
    };
    let clock = engine.clock();
    let calls = [calls(clock, &guest), calls(clock, &native)];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let [of_guest, of_native] = &mut times;
        of_guest.push(round(clock, calls[0], &guest));
        of_native.push(round(clock, calls[1], &native));
    }
    let [guest, native] = times.map(Time::of);
    Point {
        rows,
        fuel: outcome.is_ok().then_some(fuel).flatten(),
        budget: policy.allowance(question).fuel,
        fault: outcome.err().map(|fault| fault.to_string()),
        time: guest,
        native,
    }
}

/// How many calls make a round.
fn calls(clock: &Clock, call: &impl Fn()) -> u32 {
    // The first is for the caches.
    call();
    let mut calls = 1;
    while calls < CALLS_MAX && elapsed(clock, calls, call) < ROUND {
        calls *= 2;
    }
    calls
}

/// Microseconds a call.
fn round(clock: &Clock, calls: u32, call: &impl Fn()) -> f64 {
    elapsed(clock, calls, call).as_secs_f64() * 1e6 / f64::from(calls)
}

fn elapsed(clock: &Clock, calls: u32, call: &impl Fn()) -> Duration {
    let started = clock.now();
    (0..calls).for_each(|_| call());
    clock.now().since(started)
}

impl Time {
    fn of(mut rounds: Vec<f64>) -> Self {
        rounds.sort_by(f64::total_cmp);
        Self {
            median_us: rounds.get(rounds.len() / 2).copied().unwrap_or(f64::NAN),
            min_us: rounds.first().copied().unwrap_or(f64::NAN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wastegate_engine::policy::testing::Guest;

    #[test]
    fn fuel_is_what_a_call_takes_and_the_median_is_no_less_than_the_minimum() {
        let policy = Guest::default().load().unwrap();
        let bench = bench(&policy, &[1, 20]);
        let fuel: Vec<_> = bench.points.iter().map(|point| point.fuel).collect();
        let again: Vec<_> = super::bench(&policy, &[1, 20])
            .points
            .iter()
            .map(|point| point.fuel)
            .collect();
        assert_eq!(fuel, again);
        assert!(fuel[0] < fuel[1]);
        for point in &bench.points {
            assert!(point.time.min_us > 0.0 && point.time.min_us <= point.time.median_us);
            assert!(point.ratio() > 0.0, "{point:?}");
        }
    }

    /// A guest that sleeps through the kit: it loops with three rows and no others.
    #[test]
    fn a_call_without_an_answer_has_a_fault_and_no_fuel() {
        let guest = Guest::ranks(
            "(if (i32.eq (call $rows (local.get $columns)) (i32.const 3)) (then (unreachable)))
            (call $answer (i32.const 0) (i32.const 0))",
        );
        let bench = bench(&guest.load().unwrap(), &[3]);
        let point = &bench.points[0];
        assert_eq!(point.fuel, None);
        assert!(point.fault.as_ref().unwrap().starts_with("trapped: "));
    }
}
