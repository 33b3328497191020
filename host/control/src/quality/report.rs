//! What is known, with its denominators, what is still open, and what was forgotten.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::audit::SurvivorAudit;
use super::counts::Counts;
use super::ledger::{HEADLINE, State};
use super::turns::{OfUser, PING_PONG_FROM};
use super::{HORIZONS, THRASH_MS};
use wastegate_core::decision::PolicyRef;
use wastegate_core::stats::counts::wilson;
use wastegate_core::stats::spread::{jain, quantile, top_share};
use wastegate_core::types::Timestamp;

/// How sure the intervals are: they miss one time in twenty.
const ALPHA: f64 = 0.05;
/// How many of the users with the most evictions the share is told of.
const TOP: f64 = 0.01;

/// Everything that is known of the time since the start.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct QualityReport {
    /// By policy, in the order in which they first chose a victim.
    pub policies: Vec<OfPolicy>,
    /// Who could not get in.
    pub admissions: Admissions,
    /// How evictions fall on users.
    pub fairness: Fairness,
    /// Managers that displace each other.
    pub rotation: Rotation,
    /// Runs of a tier that had managers it may evict, and freed nothing.
    pub freed_nothing: u64,
    /// The dead among those who stayed.
    pub audit: SurvivorAudit,
}

/// What came of one policy's choices.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OfPolicy {
    /// The policy's code, by name, version and digest.
    pub policy: PolicyRef,
    /// Managers that went by its choice.
    pub evictions: u64,
    /// Victims that answered our Close, among those that had a connection to answer it.
    pub live_kills: Share,
    /// Victims that did not answer our Close although their client may have been there, among those that had
    /// a connection. They are in no other share.
    pub undecided: Share,
    /// Victims without a connection.
    pub unattended: u64,
    /// Victims that were gone, among those taken because they seemed gone.
    pub zombie_precision: Share,
    /// Victims that their user came back for, by how soon.
    pub regret: BTreeMap<&'static str, Regret>,
    /// Victims that were back within a minute, for every 1,000 evictions.
    pub thrash_per_1000: Option<f64>,
    /// By what their clients ran on: victims wanted back within ten minutes, among all.
    pub regret_by_device: BTreeMap<&'static str, Share>,
    /// The largest difference of those shares.
    pub device_gap: Option<f64>,
}

/// A share with its parts and Wilson's 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Share {
    /// How many of `of` had the property.
    pub hits: u64,
    /// Among how many.
    pub of: u64,
    /// Their ratio; none of none.
    pub share: Option<f64>,
    /// The interval's ends.
    pub low: f64,
    /// The interval's ends.
    pub high: f64,
}

/// Returns within one horizon. While it runs, a victim is in no rate, whether somebody came back for it or not:
/// the rate is over those whose horizon is over, and the bounds take the open ones as not and as regretted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Regret {
    /// Those who came back, among those whose horizon is over.
    pub rate: Share,
    /// Victims whose horizon is not over.
    pub pending: u64,
    /// Victims that had to be forgotten before they were decided.
    pub forgotten: u64,
    /// The share if no pending victim's client comes back.
    pub at_least: Option<f64>,
    /// The share if every pending victim's client comes back.
    pub at_most: Option<f64>,
}

/// How admissions went since the start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Admissions {
    /// Attempts that were refused.
    pub blocked: Share,
    /// Users who were refused at least once.
    pub blocked_users: u64,
    /// How long admissions took that made room, ms: the median of the last 4,096.
    pub triggered_p50_ms: Option<f64>,
    /// And their 99th percentile.
    pub triggered_p99_ms: Option<f64>,
}

/// Managers that were evicted while they answered. Where many of them are wanted back at once, users have
/// more clients than places: raise their limit, or have clients obey the close codes from 4500 on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Rotation {
    /// How many managers were evicted while they answered.
    pub displaced: u64,
    /// Those of them that were wanted back within a minute.
    pub wanted_back_60s: u64,
}

