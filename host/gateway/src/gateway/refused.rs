//! Lines about clients that are not let in: one a second for each reason, with the number of those that
//! were left out since the one before.
//!
//! The metrics have the full numbers. A line has no token, no user and no address: it says what to look
//! for, not at whom.

use axum::http::StatusCode;
use axum::response::Response;

use crate::observe::Throttle;
use wastegate_core::types::Clock;

/// Why a response refuses. The code that makes the response leaves it there for the log.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    /// A word of a closed list, as in the response's `error`.
    pub(super) reason: &'static str,
    /// The reason as a sentence, for the log.
    pub(super) why: String,
}

/// Log lines about refused requests, limited in their rate.
pub(super) struct Refusals {
    throttle: Throttle<(&'static str, u16)>,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            throttle: Throttle::every_second(),
        }
    }
}

impl Refusals {
    /// Notes a response, if it refuses.
    pub(super) fn note(&self, response: &Response, clock: &Clock) {
        let status = response.status();
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        if let Some(Refused { reason, why }) = response.extensions().get() {
            let status = status.as_u16();
            if let Some(left_out) = self.throttle.pass(clock.now(), (reason, status)) {
                tracing::warn!(reason, status, left_out, "a client is refused: {why}");
            }
        }
    }

    /// Notes that a client has to stay away.
    pub(super) fn note_ban(&self, clock: &Clock) {
        if let Some(left_out) = self.throttle.pass(clock.now(), ("banned", 0)) {
            tracing::warn!(
                left_out,
                "a client comes and goes; it has to stay away for a while (`gateway.flap`)"
            );
        }
    }

    /// Tells how many were left out of floods that are over.
    pub(super) fn report_left_out(&self, clock: &Clock) {
        for ((reason, code), left_out) in self.throttle.overdue(clock.now()) {
            tracing::warn!(reason, code, left_out, "clients were refused");
        }
    }

    /// Notes a refusal that is a Close.
    pub(super) fn note_close(&self, reason: &'static str, code: u16, why: &str, clock: &Clock) {
        if let Some(left_out) = self.throttle.pass(clock.now(), (reason, code)) {
            tracing::warn!(reason, code, left_out, "a client is refused: {why}");
        }
    }
}
