//! The circuit breaker: how a policy that keeps failing is kept from being asked.
//!
//! A deterministic policy that failed on an input fails on it again, and each failure costs its
//! budget before the built-in ranking answers anyway. So after a few faults in a row, or too large
//! a share of faults lately, it is left alone for a cool-down. Then exactly one call is let through
//! to try: a fault starts the cool-down anew, enough successes in a row close the breaker.
//!
//! What it deliberately does not do (each was seen to lock users out elsewhere): a refused try does
//! not move the end of the cool-down; old faults are forgotten with the window they fell in; while
//! trying, nobody but the one trial is let through; and it stands before the policy only, never
//! before the cleanup, which the built-in ranking completes.
//!
//! [`Breaker`] is a pure state machine; [`Breakers`] holds one for each digest.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::config::InvalidConfig;
use super::evidence::TestCase;
use crate::types::Timestamp;

/// Digests that are remembered; of more, the ones not asked for longest are forgotten.
const DIGESTS_MAX: usize = 64;

/// When a policy is quarantined, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct BreakerSettings {
    /// Faults in a row that open it. Default 3.
    pub consecutive_faults: u32,
    /// The share of faults that opens it, 0 to 1. Default 0.01.
    pub fault_rate: f64,
    /// Calls in the window below which no share is computed. Default 200.
    pub window_calls_min: u32,
    /// How far back the share looks. Default 60 s.
    pub window: Duration,
    /// How long it stays open. Default 60 s.
    pub cool_down: Duration,
    /// Successful trials in a row that close it. Default 3.
    pub trials: u32,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            consecutive_faults: 3,
            fault_rate: 0.01,
            window_calls_min: 200,
            window: Duration::from_secs(60),
            cool_down: Duration::from_secs(60),
            trials: 3,
        }
    }
}

impl BreakerSettings {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`InvalidConfig`] naming the first one that is out of range.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let rules = [
            (
                "breaker.consecutive_faults",
                self.consecutive_faults > 0,
                "above 0",
            ),
            (
                "breaker.fault_rate",
                self.fault_rate > 0.0 && self.fault_rate <= 1.0,
                "above 0 and at most 1",
            ),
            ("breaker.window", !self.window.is_zero(), "above 0"),
            ("breaker.cool_down", !self.cool_down.is_zero(), "above 0"),
            ("breaker.trials", self.trials > 0, "above 0"),
        ];
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            Some((key, _, must)) => Err(InvalidConfig { key, must }),
            None => Ok(()),
        }
    }
}

/// How a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// The policy is asked.
    Closed,
    /// It is left alone.
    Open,
    /// One call at a time tries whether it is well again.
    HalfOpen,
}

/// Whether a policy may be asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may, as always.
    Ordinary,
    /// It may, and what comes of it decides.
    Trial,
    /// It may not.
    Refused,
}

/// The state machine. Moments come as data.
#[derive(Debug, Clone)]
pub struct Breaker {
    settings: BreakerSettings,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Closed { in_a_row: u32, window: Window },
    Open { until: Timestamp },
    HalfOpen { trying: bool, succeeded: u32 },
}

impl Breaker {
    /// A closed one.
    #[must_use]
    pub const fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            state: State::CLOSED,
        }
    }

    /// How it stands now.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        match self.state {
            State::Closed { .. } => Standing::Closed,
            State::Open { until } if now < until => Standing::Open,
            State::Open { .. } | State::HalfOpen { .. } => Standing::HalfOpen,
        }
    }

    /// Whether the policy may be asked. Everything but a refusal has to be answered by
    /// [`Breaker::record`] or [`Breaker::abandon`].
    pub fn admit(&mut self, now: Timestamp) -> Admission {
        if let State::Open { until } = self.state
            && now >= until
        {
            self.state = State::HalfOpen {
                trying: false,
                succeeded: 0,
            };
        }
        match &mut self.state {
            State::Closed { .. } => Admission::Ordinary,
            State::HalfOpen { trying, .. } if !*trying => {
                *trying = true;
                Admission::Trial
            }
            State::Open { .. } | State::HalfOpen { .. } => Admission::Refused,
        }
    }

    /// What came of a call that was admitted.
    pub fn record(&mut self, admission: Admission, fault: bool, now: Timestamp) {
        match (&mut self.state, admission) {
            (State::Closed { in_a_row, window }, Admission::Ordinary) => {
                *in_a_row = if fault { in_a_row.saturating_add(1) } else { 0 };
                window.add(fault, now, self.settings.window);
                let too_many = *in_a_row >= self.settings.consecutive_faults;
                if too_many || window.is_over(&self.settings) {
                    self.open(now);
                }
            }
            (State::HalfOpen { .. }, Admission::Trial) if fault => self.open(now),
            (State::HalfOpen { trying, succeeded }, Admission::Trial) => {
                (*trying, *succeeded) = (false, succeeded.saturating_add(1));
                if *succeeded >= self.settings.trials {
                    self.state = State::CLOSED;
                }
            }
            // A call from before the state changed says nothing about the one it is in now.
            (State::Open { .. } | State::HalfOpen { .. } | State::Closed { .. }, _) => {}
        }
    }

    /// An admitted call was never made: as if it had not been admitted.
    pub const fn abandon(&mut self, admission: Admission) {
        if let (State::HalfOpen { trying, .. }, Admission::Trial) = (&mut self.state, admission) {
            *trying = false;
        }
    }

    fn open(&mut self, now: Timestamp) {
        self.state = State::Open {
            until: now.after(self.settings.cool_down),
        };
    }
}

