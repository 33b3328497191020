//! A change of how a breaker stands, in words for whoever runs the server.

use std::sync::Arc;

use super::{BreakerState, Cause};
use wastegate_core::types::Timestamp;

/// One change of standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerChange {
    /// SHA-256 of the policy's bytes, in hex.
    pub digest: Arc<str>,
    /// How its breaker stood.
    pub from: BreakerState,
    /// How it stands.
    pub to: BreakerState,
    /// Why, with the last fault where one is the cause.
    pub why: String,
    /// When the state changed.
    pub at: Timestamp,
}

impl Cause {
    /// Between which standings it lies.
    pub(super) const fn turn(self) -> (BreakerState, BreakerState) {
        match self {
            Self::FaultsInARow(_) | Self::FaultRate { .. } => {
                (BreakerState::Closed, BreakerState::Open)
            }
            Self::CoolDownOver => (BreakerState::Open, BreakerState::HalfOpen),
            Self::TrialFailed => (BreakerState::HalfOpen, BreakerState::Open),
            Self::TrialsPassed(_) => (BreakerState::HalfOpen, BreakerState::Closed),
        }
    }

    /// The sentence, given the words of the last fault.
    pub(super) fn sentence(self, fault: &str) -> String {
        match self {
            Self::FaultsInARow(1) => format!("it {fault}"),
            Self::FaultsInARow(times) => {
                format!("it failed {times} times in a row; the last time it {fault}")
            }
            Self::FaultRate { faults, calls } => {
                format!("it failed {faults} of {calls} times lately; the last time it {fault}")
            }
            Self::CoolDownOver => "its cool-down is over; it is tried in shadow".to_owned(),
            Self::TrialFailed => format!("a trial in shadow failed: it {fault}"),
            Self::TrialsPassed(1) => "a trial in shadow went well".to_owned(),
            Self::TrialsPassed(times) => format!("{times} trials in shadow went well in a row"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wastegate_core::decision::Fault;

    #[test]
    fn sentences_read_on_from_what_a_fault_says() {
        let fault = Fault::OutOfFuel(40_000).to_string();
        let rate = Cause::FaultRate {
            faults: 12,
            calls: 850,
        };
        assert_eq!(
            rate.sentence(&fault),
            "it failed 12 of 850 times lately; the last time it used all of its 40000 units of fuel"
        );
        assert_eq!(
            Cause::TrialFailed.sentence(&fault),
            "a trial in shadow failed: it used all of its 40000 units of fuel"
        );
        let trap = Fault::Trap("unreachable".to_owned()).to_string();
        assert_eq!(
            Cause::FaultsInARow(3).sentence(&trap),
            "it failed 3 times in a row; the last time it trapped: unreachable"
        );
    }
}
