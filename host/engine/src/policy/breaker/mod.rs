//! The circuit breaker: how a policy that keeps failing is kept from being asked.
//!
//! A deterministic policy that failed on an input fails on it again, and each failure costs its
//! budget before the built-in ranking answers anyway. So after a few faults in a row, or too large
//! a share of faults lately, it is left alone for a cool-down. Then it is tried on real questions,
//! one at a time and in shadow: its answers are thrown away, and nobody waits for them. A fault
//! starts the cool-down anew, enough successes in a row close the breaker, and only then is it asked
//! in earnest again.
//!
//! What it deliberately does not do (each was seen to lock users out elsewhere): a refused call does
//! not move the end of the cool-down; old faults are forgotten with the window they fell in; no
//! user's admission is the trial; and it stands before the policy only, never before the cleanup,
//! which the revision before or the built-in ranking completes.
//!
//! [`Breaker`] is a pure state machine; [`Breakers`] holds one for each digest and tells of every
//! [`BreakerChange`].

mod breakers;
mod change;
mod window;

use std::time::Duration;

pub use breakers::{BreakerPermit, Breakers};
pub use change::BreakerChange;
use serde::Serialize;

use self::window::Window;
use super::config::InvalidConfig;
use wastegate_core::types::Timestamp;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// The policy is asked.
    Closed,
    /// It is left alone.
    Open,
    /// It is tried in shadow, a call at a time, to find out whether it is well again.
    HalfOpen,
}

impl BreakerState {
    /// Its name in records and views.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// In which way a policy is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// In earnest: somebody goes by its answer.
    Live,
    /// In shadow: only whether it fails matters.
    Trial,
}

/// Why a breaker came to stand as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// So many faults in a row.
    FaultsInARow(u32),
    /// Too large a share of faults lately.
    FaultRate {
        /// How many calls failed.
        faults: u32,
        /// Of how many.
        calls: u32,
    },
    /// The cool-down is over and the first trial begins.
    CoolDownOver,
    /// A trial failed.
    TrialFailed,
    /// So many trials in a row went well.
    TrialsPassed(u32),
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
    pub fn standing(&self, now: Timestamp) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { until } if now < until => BreakerState::Open,
            State::Open { .. } | State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// When trials begin; none if it is not open.
    #[must_use]
    pub(crate) const fn open_until(&self) -> Option<Timestamp> {
        match self.state {
            State::Open { until } => Some(until),
            State::Closed { .. } | State::HalfOpen { .. } => None,
        }
    }

    /// Whether the policy may be asked in earnest. What comes of it goes to [`Breaker::record`].
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// Begins a trial if one is due and none is running. It has to be ended by [`Breaker::record`]
    /// or [`Breaker::abandon_trial`].
    pub(crate) fn begin_trial(&mut self, now: Timestamp) -> bool {
        match &mut self.state {
            State::Open { until } if now >= *until => {
                self.state = State::HalfOpen {
                    trying: true,
                    succeeded: 0,
                };
                true
            }
            State::HalfOpen { trying, .. } => !std::mem::replace(trying, true),
            State::Open { .. } | State::Closed { .. } => false,
        }
    }

    /// What came of a call. Says why, if it changed how the breaker stands.
    pub fn record(&mut self, call: Call, fault: bool, now: Timestamp) -> Option<Cause> {
        match (&mut self.state, call) {
            (State::Closed { in_a_row, window }, Call::Live) => {
                *in_a_row = if fault { in_a_row.saturating_add(1) } else { 0 };
                window.add(fault, now, self.settings.window);
                let cause = if *in_a_row >= self.settings.consecutive_faults {
                    Some(Cause::FaultsInARow(*in_a_row))
                } else {
                    window.over(&self.settings)
                };
                if cause.is_some() {
                    self.open(now);
                }
                cause
            }
            (State::HalfOpen { .. }, Call::Trial) if fault => {
                self.open(now);
                Some(Cause::TrialFailed)
            }
            (State::HalfOpen { trying, succeeded }, Call::Trial) => {
                (*trying, *succeeded) = (false, succeeded.saturating_add(1));
                let passed = *succeeded;
                (passed >= self.settings.trials).then(|| {
                    self.state = State::CLOSED;
                    Cause::TrialsPassed(passed)
                })
            }
            // A call from before the state changed says nothing about the one it is in now.
            (State::Open { .. } | State::HalfOpen { .. } | State::Closed { .. }, _) => None,
        }
    }

    /// A trial that began was never made: as if it had not begun.
    pub(crate) const fn abandon_trial(&mut self) {
        if let State::HalfOpen { trying, .. } = &mut self.state {
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

#[cfg(test)]
mod tests;
