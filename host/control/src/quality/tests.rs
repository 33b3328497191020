//! Labels on virtual time.

use std::time::Duration;

use super::*;
use wastegate_core::decision::{Class, PolicyRef, VictimOutcome};
use wastegate_core::types::{ManagerId, ManagerKey, Timestamp, UserId};

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn key(name: &str) -> ManagerKey {
    ManagerKey::new(name).unwrap()
}

fn s(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn policy(name: &str) -> PolicyRef {
    PolicyRef {
        name: name.into(),
        version: "1.0.0".into(),
        digest: name.into(),
    }
}

struct Reports {
    quality: Quality,
    lives: u64,
}

impl Reports {
    fn new() -> Self {
        Self {
            quality: Quality::default(),
            lives: 0,
        }
    }

    fn evict(&mut self, at: Timestamp, name: &str, who: &str, what: &str, end: VictimOutcome) {
        self.lives += 1;
        let (policy, user, key) = (policy(name), user(who), key(what));
        let victim = RankedVictim {
            policy: &policy,
            user: &user,
            key: &key,
            manager: ManagerId::from_raw(self.lives),
            class: Class::Suspect,
        };
        self.quality.evicted(at, victim, 1);
        self.quality.ended(victim, end);
    }
}

const ECHOED: VictimOutcome = VictimOutcome::Echoed { after_ms: 3 };

#[test]
fn a_return_counts_at_every_horizon_that_it_is_within() {
    let mut reports = Reports::new();
    reports.evict(s(100), "lru", "ann", "chat", ECHOED);
    reports.evict(s(100), "lru", "bob", "chat", VictimOutcome::Aborted);
    reports.quality.wanted(s(130), &user("ann"), &key("chat"));
    reports.quality.wanted(s(131), &user("ann"), &key("chat"));
    reports.quality.wanted(s(131), &user("ann"), &key("other"));
    let report = reports.quality.report(s(200));
    let lru = &report.policies[0];
    assert_eq!((lru.live_kills.hits, lru.live_kills.of), (1, 2));
    assert_eq!((lru.zombie_precision.hits, lru.zombie_precision.of), (1, 2));
    let rate = |name| {
        let regret = &lru.regret[name];
        (regret.rate.hits, regret.rate.of, regret.pending)
    };
    // After 100 s a minute is over and ten are not: ann is back, and that says nothing of ten minutes yet.
    assert_eq!(rate("10s"), (0, 2, 0));
    assert_eq!(rate("60s"), (1, 2, 0));
    assert_eq!(rate("10m"), (0, 0, 1));
    assert_eq!(lru.regret["10m"].at_least, Some(0.5));
    assert_eq!(lru.regret["10m"].at_most, Some(1.0));
    assert_eq!(lru.thrash_per_1000, Some(500.0));
}

/// J08: a victim of which it cannot be said whether it was there is in no rate but its own.
#[test]
fn j08_an_undecided_victim_is_no_hit_of_precision_and_no_live_kill() {
    let mut reports = Reports::new();
    reports.evict(s(1), "lru", "ann", "a", ECHOED);
    reports.evict(s(1), "lru", "ann", "b", VictimOutcome::Aborted);
    reports.evict(s(1), "lru", "ann", "c", VictimOutcome::Undecided);
    let report = reports.quality.report(s(200));
    let lru = &report.policies[0];
    let parts = |share: &super::report::Share| (share.hits, share.of);
    assert_eq!(parts(&lru.live_kills), (1, 2));
    assert_eq!(parts(&lru.zombie_precision), (1, 2));
    assert_eq!(parts(&lru.undecided), (1, 3));
    assert_eq!(lru.evictions, 3);
}

#[test]
fn after_a_day_nobody_is_waited_for() {
    let mut reports = Reports::new();
    reports.evict(s(1), "lru", "ann", "chat", ECHOED);
    let day = 24 * 3_600;
    let rate = |reports: &Reports, at| reports.quality.report(at).policies[0].regret["24h"];
    assert_eq!(rate(&reports, s(day)).pending, 1);
    assert_eq!(rate(&reports, s(day + 2)).pending, 0);
    reports
        .quality
        .wanted(s(day + 3), &user("ann"), &key("chat"));
    let over = rate(&reports, s(day + 4));
    assert_eq!((over.rate.hits, over.rate.of), (0, 1));
}

#[test]
fn each_policy_answers_for_its_own_victims() {
    let mut reports = Reports::new();
    reports.evict(s(1), "lru", "ann", "a", ECHOED);
    reports.evict(s(2), "fifo", "ann", "b", VictimOutcome::Released);
    reports.quality.wanted(s(3), &user("ann"), &key("b"));
    let report = reports.quality.report(s(100));
    let returned = |place: usize| report.policies[place].regret["10s"].rate.hits;
    assert_eq!((returned(0), returned(1)), (0, 1));
    assert_eq!(report.policies[1].unattended, 1);
    assert_eq!(
        report.policies[1].live_kills.of, 0,
        "nobody could have answered"
    );
    assert_eq!(report.fairness.users, 1);
}

#[test]
fn admissions_have_a_tail_and_the_blocked_a_count() {
    let quality = Quality::default();
    for ms in 0..100 {
        quality.admission(&user("ann"), Duration::from_millis(ms), true, false);
    }
    quality.admission(&user("bob"), Duration::from_millis(2_000), false, true);
    quality.freed_nothing();
    let report = quality.report(s(1));
    let admissions = report.admissions;
    assert_eq!((admissions.blocked.hits, admissions.blocked.of), (1, 101));
    assert_eq!(admissions.blocked_users, 1);
    assert_eq!(admissions.triggered_p50_ms, Some(49.5));
    assert!(admissions.triggered_p99_ms.unwrap() > 97.0);
    assert_eq!(report.freed_nothing, 1);
}

/// J06: 15 evictions a second, of which one in ten is wanted back after a second. The rate is the same at every
/// moment, and there is none before the first horizon is over.
#[test]
fn j06_a_rate_is_over_victims_whose_horizon_is_over() {
    let mut reports = Reports::new();
    let (mut rates, mut at) = (Vec::new(), 0);
    for second in 0..40_u64 {
        for _ in 0..15 {
            at += 1;
            let who = format!("user-{at}");
            reports.evict(s(second), "lru", &who, "chat", ECHOED);
            if at % 10 == 0 {
                reports
                    .quality
                    .wanted(s(second + 1), &user(&who), &key("chat"));
            }
        }
        rates.push(reports.quality.report(s(second + 1)).policies[0].regret["10s"].rate);
    }
    assert!(rates.iter().take(9).all(|rate| rate.share.is_none()));
    for rate in rates.iter().skip(12) {
        let share = rate.share.unwrap();
        assert!((0.08..=0.12).contains(&share), "{rate:?}");
        assert!(rate.low <= 0.1 && 0.1 <= rate.high, "{rate:?}");
    }
    let lru = &reports.quality.report(s(200)).policies[0];
    assert_eq!(lru.thrash_per_1000, Some(100.0));
}
