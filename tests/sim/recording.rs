//! Recordings of whole crowds at the settings as they ship, run again by those who ranked. What a crowd does is
//! drawn from its seed: closes, lost connections, deaths, slow and held-up lines, pins, protection, hints,
//! bursts, several devices, limits of users' own, and half of the time two policies for half of the users
//! each, which change over. Each ends in a drain.
//!
//! `WASTEGATE_RECORDINGS=40` runs so many instead of the few that run every time; `WASTEGATE_SIM_SEED=7` that one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wastegate::observe::activity::ActivitySink;
use wastegate::observe::config::JournalConfig;
use wastegate::observe::journal::Journal;
use wastegate::observe::pseudonym::{PseudonymKey, Pseudonymizer};
use wastegate_core::decision::Lending;
use wastegate_core::types::{Clock, Tier, UserId};
use wastegate_lab::replay::{
    Fidelity, Keep, Progress, RecordedRanking, Replay, ReplayCandidate, Rules, Yielding,
};
use wastegate_lab::trace::{ByUser, LoadedTrace, Reading, read};

use crate::crowd::{self, Tabs};
use crate::mind::Mind;
use crate::rig::Rig;
use crate::rng::Rng;
use crate::rotation::as_shipped;
use crate::run::virtual_time_of;
use crate::sandbox;
use crate::scenario::{Crowd, DRAIN, Scenario};

/// Recordings that are made every time.
const RECORDINGS: u64 = 4;
/// The share of victims that each reproduces at least; what is missing is printed by name.
const FAITHFUL: f64 = 0.995;
/// The share where the gateway's own part is simulated although the record tells it: once a user holds others, it
/// goes another way (`follows`).
const FAITHFUL_ALONE: f64 = 0.80;
/// The policy that ranks by turns with the built-in order.
const POLICY: &str = "lru";
/// Victims without which a recording shows nothing.
const VICTIMS_MIN: u64 = 20;

/// A crowd in front of a gateway as it ships.
fn scenario(seed: u64) -> Scenario {
    let mut rng = Rng::new(seed);
    let limit = *rng.pick(&[3, 5, 8, 20]);
    let mut scenario = as_shipped(seed, limit, &mut rng);
    scenario.crowd = Crowd {
        users: rng.between(2, 6),
        keys: u64::from(limit) * rng.between(15, 40) / 10 + 2,
        devices: rng.between(1, 3),
        lasting: Duration::from_secs(60 * rng.between(15, 40)),
        pause_ms: *rng.pick(&[2_000, 5_000, 12_000]),
        faults: *rng.pick(&[2, 8, 20]),
        trouble: 0,
        latency_ms: *rng.pick(&[1, 30, 200, 1_500]),
        // Who was active first within a millisecond no recording tells.
        apart: Duration::from_millis(2),
    };
    if rng.chance(50) {
        scenario.mind = Mind::Swapped(POLICY, Duration::from_secs(60 * rng.between(2, 9)));
    }
    scenario
}

/// Gives users other limits now and then, as tokens do.
async fn premium(rig: Arc<Rig>, mut rng: Rng) {
    let stopping = rig.crew.stopping();
    let shared = u64::from(rig.scenario.limits.managers_per_user);
    while !stopping.is_cancelled() {
        tokio::time::sleep(rng.millis(30_000, 300_000)).await;
        let user = format!("u{}", rng.between(1, rig.scenario.crowd.users));
        let user = UserId::new(&user).expect("a fine name");
        let limit = rng.between(shared.div_ceil(2), shared * 2);
        let limit = rng.chance(70).then(|| u32::try_from(limit).unwrap_or(1));
        rig.registry.set_limit(&user, limit);
    }
}

/// The rules that a scenario is recorded by.
fn rules(scenario: &Scenario) -> Rules {
    let (limits, cleanup) = (&scenario.limits, &scenario.cleanup);
    Rules {
        limit: limits.managers_per_user,
        table: cleanup.table.clone(),
        last_tier: cleanup.user_last_tier,
        proactive_from: cleanup.proactive_from,
        manager: scenario.manager.clone(),
        health: scenario.health.clone(),
        yielding: Yielding {
            lending: Lending {
                slots: limits.temporary_slots,
                lasting: limits.temporary_slots_for,
                cool_down: limits.temporary_slots_cool_down,
                order: limits.temporary_slots_order,
            },
            hold: cleanup.displaced,
            most: cleanup.force_per_user_max,
            window: cleanup.force_window,
        },
        sweep_interval_ms: 5_000,
        dead_for: cleanup.dead_for,
        own_limits: true,
        seed: 1,
    }
}

async fn recorded(scenario: Scenario, path: &Path) {
    // As on a machine, no two things happen at the same microsecond.
    let (clock, mut rng) = (Clock::system().distinct(), scenario.rng.clone());
    let config = JournalConfig::at(path.to_owned());
    let (journal, thread) = Journal::open(&config, clock.clone()).expect("a journal");
    let pseudonyms = Pseudonymizer::new(PseudonymKey::from_bytes([7; 16]));
    let activity = ActivitySink::new(journal, pseudonyms, clock.clone());
    activity.begin(&serde_json::json!({ "sweep_interval_ms": 5_000 }));
    let (users, lasting) = (scenario.crowd.users, scenario.crowd.lasting);
    let rig = Rig::recorded(scenario, clock, activity.clone());
    let (flushed, world) = (activity.clone(), rig.world.clone());
    let stopping = rig.crew.stopping();
    rig.crew.spawn("flush", async move {
        while !stopping.is_cancelled() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            flushed.flush(world.clock.now());
        }
    });
    for number in 1..=users {
        let user = crowd::user(rig.clone(), number, Arc::<Tabs>::default(), rng.fork());
        rig.crew.spawn("user", user);
    }
    rig.crew.spawn("premium", premium(rig.clone(), rng.fork()));
    tokio::time::sleep(lasting).await;
    rig.crew.stop();
    rig.stop(DRAIN).await;
    activity.flush_all();
    rig.world.finish();
    thread.close().expect("a whole journal");
}

