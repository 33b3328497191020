//! The breakers of every policy, by digest, the leave to make one call, and who hears of changes.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::broadcast;

use super::{Breaker, BreakerChange, BreakerSettings, BreakerState, Call, Cause};
use crate::policy::evidence::{Faults, TestCase};
use wastegate_core::types::Timestamp;

/// Digests that are remembered; of more, the ones not asked for longest are forgotten, those that
/// are closed first.
const DIGESTS_MAX: usize = 64;

/// Changes that may wait for a listener; one that is slower misses the oldest and is told how many.
const CHANGES_MAX: usize = 256;

/// The breakers of all policies, by digest: a policy that comes back is still quarantined, and one
/// that fails does not harm another. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Breakers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// A lock because calls end on several threads; held for a look-up and a few numbers.
    entries: Mutex<Entries>,
    changes: broadcast::Sender<BreakerChange>,
}

#[derive(Debug)]
struct Entries {
    settings: BreakerSettings,
    by_digest: HashMap<Arc<str>, Entry>,
    faults: Faults,
}

#[derive(Debug)]
struct Entry {
    breaker: Breaker,
    asked: Timestamp,
    last_change: Option<BreakerChange>,
}

/// Leave to make one call. Dropped unused, it is as if it had never been given.
#[derive(Debug)]
pub struct BreakerPermit {
    breakers: Breakers,
    digest: Arc<str>,
    call: Call,
    used: bool,
}

impl Breakers {
    /// With no policy known yet.
    #[must_use]
    pub fn new(settings: BreakerSettings) -> Self {
        Self(Arc::new(Shared {
            entries: Mutex::new(Entries {
                settings,
                by_digest: HashMap::new(),
                faults: Faults::default(),
            }),
            changes: broadcast::Sender::new(CHANGES_MAX),
        }))
    }

    /// Leave to ask a policy in earnest, if its breaker is closed.
    #[must_use]
    pub fn admit(&self, digest: &Arc<str>, now: Timestamp) -> Option<BreakerPermit> {
        let closed = self.0.entries.lock().entry(digest, now).breaker.is_closed();
        closed.then(|| self.permit(digest, Call::Live))
    }

    /// Leave to try a quarantined policy in shadow, if a trial is due and none is running.
    #[must_use]
    pub fn trial(&self, digest: &Arc<str>, now: Timestamp) -> Option<BreakerPermit> {
        let mut entries = self.0.entries.lock();
        let entry = entries.by_digest.get_mut(digest)?;
        let open = entry.breaker.open_until().is_some();
        if !entry.breaker.begin_trial(now) {
            return None;
        }
        entry.asked = now;
        if open {
            self.report(entry, digest, Cause::CoolDownOver, "", now);
        }
        Some(self.permit(digest, Call::Trial))
    }

    /// How a policy's breaker stands; closed for one that is not known.
    #[must_use]
    pub fn standing(&self, digest: &str, now: Timestamp) -> BreakerState {
        let entries = self.0.entries.lock();
        let entry = entries.by_digest.get(digest);
        entry.map_or(BreakerState::Closed, |entry| entry.breaker.standing(now))
    }

    /// Until when a policy is left alone; none if it is not.
    #[must_use]
    pub fn open_until(&self, digest: &str) -> Option<Timestamp> {
        let entries = self.0.entries.lock();
        entries.by_digest.get(digest)?.breaker.open_until()
    }

    /// Why a policy's breaker stands as it does; none if it never changed.
    #[must_use]
    pub fn last_change(&self, digest: &str) -> Option<BreakerChange> {
        let entries = self.0.entries.lock();
        entries.by_digest.get(digest)?.last_change.clone()
    }

    /// Every change of standing from now on, of any policy. Whoever listens too slowly misses the
    /// oldest and is told how many.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<BreakerChange> {
        self.0.changes.subscribe()
    }

    /// How many policies are not asked as always.
    #[must_use]
    pub fn quarantined(&self, now: Timestamp) -> usize {
        let entries = self.0.entries.lock();
        let open = |entry: &&Entry| entry.breaker.standing(now) != BreakerState::Closed;
        entries.by_digest.values().filter(open).count()
    }

    /// The input of the last fault of a policy, as a test case.
    #[must_use]
    pub fn last_fault(&self, digest: &str) -> Option<Arc<TestCase>> {
        self.faults(digest).into_iter().next()
    }

    /// The inputs of the last few faults of a policy, the newest first.
    #[must_use]
    pub fn faults(&self, digest: &str) -> Vec<Arc<TestCase>> {
        self.0.entries.lock().faults.of(digest)
    }

    fn permit(&self, digest: &Arc<str>, call: Call) -> BreakerPermit {
        BreakerPermit {
            breakers: self.clone(),
            digest: digest.clone(),
            call,
            used: false,
        }
    }

    /// Notes a change and tells whoever listens.
    fn report(
        &self,
        entry: &mut Entry,
        digest: &Arc<str>,
        cause: Cause,
        fault: &str,
        at: Timestamp,
    ) {
        let (from, to) = cause.turn();
        let change = BreakerChange {
            digest: digest.clone(),
            from,
            to,
            why: cause.sentence(fault),
            at,
        };
        entry.last_change = Some(change.clone());
        // Nobody has to listen.
        let _ = self.0.changes.send(change);
    }
}

