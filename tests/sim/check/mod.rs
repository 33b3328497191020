//! The checkers: one for each promise of the design, each with its own idea of what is right.
//!
//! They see observations and know what the operator set. They never ask the host for its opinion,
//! and nothing here drives anything.

mod admission;
mod ending;
mod guard;
mod limit;
#[cfg(test)]
mod meta;
mod policy;
mod probe;
mod quiet;
mod stalled;

use wastegate_core::types::Timestamp;

use crate::scenario::Scenario;
use crate::seen::Seen;

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) at: Timestamp,
    /// Its number in the design.
    pub(crate) promise: u8,
    pub(crate) what: String,
}

/// Watches over one promise.
pub(crate) trait Checker: Send {
    /// The number of the promise in the design.
    fn promise(&self) -> u8;
    /// Takes an observation, and says what is wrong with it.
    fn see(&mut self, at: Timestamp, seen: &Seen, wrong: &mut Vec<String>);
}

/// All of them.
pub(crate) struct Checkers(Vec<Box<dyn Checker>>);

impl Checkers {
    pub(crate) fn of(scenario: &Scenario) -> Self {
        Self(vec![
            Box::new(limit::Limit::of(scenario)),
            Box::new(admission::Admissions::of(scenario)),
            Box::new(quiet::Quiet::of(scenario)),
            Box::new(guard::Guard::of(scenario)),
            Box::new(policy::Completed::of(scenario)),
            Box::new(probe::Probes::of(scenario)),
            Box::new(ending::Endings::of(scenario)),
            Box::new(stalled::Stalled::of(scenario)),
        ])
    }

    pub(crate) fn see(&mut self, at: Timestamp, seen: &Seen, violations: &mut Vec<Violation>) {
        let mut wrong = Vec::new();
        for checker in &mut self.0 {
            checker.see(at, seen, &mut wrong);
            violations.extend(wrong.drain(..).map(|what| Violation {
                at,
                promise: checker.promise(),
                what,
            }));
        }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at, promise, what } = self;
        write!(f, "promise {promise} at {} ms: {what}", at.millis())
    }
}