/// What a replay of the record comes to: where what its gateway did is repeated, and where it is simulated.
fn replayed(loaded: &LoadedTrace, rules: &Rules) -> (Fidelity, Fidelity) {
    let by_user = ByUser::new(&loaded.trace);
    let replay = || Replay::new(&by_user, rules, 1).expect("a trace");
    let repeated = replayed_by(&by_user, &replay());
    let simulated = replayed_by(&by_user, &replay().alone());
    (repeated, simulated)
}

fn replayed_by(by_user: &ByUser<'_>, replay: &Replay<'_>) -> Fidelity {
    let builtin = ReplayCandidate::builtin();
    let policy = sandbox::candidate(POLICY);
    let ranking = RecordedRanking::of(by_user, Some(builtin.clone()), |asked, _| {
        let is_builtin = asked.name == "builtin";
        let who = if is_builtin { &builtin } else { &policy };
        Ok::<_, std::convert::Infallible>(Some(who.clone()))
    });
    let Ok(ranking) = ranking;
    assert!(ranking.as_recorded().is_empty());
    let run = |candidate: &ReplayCandidate| {
        let outcome = replay.run(candidate, Keep::Decisions, &Progress::default());
        outcome.expect("a run")
    };
    let record = run(&ReplayCandidate::recorded(Arc::new(ranking)));
    let notes = &by_user.trace().notes;
    if notes
        .decisions
        .iter()
        .all(|one| one.asked.policy.name == "builtin")
    {
        // A candidate is asked as the record was: the same policy comes to the same.
        assert_eq!(record.tally.evictions, run(&builtin).tally.evictions);
    }
    Fidelity::of(by_user, &record).expect("victims")
}

#[test]
fn j10_what_a_crowd_did_is_replayed() {
    let (first, count) = wanted();
    let (mut failed, mut forced) = (Vec::new(), 0);
    for seed in first..first + count {
        let folder = tempfile::tempdir().expect("a folder");
        let path = keep().unwrap_or_else(|| folder.path().to_owned());
        let path = path.join(format!("activity-{seed}.ndjson"));
        let (scenario, rules) = {
            let scenario = scenario(seed);
            let rules = rules(&scenario);
            (scenario, rules)
        };
        let told = format!("{:?}, {} a user", scenario.crowd, rules.limit);
        virtual_time_of(recorded(scenario, &path));
        let loaded = read(std::slice::from_ref(&path), &Reading::default()).expect("a trace");
        assert!(loaded.trace.notes.is_complete);
        let decisions = &loaded.trace.notes.decisions;
        forced += decisions
            .iter()
            .filter(|one| one.asked.tier == Tier::Force)
            .count();
        let (fidelity, simulated) = replayed(&loaded, &rules);
        println!(
            "seed {seed}: {:.2} % ({:.2} % simulated) of {} victims ({} in the replay), {:?}; {told}",
            fidelity.share() * 100.0,
            simulated.share() * 100.0,
            fidelity.recorded,
            fidelity.replayed,
            fidelity.kinds(),
        );
        for one in fidelity.differences.iter().take(5) {
            let name = |who: &Vec<u32>| -> Vec<String> {
                let names = who
                    .iter()
                    .map(|at| loaded.trace.sessions[*at as usize].key.to_string());
                names.collect()
            };
            println!(
                "  {} at {}: user {} recorded {:?} replayed {:?}",
                one.kind.name(),
                one.at_ms,
                loaded.trace.users[one.user as usize],
                name(&one.recorded),
                name(&one.replayed)
            );
        }
        let is_faithful = fidelity.share() >= FAITHFUL && simulated.share() >= FAITHFUL_ALONE;
        if fidelity.recorded < VICTIMS_MIN || !is_faithful {
            failed.push((seed, fidelity.recorded, fidelity.share(), simulated.share()));
        }
    }
    assert!(failed.is_empty(), "not as it happened: {failed:?}");
    assert!(forced > 0, "some that answered had to go");
}

/// Where the recordings are kept, if a person wants to look at them.
#[expect(clippy::disallowed_methods, reason = "how a person asks for them")]
fn keep() -> Option<std::path::PathBuf> {
    std::env::var_os("WASTEGATE_RECORDINGS_KEEP").map(Into::into)
}

#[expect(clippy::disallowed_methods, reason = "how a person asks for a seed")]
fn wanted() -> (u64, u64) {
    let told = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match (told("WASTEGATE_SIM_SEED"), told("WASTEGATE_RECORDINGS")) {
        (Some(seed), _) => (seed, 1),
        (None, Some(count)) => (1, count),
        (None, None) => (1, RECORDINGS),
    }
}
