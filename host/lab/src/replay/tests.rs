//! The simulation against known answers, brute force, and itself.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::trace::read::read_from;
use crate::trace::{ByUser, Reading, Trace};
use wastegate_core::decision::TierTable;
use wastegate_core::signals::{Heartbeats, Lifetimes};
use wastegate_core::types::Tier;

pub(super) fn rules(limit: u32) -> Rules {
    Rules {
        limit,
        table: TierTable::default(),
        last_tier: Tier::Force,
        proactive_from: 0.6,
        manager: Lifetimes::default(),
        health: Heartbeats::default(),
        yielding: super::Yielding::default(),
        sweep_interval_ms: 5_000,
        dead_for: std::time::Duration::from_secs(60),
        own_limits: true,
        seed: 1,
    }
}

/// A table of accesses of one user: a letter a second.
fn accesses(letters: &str) -> Trace {
    let rows = letters.chars().enumerate();
    let rows: String = rows
        .map(|(at, key)| format!("{},u,{key}\n", at * 1_000))
        .collect();
    let table = format!("t_ms,user,key\n{rows}");
    read_from(Path::new("t"), table.as_bytes(), &Reading::default())
        .unwrap()
        .trace
}

pub(super) fn run(trace: &Trace, limit: u32, candidate: &ReplayCandidate) -> ReplayOutcome {
    let (by_user, rules) = (ByUser::new(trace), rules(limit));
    let replay = Replay::new(&by_user, &rules, 2).unwrap();
    replay
        .run(candidate, Keep::Decisions, &Progress::default())
        .unwrap()
}

/// Fails unless both ran the same way.
#[track_caller]
fn same(a: &ReplayOutcome, b: &ReplayOutcome) {
    assert_eq!(a.decisions.len(), b.decisions.len());
    for (a, b) in a.decisions.iter().zip(&b.decisions) {
        assert!(a.is_same(b), "{a:?}\n{b:?}");
    }
}

fn victims(trace: &Trace, outcome: &ReplayOutcome) -> String {
    let gone = outcome.decisions.iter().flat_map(|one| &one.victims);
    gone.map(|&session| &*trace.sessions[session as usize].key)
        .collect()
}

/// B.1 of the reference.
#[test]
fn the_worked_vector() {
    let trace = accesses("ABCDABEABCDE");
    for (candidate, misses, order) in [
        (ReplayCandidate::oracle(), 2, "CDAB"),
        (ReplayCandidate::native(Native::Lru), 5, "ABCDEAB"),
        (ReplayCandidate::native(Native::Fifo), 4, "ABCDAB"),
    ] {
        let outcome = run(&trace, 3, &candidate);
        assert_eq!(victims(&trace, &outcome), order, "{}", candidate.name);
        assert_eq!(outcome.tally.reopen_misses, misses, "{}", candidate.name);
        assert_eq!(outcome.tally.evictions, order.len() as u64);
        assert_eq!(outcome.tally.blocked, 0);
    }
}

/// Belady's anomaly: more room, more misses. A simulator that hides it is not honest.
#[test]
fn fifo_may_get_worse_with_more_room() {
    let trace = accesses("ABCDABEABCDE");
    let misses = |limit| {
        run(&trace, limit, &ReplayCandidate::native(Native::Fifo))
            .tally
            .reopen_misses
    };
    assert!(misses(4) > misses(3), "{} {}", misses(4), misses(3));
}

#[test]
fn regret_is_counted_at_every_horizon() {
    let table = "t_ms,user,key\n0,u,a\n1000,u,b\n5000,u,c\n10000,u,a\n200000,u,d\n4000000,u,b\n";
    let trace = read_from(Path::new("t"), table.as_bytes(), &Reading::default())
        .unwrap()
        .trace;
    let tally = run(&trace, 2, &ReplayCandidate::native(Native::Lru)).tally;
    // a goes at 5 s and is back at 10 s; b goes at 10 s and is back after 3,990 s; c goes at 200 s and
    // a at 4,000 s, both for good.
    assert_eq!(tally.evictions, 4);
    assert_eq!(tally.regret, [1, 1, 1, 1, 2]);
    assert_eq!((tally.reopen_misses, tally.thrash), (2, 1));
    assert_eq!(tally.live_kills, 4);
}

