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

mod breakers;
mod window;

use std::time::Duration;

pub use breakers::{Breakers, Leave};

use self::window::Window;
use super::config::InvalidConfig;
use crate::types::Timestamp;

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

#[cfg(test)]
mod tests;
