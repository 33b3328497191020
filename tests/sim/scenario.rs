//! What a seed stands for: the gateway's settings, the crowd in front of it, and who ranks.
//!
//! Every setting that the configuration could refuse is drawn so that it would not: a run is about
//! what the gateway does, not about settings that never reach it.

use std::time::Duration;

use wastegate::registry::SlotLimits;
use wastegate::{admission, cleanup, connection, health, manager};
use wastegate_core::decision::{Hold, TierTable};
use wastegate_core::types::Tier;

use crate::mind::Mind;
use crate::rng::Rng;
use crate::rules::Rules;

/// How long after the end of the workload everything has to be gone.
pub(crate) const DRAIN: Duration = Duration::from_secs(10);

/// A run, as its seed says.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) crowd: Crowd,
    pub(crate) mind: Mind,
    pub(crate) rules: Rules,
    pub(crate) limits: SlotLimits,
    pub(crate) manager: manager::Config,
    pub(crate) connection: connection::Config,
    pub(crate) health: health::Config,
    pub(crate) admission: admission::Config,
    pub(crate) cleanup: cleanup::Config,
    pub(crate) ending: Ending,
    /// Everybody is sent something all the time.
    pub(crate) chatter: Option<Chatter>,
    /// From which the run itself draws.
    pub(crate) rng: Rng,
}

/// Who comes.
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    pub(crate) users: u64,
    /// Keys that one user's clients use.
    pub(crate) keys: u64,
    /// Devices of one user.
    pub(crate) devices: u64,
    /// How long they come and go.
    pub(crate) lasting: Duration,
    /// The longest pause of one user between two steps, ms.
    pub(crate) pause_ms: u64,
    /// Of a hundred steps, how many are faults.
    pub(crate) faults: u64,
    /// Of a hundred steps, how many trouble the application.
    pub(crate) trouble: u64,
    /// The longest way of a byte, ms.
    pub(crate) latency_ms: u64,
    /// How far apart in time those are that one user opens at once: on virtual time nothing else is.
    pub(crate) apart: Duration,
}

/// Who sends to everybody all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chatter {
    /// The application behind each manager.
    Application,
    /// A backend behind each connection, through the relay.
    Backend,
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Everybody's transport ends, and the gateway cleans up by itself.
    EverybodyLeaves,
    /// The gateway stops while everybody is still there.
    Shutdown,
}

impl Scenario {
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let limits = limits(&mut rng);
        let crowd = Crowd {
            users: rng.between(1, 4),
            keys: u64::from(limits.managers_per_user) * rng.between(11, 22) / 10 + 1,
            devices: rng.between(1, 3),
            lasting: Duration::from_secs(rng.between(40, 100)),
            pause_ms: *rng.pick(&[300, 800, 2_000, 5_000]),
            faults: *rng.pick(&[0, 5, 20, 40]),
            trouble: *rng.pick(&[0, 2, 10]),
            latency_ms: *rng.pick(&[1, 30, 200]),
            apart: Duration::ZERO,
        };
        let admission = admission(&mut rng);
        let health = health(&mut rng, admission.budget);
        let (cleanup, rules) = cleanup(&mut rng, &limits);
        let stalled = health.stalled_after;
        Self {
            seed,
            mind: Mind::of(seed, &mut rng, admission.budget, health.probe_deadline),
            crowd,
            rules,
            limits,
            manager: manager::Config {
                attach_grace: *rng.pick(&[Duration::from_secs(1), Duration::from_secs(10)]),
                reconnect_grace: Duration::from_secs(10 * rng.between(0, 2)),
                connections_max: 8,
                mailbox_messages_max: *rng.pick(&[2, 64]),
                stuck_after: rng.millis(2_000, 10_000),
                recently_active: *rng.pick(&[Duration::ZERO, Duration::from_secs(3)]),
                ..manager::Config::default()
            },
            connection: connection::Config {
                outbox_bytes_max: 256 * 1_024,
                stall_max: stalled * 3,
                close_deadline: cleanup.close_deadline,
                ..connection::Config::default()
            },
            health,
            admission,
            cleanup,
            ending: *rng.pick(&[Ending::EverybodyLeaves, Ending::Shutdown]),
            chatter: None,
            rng,
        }
    }

    /// A short run with one user at its limit, whose clients are sent something all the time and stop
    /// taking it.
    pub(crate) fn of_stopped_readers(seed: u64) -> Self {
        let mut scenario = Self::of(seed);
        let rng = &mut scenario.rng;
        scenario.crowd = Crowd {
            users: 1,
            keys: 6,
            lasting: Duration::from_secs(9),
            pause_ms: 150,
            faults: rng.between(15, 30),
            trouble: 0,
            latency_ms: *rng.pick(&[1, 30]),
            ..scenario.crowd
        };
        scenario.mind = Mind::BuiltIn;
        scenario.limits.managers_total = 1_000;
        scenario.limits.temporary_slots = 0;
        scenario.limits.managers_per_user = rng.few(2, 3);
        scenario.rules.managers_per_user = scenario.limits.managers_per_user;
        scenario.health.stalled_after = rng.millis(500, 1_500);
        // Nobody is closed for it before that is over: those who stopped are held.
        scenario.connection.stall_max = Duration::from_secs(60);
        scenario.ending = Ending::Shutdown;
        scenario.chatter = Some(*rng.pick(&[Chatter::Application, Chatter::Backend]));
        scenario
    }
}

