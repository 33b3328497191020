//! Notices: short JSON texts to clients that asked for them by our subprotocol. Nothing is ever
//! injected into anybody else's protocol.

use serde::Serialize;

use crate::manager::{Message, Port};
use crate::types::{CloseReason, EvictionCause, Timestamp};

/// What a client is told.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case", tag = "wastegate")]
pub enum Notice {
    /// Its user's pressure level changed.
    Pressure {
        /// `normal`, `info`, `warning`, `critical` or `emergency`.
        level: &'static str,
        /// How many managers the user holds.
        held: u32,
        /// How many it may.
        limit: u32,
    },
    /// It waits for a slot.
    Queued {
        /// Its place; 1 is next.
        position: usize,
    },
    /// It has a slot now.
    Admitted,
    /// It is about to be closed to make room.
    Evicting {
        /// What for.
        cause: &'static str,
    },
}

impl Notice {
    /// As a message.
    #[must_use]
    pub fn message(&self) -> Message {
        // A struct of numbers and literals always serialises; an empty text would be harmless.
        Message::Text(serde_json::to_string(self).unwrap_or_default().into())
    }

    /// Sends it to a connection whose client understands it.
    pub fn send(&self, port: &Port, now: Timestamp) {
        if port.notices {
            // Whoever does not read is closed for that by its own task.
            let _ = port.send(now, self.message());
        }
    }
}

/// The last message before a close, where there is something to say.
#[must_use]
pub fn farewell(reason: CloseReason) -> Option<Message> {
    let CloseReason::Evicted(cause) = reason else {
        return None;
    };
    let cause = match cause {
        EvictionCause::Cleanup(tier) => tier.name(),
        EvictionCause::TemporarySlotExpired => "temporary-slot-expired",
        EvictionCause::Requested => "requested",
    };
    Some(Notice::Evicting { cause }.message())
}
