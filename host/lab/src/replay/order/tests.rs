//! Accesses of one time: their order, and that the oracle stays a bound.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use proptest::prelude::*;

use super::*;
use crate::replay::tests::{brute_force, run};
use crate::replay::{Native, ReplayCandidate};
use crate::trace::read::read_from;
use crate::trace::{ByUser, Reading, Trace};
use wastegate_core::types::Clock;
use wastegate_engine::policy::{self, Engine, Params, Program, load, shipped};

fn read(table: &str) -> Trace {
    read_from(Path::new("t"), table.as_bytes(), &Reading::default())
        .unwrap()
        .trace
}

/// Accesses as (how many seconds after the one before, key), with each key under the name that `named`
/// has for it.
fn accesses(steps: &[(u64, usize)], named: &[&str]) -> Trace {
    let (mut at_s, mut table) = (0, "t_ms,user,key\n".to_owned());
    for (pause_s, key) in steps {
        at_s += pause_s;
        table += &format!("{},u,{}\n", at_s * 1_000, named[*key]);
    }
    read(&table)
}

/// Every shipped policy with its defaults, the built-in ranking and the natives; the oracle is not among
/// them. With them the engine that they run on.
fn strategies() -> &'static [ReplayCandidate] {
    static STRATEGIES: OnceLock<(Engine, Vec<ReplayCandidate>)> = OnceLock::new();
    let (_, strategies) = STRATEGIES.get_or_init(|| {
        let engine = Engine::new(policy::Config::default(), Clock::system()).unwrap();
        let shipped = shipped::names().map(|name| {
            let program: Arc<Program> =
                load::program(&engine, shipped::find(name).unwrap()).unwrap();
            let params = program.params(&Params::new()).unwrap();
            ReplayCandidate::policy(name.to_owned(), program, params)
        });
        let natives = Native::ALL.into_iter().map(ReplayCandidate::native);
        let strategies = shipped.chain(natives).chain([ReplayCandidate::builtin()]);
        let strategies = strategies.collect();
        (engine, strategies)
    });
    strategies
}

fn misses(trace: &Trace, limit: u32, candidate: &ReplayCandidate) -> u64 {
    run(trace, limit, candidate).tally.reopen_misses
}

#[test]
fn events_of_one_time_happen_one_after_another() {
    let trace = read("t_ms,user,key\n5,a,y\n5,a,x\n5,a,y\n6,a,x\n9,a,z\n");
    let by_user = ByUser::new(&trace);
    let found: Vec<(u64, u64, u64)> = moments(by_user.of(0))
        .iter()
        .map(|moment| (moment.after_us, moment.next_ms, moment.next_use))
        .collect();
    let never = (NEVER, NEVER);
    assert_eq!(
        found,
        [
            (0, 5, 2),
            (1, 6, 3),
            (2, never.0, never.1),
            (0, never.0, never.1),
            (0, never.0, never.1)
        ]
    );
}

#[test]
fn more_events_than_a_time_has_room_for_stay_before_the_next_time() {
    let mut table = "t_ms,user,key\n".to_owned();
    for key in 0..1_500 {
        table += &format!("0,a,k{key}\n");
    }
    table += "1,a,last\n";
    let trace = read(&table);
    let found = moments(ByUser::new(&trace).of(0));
    let us: Vec<u64> = [0, 998, 999, 1_499]
        .iter()
        .map(|place| found[*place].at(0, 0).micros())
        .collect();
    assert_eq!(us, [0, 998, 999, 999]);
    assert_eq!(found[1_500].at(1, 0).micros(), 1_000);
}

/// What its user closes before it wants it again costs nothing, whenever it is evicted; the time of its
/// return is a return all the same.
#[test]
fn the_next_use_ends_with_the_life() {
    let trace = read(
        "t_ms,user,key,kind\n1,a,x,in\n2,a,y,in\n3,a,x,close\n4,a,y,in\n5,a,x,open\n6,a,y,evict\n7,a,y,in\n",
    );
    let found = moments(ByUser::new(&trace).of(0));
    let next: Vec<(u64, u64)> = found.iter().map(|m| (m.next_ms, m.next_use)).collect();
    assert_eq!(next[0], (5, NEVER), "closed before");
    assert_eq!(next[1], (4, 3));
    assert_eq!(next[2], (5, 4), "after its end it is another life's");
    assert_eq!(next[3], (7, NEVER), "an operator took it before");
}

#[test]
fn j09_the_oracle_is_a_bound_where_accesses_share_a_time() {
    let steps = [(0, 0), (1, 1), (1, 2), (1, 1), (0, 2), (0, 0)];
    for names in [["B", "A", "C"], ["A", "B", "C"]] {
        let trace = accesses(&steps, &names);
        let of = |candidate: &ReplayCandidate| misses(&trace, 2, candidate);
        assert_eq!(of(&ReplayCandidate::oracle()), 1, "{names:?}");
        assert_eq!(of(&ReplayCandidate::native(Native::Lru)), 1, "{names:?}");
        assert_eq!(of(&ReplayCandidate::native(Native::Fifo)), 1, "{names:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The oracle has as few as any order of victims can have, and no strategy has fewer, shipped or
    /// native, however many accesses share a time.
    #[test]
    fn j09_no_strategy_beats_the_oracle_where_accesses_share_a_time(
        steps in prop::collection::vec((0..2_u64, 0..5_usize), 1..12),
        limit in 1..4_u32,
    ) {
        let trace = accesses(&steps, &["a", "b", "c", "d", "e"]);
        let oracle = misses(&trace, limit, &ReplayCandidate::oracle());
        let keys: Vec<u8> = steps.iter().map(|(_, key)| u8::try_from(*key).unwrap()).collect();
        prop_assert_eq!(oracle, brute_force(&keys, limit as usize));
        for candidate in strategies() {
            let found = misses(&trace, limit, candidate);
            prop_assert!(found >= oracle, "{} {found}, oracle {oracle}", candidate.name);
        }
    }

    /// The same on longer traces, with managers that their user closes.
    #[test]
    fn j09_a_close_does_not_take_the_bound_away(
        steps in prop::collection::vec((0..3_u64, 0..8_u64, 0..6_u8), 20..120),
        limit in 2..6_u32,
    ) {
        let (mut at_s, mut table) = (0, "t_ms,user,key,kind\n".to_owned());
        for (pause_s, key, what) in steps {
            at_s += pause_s;
            let kind = if what == 0 { "close" } else { "in" };
            table += &format!("{},u,k{key},{kind}\n", at_s * 60_000);
        }
        let trace = read(&table);
        let oracle = misses(&trace, limit, &ReplayCandidate::oracle());
        for candidate in strategies() {
            let found = misses(&trace, limit, candidate);
            prop_assert!(found >= oracle, "{} {found}, oracle {oracle}", candidate.name);
        }
    }

    /// Places in the file decide, and not the names of managers, for every strategy.
    #[test]
    fn j09_names_decide_nothing(
        steps in prop::collection::vec((0..2_u64, 0..5_usize), 6..40),
        limit in 1..4_u32,
    ) {
        let trace = accesses(&steps, &["a", "b", "c", "d", "e"]);
        let renamed = accesses(&steps, &["d", "c", "e", "b", "a"]);
        for candidate in strategies().iter().chain([&ReplayCandidate::oracle()]) {
            prop_assert_eq!(
                misses(&trace, limit, candidate),
                misses(&renamed, limit, candidate),
                "{}", candidate.name
            );
        }
    }
}
