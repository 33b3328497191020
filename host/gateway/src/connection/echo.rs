//! How long an evicted client is listened to, and what it shows if its answer does not come.
//!
//! The slot of an evicted manager is free at once, so listening longer costs a socket and keeps no client
//! waiting. It costs less than a wrong label: the probe and the Close measure the same path, so a client behind a slow one
//! would be counted as dead twice.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::pump::ConnectionContext;
use crate::manager::{ECHO_DEADLINES, Vitals};
use wastegate_core::types::{CloseReason, Timestamp};

/// Evicted clients that are listened to beyond the first deadline at a time. One more is cut off at that
/// deadline, and what became of it is undecided.
const LISTENED_MAX: usize = 1_024;
/// A path whose round trip takes a larger share of the wait leaves no room for a second attempt, so that
/// silence on it shows nothing.
const SLOW_SHARE: f64 = 0.5;

/// The bound on evicted clients that are listened to. One for all connections of a gateway.
#[derive(Debug, Clone)]
pub struct EchoListeners(Arc<Semaphore>);

impl Default for EchoListeners {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LISTENED_MAX)))
    }
}

/// The wait for one client's answer to a Close.
pub(super) struct EchoWait {
    /// How long it has.
    pub(super) deadline: Duration,
    start: Timestamp,
    /// Whether others took the time that it should have had.
    is_cut_short: bool,
    _listener: Option<OwnedSemaphorePermit>,
}

impl EchoWait {
    /// From `start` on, for a connection that ends for this reason.
    pub(super) fn new(session: &ConnectionContext, reason: CloseReason, start: Timestamp) -> Self {
        let deadline = session.config.close_deadline;
        let is_evicted = matches!(reason, CloseReason::Evicted(_) | CloseReason::Displaced(_));
        let listener = is_evicted
            .then(|| session.listeners.0.clone().try_acquire_owned().ok())
            .flatten();
        Self {
            deadline: match listener {
                Some(_) => deadline * ECHO_DEADLINES,
                None => deadline,
            },
            start,
            is_cut_short: is_evicted && listener.is_none(),
            _listener: listener,
        }
    }

    /// Whether silence until the deadline shows nothing: bytes came that were no answer, the path is known
    /// to be about as slow as the wait was long, or the wait was cut short.
    pub(super) fn is_undecided(&self, vitals: &Vitals) -> bool {
        let slow_ms = self.deadline.as_secs_f64() * 1e3 * SLOW_SHARE;
        self.is_cut_short
            || vitals.received_at() > self.start
            || vitals.rtt_ms().is_some_and(|rtt_ms| rtt_ms >= slow_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(10_000);

    fn wait(is_cut_short: bool) -> EchoWait {
        EchoWait {
            deadline: Duration::from_secs(6),
            start: START,
            is_cut_short,
            _listener: None,
        }
    }

    #[test]
    fn silence_is_evidence_where_the_path_was_fast_and_nothing_came() {
        let vitals = Vitals::new(Timestamp::ZERO);
        assert!(!wait(false).is_undecided(&vitals), "no round trip is known");
        vitals.pong_to(Timestamp::ZERO, Timestamp::from_millis(2_999));
        assert!(!wait(false).is_undecided(&vitals));
        assert!(wait(true).is_undecided(&vitals), "it had no time");
    }

    #[test]
    fn silence_shows_nothing_on_a_slow_path_or_beside_other_bytes() {
        let slow = Vitals::new(Timestamp::ZERO);
        slow.pong_to(Timestamp::ZERO, Timestamp::from_millis(3_000));
        assert!(wait(false).is_undecided(&slow));
        let talks = Vitals::new(Timestamp::ZERO);
        talks.hear(START);
        assert!(!wait(false).is_undecided(&talks), "before it was told");
        talks.hear(Timestamp::from_millis(10_001));
        assert!(wait(false).is_undecided(&talks));
    }
}