fn limits(rng: &mut Rng) -> SlotLimits {
    let managers_per_user = *rng.pick(&[1, 2, 3, 5, 8]);
    SlotLimits {
        managers_per_user,
        managers_total: if rng.chance(30) {
            managers_per_user + rng.few(0, 6)
        } else {
            1_000
        },
        temporary_slots: *rng.pick(&[0, 0, 2, 5]),
        temporary_slots_for: rng.millis(2_000, 20_000),
        temporary_slots_cool_down: rng.millis(5_000, 60_000),
        ..SlotLimits::default()
    }
}

fn admission(rng: &mut Rng) -> admission::Config {
    admission::Config {
        budget: rng.millis(1_500, 3_000),
        rate_max: if rng.chance(10) { 30 } else { 0 },
        rate_window: Duration::from_secs(10),
        queue_length_max: *rng.pick(&[0, 0, 1, 4]),
        queue_wait: rng.millis(2_000, 20_000),
        retry_after: rng.millis(500, 5_000),
        ..admission::Config::default()
    }
}

fn health(rng: &mut Rng, budget: Duration) -> health::Config {
    let ping_interval = rng.millis(2_000, 15_000);
    let suspect_after_misses = rng.few(1, 2);
    health::Config {
        ping_interval,
        pong_deadline: ping_interval / 2,
        suspect_after_misses,
        half_open_after_misses: suspect_after_misses + rng.few(1, 2),
        dead_after: ping_interval * 3,
        stalled_after: rng.millis(1_000, 5_000),
        probe_deadline: rng.millis(500, 1_000).min(budget / 2),
        evidence_age: rng.millis(0, 5_000),
        ..health::Config::default()
    }
}

/// Half of the runs hold displaced managers back, for shorter than a run lasts.
fn hold(rng: &mut Rng) -> Hold {
    if rng.chance(50) {
        return Hold::OFF;
    }
    let first = rng.millis(1_000, 20_000);
    Hold {
        first,
        max: first * 4,
    }
}

fn cleanup(rng: &mut Rng, limits: &SlotLimits) -> (cleanup::Config, Rules) {
    let base = TierTable::default();
    let mut rules = base.rules();
    for (tier, rule) in Tier::ALL.into_iter().zip(&mut rules) {
        let off = if tier == Tier::Force { 30 } else { 12 };
        rule.enabled = !rng.chance(off);
    }
    let (reserve, keep_one) = (rng.few(0, 2), rng.chance(30));
    let enabled = Tier::ALL.into_iter().zip(&rules);
    let enabled = enabled
        .filter(|(_, rule)| rule.enabled)
        .map(|(tier, _)| tier);
    let mut told = Rules {
        enabled: enabled.collect(),
        user_last_tier: *rng.pick(&[Tier::Force, Tier::Force, Tier::Force, Tier::Aggressive]),
        node_last_tier: *rng.pick(&[Tier::Aggressive, Tier::Force]),
        reserve,
        keep_one,
        force_rationed: false,
        managers_per_user: limits.managers_per_user,
    };
    let force_per_user_max = if rng.chance(10) { 2 } else { 0 };
    told.force_rationed = force_per_user_max > 0;
    let config = cleanup::Config {
        table: TierTable::new(rules, reserve, keep_one).unwrap_or(base),
        user_last_tier: told.user_last_tier,
        node_last_tier: told.node_last_tier,
        sweep_interval: rng.millis(1_000, 5_000),
        force_per_user_max,
        displaced: hold(rng),
        close_deadline: rng.millis(500, 2_000),
        ..cleanup::Config::default()
    };
    (config, told)
}
