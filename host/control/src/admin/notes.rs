//! Log lines about requests to operators that are turned away: anybody who reaches the listener could
//! cause them, so there is one a kind in ten seconds, with how many were left out.

use std::time::Duration;

use wastegate::observe::Throttle;
use wastegate_core::types::Clock;

/// Between two lines of a kind.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Note {
    /// Another host or origin than ours.
    Foreign,
    /// No token, or not the right one.
    Token,
    /// Every place is taken.
    Places,
    /// The system gives no connection.
    Accept,
}

/// The listener's log lines, limited in their rate.
#[derive(Debug)]
pub struct Notes(Throttle<Note>);

impl Default for Notes {
    fn default() -> Self {
        Self(Throttle::new(REPORT_EVERY))
    }
}

impl Notes {
    /// Tells it, or counts it to what is told next.
    pub(super) fn report(&self, note: Note, clock: &Clock, why: &str) {
        if let Some(left_out) = self.0.pass(clock.now(), note) {
            tracing::warn!(left_out, "an operator's request is refused: {why}");
        }
    }
}
