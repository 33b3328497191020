//! The simulation: a whole gateway and its crowd in one thread, on virtual time, from one seed.
//!
//! - [`scenario`] turns a seed into settings; [`rig`] builds the gateway of them;
//! - [`crowd`] and [`client`] are the workload, over a [`pipe`] with faults, in front of an
//!   [`application`] that hangs and panics and a [`mind`] that ranks badly;
//! - [`rotation`] is a workload of its own: one live client too many, for an hour; [`recording`] holds that what a
//!   gateway records of a crowd can be replayed;
//! - [`recorder`], [`world`] and [`truth`] turn what happens into observations ([`seen`]), which
//!   [`tally`] counts;
//! - [`check`] holds the observations to the promises, by its own [`rules`].
//!
//! A failure prints its seed. `WASTEGATE_SIM_SEED=7` runs that seed alone,
//! `WASTEGATE_SIM_SEEDS=1000` so many instead of the few that run every time.

mod application;
mod check;
mod client;
mod crowd;
mod mind;
mod pipe;
mod recorder;
mod recording;
mod rig;
mod rng;
mod rotation;
mod rules;
mod run;
mod sandbox;
mod scenario;
mod seen;
mod tally;
mod truth;
mod world;

use rotation::Manners;
use tally::Tally;

/// Seeds that run every time.
const SEEDS: u64 = 64;
/// Seeds of runs in which clients are sent something all the time and stop taking it.
const STOPPED_READERS: u64 = 2_000;
/// Hours of one client too many, of each manners.
const ROTATIONS: u64 = 8;
/// Seeds that once broke a promise, and run with the others.
const ONCE_BROKEN: [u64; 1] = [403];
/// Of so many that are let in, one may be refused because its budget ended before its cleanup.
const LATE_AT_MOST_ONE_IN: u64 = 50;

/// Every seed keeps every promise.
#[test]
fn seeds() {
    let (first, count) = wanted();
    let (mut failed, mut observations, mut tally) = (Vec::new(), 0, Tally::default());
    let again = ONCE_BROKEN.into_iter().filter(|_| count == SEEDS);
    for seed in (first..first + count).chain(again) {
        let outcome = run::run(seed);
        observations += outcome.observations;
        tally.add(&outcome.tally);
        if !outcome.violations.is_empty() {
            println!("{}", outcome.report());
            failed.push(seed);
        }
    }
    println!("{count} seeds, {observations} observations: {tally:?}");
    assert!(failed.is_empty(), "these seeds broke a promise: {failed:?}");
    if count >= SEEDS {
        let missing = tally.missing();
        assert!(missing.is_empty(), "never happened: {missing:?}");
        let (late, all) = (tally.of("out of time"), tally.of("answer in"));
        assert!(
            late * LATE_AT_MOST_ONE_IN < all,
            "{late} of {all} ran out of time"
        );
    }
}

/// Runs of stopped readers, in four parts that run side by side.
#[expect(
    clippy::print_stdout,
    reason = "what a person reads who looks for a reason"
)]
fn stopped_readers(part: u64) {
    let first = part * STOPPED_READERS / 4;
    let (mut failed, mut tally) = (Vec::new(), Tally::default());
    for seed in first..first + STOPPED_READERS / 4 {
        let outcome = run::run_of(scenario::Scenario::of_stopped_readers(seed));
        tally.add(&outcome.tally);
        if !outcome.violations.is_empty() {
            println!("{}", outcome.report());
            failed.push(seed);
        }
    }
    println!("{tally:?}");
    assert!(failed.is_empty(), "these seeds broke a promise: {failed:?}");
    for what in ["evicted stalled", "evicted responsive"] {
        assert!(tally.of(what) > STOPPED_READERS / 100, "{what}: {tally:?}");
    }
}

#[test]
fn stopped_readers_one() {
    stopped_readers(0);
}

#[test]
fn stopped_readers_two() {
    stopped_readers(1);
}

#[test]
fn stopped_readers_three() {
    stopped_readers(2);
}

#[test]
fn stopped_readers_four() {
    stopped_readers(3);
}

/// One live client too many for an hour, whatever its manners: how many live ones go is bounded.
#[test]
fn w09_w10_w11_rotation_ends_within_the_hour() {
    for manners in [Manners::Obedient, Manners::Hasty, Manners::Mixed] {
        let (mut failed, mut most) = (Vec::new(), 0);
        for seed in 1..=ROTATIONS {
            let rotation::Hour { outcome, allowed } = rotation::hour(seed, manners);
            let evicted = outcome.tally.of("evicted responsive");
            most = evicted.max(most);
            if evicted > allowed || !outcome.violations.is_empty() {
                println!(
                    "{evicted} live ones went, {allowed} at most\n{}",
                    outcome.report()
                );
                failed.push(seed);
            }
        }
        println!("{manners:?}: at most {most} live ones went in an hour");
        assert!(failed.is_empty(), "{manners:?}: too many went: {failed:?}");
        assert!(most > 0, "{manners:?}: some had to go");
    }
}

/// The same seed gives the same run, event by event.
#[test]
fn a_seed_reproduces() {
    for seed in [3, 8, 24] {
        let (first, second) = (run::run(seed), run::run(seed));
        let differs = first.log.iter().zip(&second.log).position(|(a, b)| a != b);
        if let Some(at) = differs {
            panic!(
                "seed {seed} differs at event {at}:\n{}\n{}",
                first.log[at], second.log[at]
            );
        }
        assert_eq!(first.log.len(), second.log.len(), "seed {seed}");
        assert!(first.log.len() > 100, "seed {seed} is a run");
    }
}

/// Which seeds to run: from, and how many.
#[expect(clippy::disallowed_methods, reason = "how a person asks for a seed")]
fn wanted() -> (u64, u64) {
    let told = |name| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    match (told("WASTEGATE_SIM_SEED"), told("WASTEGATE_SIM_SEEDS")) {
        (Some(seed), _) => (seed, 1),
        (None, Some(count)) => (1, count),
        (None, None) => (1, SEEDS),
    }
}
