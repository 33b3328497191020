//! What is remembered of a policy's calls: the last while and nothing before it.

use std::time::Duration;

use super::{BreakerSettings, Cause};
use wastegate_core::types::Timestamp;

/// Calls and faults of the last while: of the current half of the window and the one before it.
#[derive(Debug, Clone)]
pub(super) struct Window {
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
    pub(super) const EMPTY: Self = Self {
        since: Timestamp::ZERO,
        current: Tally::ZERO,
        before: Tally::ZERO,
    };

    /// Counts a call.
    pub(super) fn add(&mut self, fault: bool, now: Timestamp, length: Duration) {
        let age = now.since(self.since);
        if age >= length / 2 {
            let stale = age >= length;
            self.before = if stale { Tally::ZERO } else { self.current };
            (self.current, self.since) = (Tally::ZERO, now);
        }
        self.current.calls = self.current.calls.saturating_add(1);
        self.current.faults = self.current.faults.saturating_add(u32::from(fault));
    }

    /// The cause to open, if there were enough calls and too large a share of faults.
    pub(super) fn over(&self, settings: &BreakerSettings) -> Option<Cause> {
        let calls = self.before.calls.saturating_add(self.current.calls);
        let faults = self.before.faults.saturating_add(self.current.faults);
        let over = calls >= settings.window_calls_min
            && f64::from(faults) > settings.fault_rate * f64::from(calls);
        over.then_some(Cause::FaultRate { faults, calls })
    }
}

impl Tally {
    const ZERO: Self = Self {
        calls: 0,
        faults: 0,
    };
}