/// Zombies go before anybody who answers, whoever ranks.
#[test]
fn the_silent_go_first() {
    let mut lines = String::new();
    for (at, key) in [(0, "a"), (1, "b"), (2, "c")] {
        lines += &format!("{{\"t_ms\":{at},\"user\":\"u\",\"key\":\"{key}\",\"kind\":\"in\"}}\n");
    }
    lines += "{\"t_ms\":10,\"user\":\"u\",\"key\":\"c\",\"kind\":\"die_silently\"}\n";
    lines += "{\"t_ms\":300000,\"user\":\"u\",\"key\":\"d\",\"kind\":\"in\"}\n";
    let trace = read_from(Path::new("t"), lines.as_bytes(), &Reading::default())
        .unwrap()
        .trace;
    let outcome = run(&trace, 3, &ReplayCandidate::native(Native::Lru));
    assert_eq!(victims(&trace, &outcome), "c");
    assert_eq!(
        (outcome.tally.live_kills, outcome.tally.zombies),
        (0, (1, 1))
    );
    assert_eq!(outcome.decisions[0].tier, Tier::Proactive);
}

/// The background pass of a gateway does not run between the end of a connection and the close of its manager.
#[test]
fn j11_a_close_makes_room_and_nobody_is_evicted() {
    let mut lines = String::new();
    let mut line = |at: u64, key: &str, kind: &str| {
        lines +=
            &format!("{{\"t_ms\":{at},\"user\":\"u\",\"key\":\"{key}\",\"kind\":\"{kind}\"}}\n");
    };
    for (at, key) in [(0, "k0"), (7, "k1"), (14, "k2"), (6_000, "k9")] {
        if key == "k9" {
            line(5_000, "k0", "detach");
            line(5_000, "k0", "close");
        }
        for (after, kind) in [(0, "open"), (3, "attach"), (7, "in")] {
            line(at + after, key, kind);
        }
    }
    let trace = read_from(Path::new("t"), lines.as_bytes(), &Reading::default())
        .unwrap()
        .trace;
    assert_eq!(trace.events.len(), 14);
    let natives = Native::ALL.map(ReplayCandidate::native);
    let others = [ReplayCandidate::builtin(), ReplayCandidate::oracle()];
    for candidate in natives.iter().chain(&others) {
        let tally = run(&trace, 3, candidate).tally;
        assert_eq!(
            (tally.evictions, tally.attempts),
            (0, 4),
            "{}",
            candidate.name
        );
    }
}

#[test]
fn a_user_may_hold_something() {
    let trace = accesses("AB");
    let (by_user, rules) = (ByUser::new(&trace), rules(0));
    assert_eq!(
        Replay::new(&by_user, &rules, 1).err(),
        Some(RunError::NoLimit)
    );
}

/// The least reopen-misses that any order of victims can come to.
pub(super) fn brute_force(accesses: &[u8], limit: usize) -> u64 {
    fn go(rest: &[u8], held: &[u8], lost: &[u8], limit: usize) -> u64 {
        let Some((&key, rest)) = rest.split_first() else {
            return 0;
        };
        if held.contains(&key) {
            return go(rest, held, lost, limit);
        }
        let miss = u64::from(lost.contains(&key));
        let still: Vec<u8> = lost.iter().copied().filter(|other| *other != key).collect();
        if held.len() < limit {
            let held: Vec<u8> = held.iter().copied().chain([key]).collect();
            return miss + go(rest, &held, &still, limit);
        }
        let without = |victim: u8| {
            let held: Vec<u8> = held
                .iter()
                .copied()
                .filter(|other| *other != victim)
                .chain([key])
                .collect();
            let lost: Vec<u8> = still.iter().copied().chain([victim]).collect();
            go(rest, &held, &lost, limit)
        };
        miss + held.iter().map(|&victim| without(victim)).min().unwrap()
    }
    go(accesses, &[], &[], limit)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The oracle is optimal where it claims to be, and nobody beats it.
    #[test]
    fn nobody_beats_the_oracle(keys in prop::collection::vec(0..5_u8, 1..11), limit in 1..4_u32) {
        let letters: String = keys.iter().map(|key| char::from(b'A' + key)).collect();
        let trace = accesses(&letters);
        let misses = |candidate: &ReplayCandidate| run(&trace, limit, candidate).tally.reopen_misses;
        let oracle = misses(&ReplayCandidate::oracle());
        prop_assert_eq!(oracle, brute_force(&keys, limit as usize));
        for native in Native::ALL {
            prop_assert!(misses(&ReplayCandidate::native(native)) >= oracle);
        }
        prop_assert!(misses(&ReplayCandidate::builtin()) >= oracle);
    }

    /// LRU never gets worse with more room: what the smaller holds, the larger holds.
    #[test]
    fn lru_includes_its_smaller_self(keys in prop::collection::vec(0..8_u8, 1..60)) {
        let letters: String = keys.iter().map(|key| char::from(b'A' + key)).collect();
        let trace = accesses(&letters);
        let misses: Vec<u64> = (1..6)
            .map(|limit| run(&trace, limit, &ReplayCandidate::native(Native::Lru)).tally.reopen_misses)
            .collect();
        prop_assert!(misses.is_sorted_by(|a, b| a >= b), "{misses:?}");
    }
}