impl Entries {
    fn entry(&mut self, digest: &Arc<str>, now: Timestamp) -> &mut Entry {
        if !self.by_digest.contains_key(digest) && self.by_digest.len() >= DIGESTS_MAX {
            let worth = |entry: &Entry| (!entry.breaker.is_closed(), entry.asked);
            let least = self.by_digest.iter().min_by_key(|(_, entry)| worth(entry));
            if let Some(least) = least.map(|(digest, _)| digest.clone()) {
                self.by_digest.remove(&least);
                self.faults.forget(&least);
            }
        }
        let settings = &self.settings;
        let entry = self
            .by_digest
            .entry(digest.clone())
            .or_insert_with(|| Entry {
                breaker: Breaker::new(settings.clone()),
                asked: now,
                last_change: None,
            });
        entry.asked = now;
        entry
    }
}

impl BreakerPermit {
    /// In which way the policy may be asked.
    #[must_use]
    pub const fn call(&self) -> Call {
        self.call
    }

    /// The call was made and went well. Says what changed, if it changed how the breaker stands.
    pub fn succeeded(self, now: Timestamp) -> Option<BreakerChange> {
        self.record(None, now)
    }

    /// The call was made and the policy failed on this. Says what changed.
    pub fn failed(self, case: TestCase, now: Timestamp) -> Option<BreakerChange> {
        self.record(Some(case), now)
    }

    fn record(mut self, case: Option<TestCase>, now: Timestamp) -> Option<BreakerChange> {
        self.used = true;
        let mut entries = self.breakers.0.entries.lock();
        let entries = &mut *entries;
        // Forgotten meanwhile: what comes of an old call is of no interest.
        let entry = entries.by_digest.get_mut(&self.digest)?;
        let cause = entry.breaker.record(self.call, case.is_some(), now);
        let fault = case.as_ref().map(|case| case.fault.clone());
        if let Some(case) = case {
            entries.faults.keep(case);
        }
        let fault = fault.unwrap_or_default();
        self.breakers
            .report(entry, &self.digest, cause?, &fault, now);
        entry.last_change.clone()
    }
}

impl Drop for BreakerPermit {
    fn drop(&mut self) {
        if self.call == Call::Trial
            && !self.used
            && let Some(entry) = self
                .breakers
                .0
                .entries
                .lock()
                .by_digest
                .get_mut(&self.digest)
        {
            entry.breaker.abandon_trial();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn breakers() -> Breakers {
        Breakers::new(BreakerSettings {
            consecutive_faults: 1,
            trials: 2,
            ..BreakerSettings::default()
        })
    }

    #[test]
    fn breakers_are_apart_by_digest_and_bounded() {
        let breakers = breakers();
        let digest: Arc<str> = "a".into();
        let case: TestCase = serde_json::from_str(CASE).unwrap();
        let permit = breakers.admit(&digest, at(0)).unwrap();
        permit.failed(case.clone(), at(0));
        assert!(breakers.admit(&digest, at(1)).is_none());
        assert_eq!(*breakers.last_fault("a").unwrap(), case);
        assert!(breakers.admit(&"b".into(), at(1)).is_some());
        assert!(breakers.trial(&"b".into(), at(1)).is_none(), "b is well");

        // A leave that is dropped takes its trial back.
        drop(breakers.trial(&digest, at(60)).unwrap());
        breakers.trial(&digest, at(60)).unwrap().succeeded(at(60));
        assert_eq!(breakers.standing("a", at(60)), BreakerState::HalfOpen);

        // Who is quarantined is remembered longest.
        for other in 0..1_000_u64 {
            let _leave = breakers.admit(&other.to_string().into(), at(100 + other));
        }
        assert_eq!(breakers.0.entries.lock().by_digest.len(), DIGESTS_MAX);
        assert_eq!(breakers.standing("a", at(2_000)), BreakerState::HalfOpen);
    }

    #[test]
    fn every_change_is_told_once_with_the_reason() {
        let breakers = breakers();
        let mut changes = breakers.changes();
        let digest: Arc<str> = "a".into();
        let case: TestCase = serde_json::from_str(CASE).unwrap();
        let opened = breakers.admit(&digest, at(0)).unwrap();
        opened.failed(case.clone(), at(0));
        assert!(breakers.admit(&digest, at(70)).is_none(), "never live");
        breakers
            .trial(&digest, at(70))
            .unwrap()
            .failed(case, at(70));
        for _ in 0..2 {
            breakers.trial(&digest, at(200)).unwrap().succeeded(at(201));
        }
        assert!(breakers.admit(&digest, at(202)).is_some());
        let reported = std::iter::from_fn(|| changes.try_recv().ok());
        let reported: Vec<String> = reported
            .map(|change| {
                let (from, to) = (change.from.name(), change.to.name());
                let seconds = change.at.millis() / 1_000;
                format!("{seconds} {from} {to}: {}", change.why)
            })
            .collect();
        assert_eq!(
            reported,
            [
                "0 closed open: it broke",
                "70 open half-open: its cool-down is over; it is tried in shadow",
                "70 half-open open: a trial in shadow failed: it broke",
                "200 open half-open: its cool-down is over; it is tried in shadow",
                "201 half-open closed: 2 trials in shadow went well in a row",
            ]
        );
        let last = breakers.last_change("a").unwrap();
        assert_eq!((last.to, last.at), (BreakerState::Closed, at(201)));
    }

    const CASE: &str = r#"{"v":1,"policy":"p","digest":"a","engine":"e","fault":"broke","tier":"force",
        "scope":"user","needed":1,"limit":2,"held":2,"now_ms":5,"seed":7,"params":[],"rows":2,
        "signals":["idle-ms"],"columns":[[1.5,null]]}"#;
}