impl State {
    const CLOSED: Self = Self::Closed {
        in_a_row: 0,
        window: Window::EMPTY,
    };
}

/// Calls and faults of the last while: of the current half of the window and the one before it.
#[derive(Debug, Clone)]
struct Window {
    since: Timestamp,
    current: Tally,
    before: Tally,
}

#[derive(Debug, Clone, Copy)]
struct Tally {
    calls: u32,
    faults: u32,
}

impl Window {
    const EMPTY: Self = Self {
        since: Timestamp::ZERO,
        current: Tally::ZERO,
        before: Tally::ZERO,
    };

    fn add(&mut self, fault: bool, now: Timestamp, length: Duration) {
        let age = now.since(self.since);
        if age >= length / 2 {
            let stale = age >= length;
            self.before = if stale { Tally::ZERO } else { self.current };
            (self.current, self.since) = (Tally::ZERO, now);
        }
        self.current.calls = self.current.calls.saturating_add(1);
        self.current.faults = self.current.faults.saturating_add(u32::from(fault));
    }

    fn is_over(&self, settings: &BreakerSettings) -> bool {
        let calls = self.before.calls.saturating_add(self.current.calls);
        let faults = self.before.faults.saturating_add(self.current.faults);
        calls >= settings.window_calls_min
            && f64::from(faults) > settings.fault_rate * f64::from(calls)
    }
}

impl Tally {
    const ZERO: Self = Self {
        calls: 0,
        faults: 0,
    };
}

/// The breakers of all policies, by digest: a policy that comes back is still quarantined, and one
/// that fails does not harm another. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Breakers(Arc<Mutex<Entries>>);

#[derive(Debug)]
struct Entries {
    settings: BreakerSettings,
    by_digest: HashMap<Arc<str>, Entry>,
}

#[derive(Debug)]
struct Entry {
    breaker: Breaker,
    asked: Timestamp,
    last_fault: Option<Arc<TestCase>>,
}

/// Leave to make one call. Dropped unused, it is as if it had never been given.
#[derive(Debug)]
pub struct Leave {
    breakers: Breakers,
    digest: Arc<str>,
    admission: Admission,
}

impl Breakers {
    /// With no policy known yet.
    #[must_use]
    pub fn new(settings: BreakerSettings) -> Self {
        Self(Arc::new(Mutex::new(Entries {
            settings,
            by_digest: HashMap::new(),
        })))
    }

    /// Leave to ask a policy, if it is not quarantined.
    #[must_use]
    pub fn admit(&self, digest: &Arc<str>, now: Timestamp) -> Option<Leave> {
        let admission = self.0.lock().entry(digest, now).breaker.admit(now);
        (admission != Admission::Refused).then(|| Leave {
            breakers: self.clone(),
            digest: digest.clone(),
            admission,
        })
    }

    /// How a policy's breaker stands; closed for one that is not known.
    #[must_use]
    pub fn standing(&self, digest: &str, now: Timestamp) -> Standing {
        self.0
            .lock()
            .by_digest
            .get(digest)
            .map_or(Standing::Closed, |entry| entry.breaker.standing(now))
    }

    /// The input of the last fault of a policy, as a test case.
    #[must_use]
    pub fn last_fault(&self, digest: &str) -> Option<Arc<TestCase>> {
        self.0.lock().by_digest.get(digest)?.last_fault.clone()
    }
}

impl Entries {
    fn entry(&mut self, digest: &Arc<str>, now: Timestamp) -> &mut Entry {
        if !self.by_digest.contains_key(digest) && self.by_digest.len() >= DIGESTS_MAX {
            let oldest = self.by_digest.iter().min_by_key(|(_, entry)| entry.asked);
            if let Some(oldest) = oldest.map(|(digest, _)| digest.clone()) {
                self.by_digest.remove(&oldest);
            }
        }
        let settings = &self.settings;
        let entry = self
            .by_digest
            .entry(digest.clone())
            .or_insert_with(|| Entry {
                breaker: Breaker::new(settings.clone()),
                asked: now,
                last_fault: None,
            });
        entry.asked = now;
        entry
    }
}

impl Leave {
    /// The call was made and went well.
    pub fn succeeded(self, now: Timestamp) {
        self.record(None, now);
    }

    /// The call was made and the policy failed on this.
    pub fn failed(self, case: TestCase, now: Timestamp) {
        self.record(Some(Arc::new(case)), now);
    }

    fn record(mut self, case: Option<Arc<TestCase>>, now: Timestamp) {
        let mut entries = self.breakers.0.lock();
        if let Some(entry) = entries.by_digest.get_mut(&self.digest) {
            entry.breaker.record(self.admission, case.is_some(), now);
            entry.last_fault = case.or_else(|| entry.last_fault.take());
        }
        drop(entries);
        self.admission = Admission::Ordinary;
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        // After a record this is an ordinary call, of which nothing has to be taken back.
        if self.admission == Admission::Trial
            && let Some(entry) = self.breakers.0.lock().by_digest.get_mut(&self.digest)
        {
            entry.breaker.abandon(self.admission);
        }
    }
}

#[cfg(test)]
mod tests;
