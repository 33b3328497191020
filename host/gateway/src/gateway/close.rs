//! Which number stands for which reason on the wire. No other module knows close codes.
//!
//! Codes below 4000 are those of RFC 6455, section 7.4.1 (1004, 1005, 1006 and 1015 are never
//! sent). Of ours, 4000 to 4499 mean that the client may connect again, after a pause with jitter; 4500
//! to 4999 mean that it should not do so by itself: a client that was evicted while it answered would
//! only displace another one.

use crate::admission::DenialReason;
use crate::manager::AttachError;
use wastegate_core::types::{CloseReason, EvictionCause};

/// What a client of a blocked user is told, whether it was there before or comes now.
const BLOCKED: (u16, &str) = (4504, "this user is blocked by an operator");

/// The code and reason that a client is told.
#[must_use]
pub fn code(reason: CloseReason) -> (u16, &'static str) {
    match reason {
        CloseReason::ClientClosed | CloseReason::ClientLeft | CloseReason::ClientGone => {
            (1000, "closed")
        }
        CloseReason::UpstreamClosed => (1000, "closed by the server"),
        CloseReason::UpstreamGone => (1011, "the server behind the gateway is gone"),
        CloseReason::ApplicationClosed => (1000, "closed by the application"),
        CloseReason::Shutdown => (1012, "the server restarts; connect again"),
        CloseReason::Reconnect => (1012, "connect again"),
        CloseReason::ProtocolError => (1002, "not a valid WebSocket frame"),
        CloseReason::InvalidPayload => (1007, "text that is not UTF-8"),
        CloseReason::PolicyViolation => (1008, "not allowed"),
        CloseReason::MessageTooBig => (1009, "frame or message over the size limit"),
        CloseReason::HandlerPanicked => (1011, "internal error"),
        CloseReason::ManagerClosed => (4000, "its manager ended"),
        CloseReason::Evicted(EvictionCause::Cleanup(_)) => (4001, "evicted: room was needed"),
        CloseReason::Evicted(EvictionCause::TemporarySlotExpired) => {
            (4002, "evicted: its temporary slot expired")
        }
        CloseReason::Evicted(EvictionCause::Requested) => (4003, "evicted on request"),
        CloseReason::Evicted(EvictionCause::Blocked)
        | CloseReason::Displaced(EvictionCause::Blocked) => BLOCKED,
        CloseReason::Displaced(EvictionCause::Cleanup(_)) => {
            (4501, "evicted: its user has too many that are in use")
        }
        CloseReason::Displaced(EvictionCause::TemporarySlotExpired) => (
            4502,
            "evicted: its temporary slot expired, and all others are in use",
        ),
        CloseReason::Displaced(EvictionCause::Requested) => (4503, "evicted on request"),
        CloseReason::OverBudget => (4007, "its user sends more than it may"),
        CloseReason::Unresponsive => (4006, "did not answer for too long"),
        CloseReason::SlowConsumer => (4004, "does not read fast enough"),
        CloseReason::Expired => (4005, "its token expired"),
        // For its client it is the same: it needs another token.
        CloseReason::Revoked => (4005, "its token was revoked"),
        CloseReason::TakenOver => (4500, "taken over by a newer connection of this device"),
        // Carried by `refusal` with its own code; a plain refusal only if that got lost.
        CloseReason::Refused => (4429, "refused"),
    }
}

/// The code and reason of a refusal that is told by closing.
#[must_use]
pub fn refusal(why: DenialReason) -> (u16, &'static str) {
    match why {
        DenialReason::UserLimit => (4429, "user limit reached"),
        DenialReason::RateLimited => (4430, "too many attempts"),
        DenialReason::QueueFull => (4431, "queue full"),
        DenialReason::QueueTimeout => (4432, "waited too long in the queue"),
        DenialReason::NodeLimit => (4433, "node limit reached"),
        DenialReason::ManagerConnections => (4434, "its manager has too many connections"),
        DenialReason::Displaced => (4435, "was evicted a moment ago; all others are in use"),
        DenialReason::DeviceContested => (4436, "two connections of one device replace each other"),
        DenialReason::Blocked => BLOCKED,
        DenialReason::Draining => (1012, "this node takes no new connections; connect again"),
        DenialReason::ClusterAway => (
            1013,
            "this node cannot count with the others now; try again",
        ),
    }
}

/// The code and reason where an admitted connection could not attach.
#[must_use]
pub(crate) fn not_attached(error: AttachError) -> (u16, &'static str) {
    match error {
        AttachError::Closed => code(CloseReason::ManagerClosed),
        AttachError::TooMany(_) => refusal(DenialReason::ManagerConnections),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Failure mode 46: only codes that may be sent, and reasons that fit a control frame.
    #[test]
    fn every_code_may_be_sent_and_every_reason_fits() {
        let not_attached = [AttachError::Closed, AttachError::TooMany(8)].map(not_attached);
        let sent = CloseReason::all()
            .map(code)
            .chain(DenialReason::ALL.map(refusal))
            .chain(not_attached);
        for (code, text) in sent {
            let standard = matches!(code, 1000..=1003 | 1007..=1014);
            assert!(standard || (4000..=4999).contains(&code), "{code}");
            assert!(text.len() <= 123, "{text}");
        }
    }
}