/// How evictions fall on the users who had any.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Fairness {
    /// How many users had one.
    pub users: u64,
    /// Jain's index: 1 where all had the same.
    pub jain: Option<f64>,
    /// The share of all that the one percent with the most had.
    pub top_percent_share: Option<f64>,
    /// Evictions and refusals of users beyond those that are counted one by one.
    pub uncounted: u64,
    /// The longest run of evictions in which two keys of a user made each other go by turns.
    pub ping_pong_depth: u32,
    /// Users with such a run of at least three.
    pub ping_pong_users: u64,
}

impl Share {
    pub(super) fn of(hits: u64, of: u64) -> Self {
        let (low, high) = wilson(hits, of, ALPHA);
        Self {
            hits,
            of,
            share: ratio(hits, of),
            low,
            high,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

pub(super) fn of(state: &State, now: Timestamp) -> QualityReport {
    let policies = state.policies.iter().enumerate();
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let evictions: Vec<f64> = state
        .users
        .values()
        .filter(|user| user.evictions > 0)
        .map(|user| user.evictions as f64)
        .collect();
    let mut latencies: Vec<f64> = state.latencies.iter().copied().collect();
    latencies.sort_unstable_by(f64::total_cmp);
    let blocked_users = state.users.values().filter(|user| user.refused > 0);
    let deepest = |user: &OfUser| user.turns.deepest;
    let evicted_dead = state.policies.iter().map(|(_, counts)| counts.silent).sum();
    QualityReport {
        policies: policies
            .map(|(place, (policy, counts))| one(state, place, policy, counts, now))
            .collect(),
        admissions: Admissions {
            blocked: Share::of(state.refused, state.attempts),
            blocked_users: blocked_users.count() as u64,
            triggered_p50_ms: quantile(&latencies, 0.5),
            triggered_p99_ms: quantile(&latencies, 0.99),
        },
        fairness: Fairness {
            users: evictions.len() as u64,
            jain: jain(&evictions),
            top_percent_share: top_share(&evictions, TOP),
            uncounted: state.uncounted,
            ping_pong_depth: state.users.values().map(deepest).max().unwrap_or(0),
            ping_pong_users: (state.users.values().map(deepest))
                .filter(|depth| *depth >= PING_PONG_FROM)
                .count() as u64,
        },
        rotation: Rotation {
            displaced: state.displaced.0,
            wanted_back_60s: state.displaced.1,
        },
        freed_nothing: state.freed_nothing,
        audit: state.sample.audit(evicted_dead, state.audited_per_hour),
    }
}

fn one(
    state: &State,
    place: usize,
    policy: &PolicyRef,
    counts: &Counts,
    now: Timestamp,
) -> OfPolicy {
    let cohort = |horizon_ms: u64, is_of: &dyn Fn(u8) -> bool| {
        Cohort::of(state, place, now, horizon_ms, is_of)
    };
    let horizons = HORIZONS
        .iter()
        .zip(counts.returned)
        .map(|(&(horizon_ms, name), returned)| {
            (
                name,
                regret(counts, returned, cohort(horizon_ms, &|_| true)),
            )
        });
    let (headline_ms, _) = HORIZONS.get(HEADLINE).copied().unwrap_or_default();
    let names = ["unknown", "desktop", "mobile", "server"];
    let by_device: BTreeMap<&'static str, Share> = counts
        .by_device
        .iter()
        .filter_map(|(&code, &(evictions, returned))| {
            let name = names.get(usize::from(code))?;
            let open = cohort(headline_ms, &|device| device == code);
            Some((*name, open.share(evictions, returned)))
        })
        .collect();
    let rates = || by_device.values().filter_map(|share| share.share);
    let (least, most) = (
        rates().fold(f64::INFINITY, f64::min),
        rates().fold(f64::NEG_INFINITY, f64::max),
    );
    OfPolicy {
        policy: policy.clone(),
        evictions: counts.evictions,
        live_kills: Share::of(counts.echoed, counts.echoed + counts.silent),
        undecided: Share::of(
            counts.undecided,
            counts.echoed + counts.silent + counts.undecided,
        ),
        unattended: counts.unattended,
        zombie_precision: Share::of(counts.zombies.1, counts.zombies.0),
        regret: horizons.collect(),
        thrash_per_1000: cohort(THRASH_MS, &|_| true)
            .share(
                counts.evictions.saturating_sub(counts.forgotten),
                counts.thrash,
            )
            .share
            .map(|share| share * 1e3),
        device_gap: (rates().count() > 1).then_some(most - least),
        regret_by_device: by_device,
    }
}

/// The victims of a policy whose horizon is not over: they are in no rate, whether they came back or not. Those
/// who did are known at once and those who do not only later, so whoever counts both as they come finds too many.
#[derive(Debug, Clone, Copy)]
struct Cohort {
    /// Those that nobody came back for yet.
    waiting: u64,
    /// Those that are back, and of these the ones within the horizon.
    back: (u64, u64),
}

impl Cohort {
    fn of(
        state: &State,
        place: usize,
        now: Timestamp,
        horizon_ms: u64,
        is_of: &dyn Fn(u8) -> bool,
    ) -> Self {
        let waits = |at: Timestamp| now.millis().saturating_sub(at.millis()) <= horizon_ms;
        let waiting = state
            .pending
            .iter()
            .filter(|victim| victim.policy == place && is_of(victim.device) && waits(victim.at));
        let back = state.pending.back_within(now, horizon_ms);
        let back = back.filter(|one| one.policy == place && is_of(one.device));
        let back = back.fold((0, 0), |(all, within), one| {
            (all + 1, within + u64::from(one.away_ms <= horizon_ms))
        });
        Self {
            waiting: waiting.count() as u64,
            back,
        }
    }

    /// The share of victims that came back, among those whose horizon is over.
    fn share(self, evictions: u64, returned: u64) -> Share {
        let decided = evictions.saturating_sub(self.waiting + self.back.0);
        Share::of(returned.saturating_sub(self.back.1).min(decided), decided)
    }
}

fn regret(counts: &Counts, returned: u64, open: Cohort) -> Regret {
    let (pending, forgotten) = (open.waiting, counts.forgotten);
    Regret {
        rate: open.share(counts.evictions.saturating_sub(forgotten), returned),
        pending,
        forgotten,
        at_least: ratio(returned, counts.evictions),
        at_most: ratio(
            (returned + pending + forgotten).min(counts.evictions),
            counts.evictions,
        ),
    }
}

/// What each key of the report means, for readers of the JSON.
#[must_use]
pub fn definitions() -> BTreeMap<&'static str, String> {
    let (headline, _) = HORIZONS.get(HEADLINE).copied().unwrap_or_default();
    BTreeMap::from([
        (
            "live_kills",
            "victims that answered our Close, among those that had a connection".to_owned(),
        ),
        (
            "regret",
            "victims whose user wanted the key again within the time, created or refused"
                .to_owned(),
        ),
        (
            "thrash_per_1000",
            format!(
                "returns within {} s, for every 1,000 evictions",
                THRASH_MS / 1_000
            ),
        ),
        (
            "zombie_precision",
            "victims that did not answer, among those taken as gone, silent, stalled or stuck"
                .to_owned(),
        ),
        (
            "regret_by_device",
            format!(
                "returns within {} min, by what the client ran on",
                headline / 60_000
            ),
        ),
        (
            "audit",
            "managers drawn at random every hour and asked: the dead among those who stayed"
                .to_owned(),
        ),
        (
            "ping_pong_depth",
            format!(
                "the longest run of evictions in which two keys of a user went by turns; from {PING_PONG_FROM} on they fight"
            ),
        ),
        (
            "freed_nothing",
            "runs of a tier that had somebody it might touch and freed nothing".to_owned(),
        ),
    ])
}