/// The policy in its sandbox takes whom the native one takes, at every decision; and two runs are the
/// same, on one thread or on two.
#[test]
fn the_sandbox_and_the_native_agree_on_a_whole_trace() {
    use wastegate_core::types::{Clock, SplitMix64};
    use wastegate_engine::policy::{self, Engine, load, shipped};

    let mut random = SplitMix64::new(7);
    let mut table = "t_ms,user,key\n".to_owned();
    let mut at = 0;
    for _ in 0..6_000 {
        at += random.next() % 4_000;
        let (user, key) = (
            random.next() % 40,
            random.next() % 30 * (random.next() % 3) / 2,
        );
        table += &format!("{at},u{user},k{key:02}\n");
    }
    let trace = read_from(Path::new("t"), table.as_bytes(), &Reading::default())
        .unwrap()
        .trace;
    let engine = Engine::new(policy::Config::default(), Clock::system()).unwrap();
    let policy = |name: &str| {
        let program = load::program(&engine, shipped::find(name).unwrap()).unwrap();
        let params = program
            .params(&wastegate_engine::policy::Params::new())
            .unwrap();
        ReplayCandidate::policy(name.to_owned(), program, params)
    };
    for (name, native) in [("lru", Native::Lru), ("fifo", Native::Fifo)] {
        let native = run(&trace, 8, &ReplayCandidate::native(native));
        let policy = policy(name);
        let sandboxed = run(&trace, 8, &policy);
        assert!(native.decisions.len() > 500, "{}", native.decisions.len());
        same(&native, &sandboxed);
        assert!(sandboxed.tally.fuel > 0 && sandboxed.tally.faults == 0);
        let (by_user, rules) = (ByUser::new(&trace), rules(8));
        let alone = Replay::new(&by_user, &rules, 1).unwrap();
        let again = alone
            .run(&policy, Keep::Decisions, &Progress::default())
            .unwrap();
        same(&again, &sandboxed);
        assert_eq!(again.tally.fuel, sandboxed.tally.fuel);
    }
}

/// What an experiment would count of a user: from the first time that room had to be made, and what was before.
#[test]
fn a_user_is_exposed_when_room_first_has_to_be_made() {
    let trace = accesses("ABCD");
    let (by_user, rules) = (ByUser::new(&trace), rules(2));
    let exposed = |from_ms: u64| {
        let replay = Replay::new(&by_user, &rules, 1).unwrap();
        let replay = replay.counting_from(from_ms);
        let lru = ReplayCandidate::native(Native::Lru);
        let outcome = replay.run(&lru, Keep::Counts, &Progress::default());
        outcome.unwrap().tally.exposed
    };
    let found = exposed(0);
    let first = found[0];
    assert_eq!(found.len(), 1);
    assert_eq!(
        (first.user, first.known_ms, first.trigger_ms),
        (0, 0, 2_000)
    );
    assert_eq!((first.before.attempts, first.before.evictions), (2, 0));
    assert_eq!((first.since.attempts, first.since.evictions), (2, 2));
    // An experiment that begins later: what was evicted before is the past.
    let found = exposed(2_500);
    let later = found[0];
    assert_eq!(found.len(), 1);
    assert_eq!((later.known_ms, later.trigger_ms), (0, 3_000));
    assert_eq!((later.before.attempts, later.before.evictions), (3, 1));
    assert_eq!((later.since.attempts, later.since.evictions), (1, 1));
    assert_eq!(exposed(4_000), []);
}
