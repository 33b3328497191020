//! Notices: short JSON texts to clients that asked for them by our subprotocol. Nothing is ever
//! injected into anybody else's protocol.

use serde::Serialize;

use crate::manager::{Message, Port};
use wastegate_core::types::{CloseReason, EvictionCause, Timestamp};

/// What a client is told.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case", tag = "wastegate")]
#[non_exhaustive]
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
        /// Why room is needed: the name of the eviction's cause.
        cause: &'static str,
    },
}

impl Notice {
    /// The notice as a text message with JSON.
    #[must_use]
    pub fn message(&self) -> Message {
        // A struct of numbers and literals always serialises; an empty text would be harmless.
        Message::Text(serde_json::to_string(self).unwrap_or_default().into())
    }

    /// Sends it to a connection whose client understands it.
    pub fn send(&self, port: &Port, now: Timestamp) {
        if port.notices {
            // A client that does not read is closed for that by its connection's task.
            let _ = port.send(now, self.message());
        }
    }
}

/// The last message before a close, where there is something to say.
#[must_use]
pub fn farewell(reason: CloseReason) -> Option<Message> {
    let (CloseReason::Evicted(cause) | CloseReason::Displaced(cause)) = reason else {
        return None;
    };
    let cause = match cause {
        EvictionCause::Cleanup(tier) => tier.name(),
        EvictionCause::TemporarySlotExpired => "temporary-slot-expired",
        EvictionCause::Requested => "requested",
        EvictionCause::Blocked => "blocked",
    };
    Some(Notice::Evicting { cause }.message())
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use super::*;
    use wastegate_core::types::{DeviceId, Tier};

    fn text(message: Message) -> String {
        match message {
            Message::Text(text) => text.to_string(),
            Message::Binary(_) => panic!("notices are texts"),
        }
    }

    #[test]
    fn notices_are_short_json() {
        let pressure = Notice::Pressure {
            level: "warning",
            held: 12,
            limit: 20,
        };
        assert_eq!(
            text(pressure.message()),
            r#"{"wastegate":"pressure","level":"warning","held":12,"limit":20}"#
        );
        assert_eq!(
            text(Notice::Queued { position: 2 }.message()),
            r#"{"wastegate":"queued","position":2}"#
        );
        assert_eq!(
            text(Notice::Admitted.message()),
            r#"{"wastegate":"admitted"}"#
        );
    }

    /// Only an eviction has more to say than its close code.
    #[test]
    fn only_the_evicted_get_a_farewell() {
        let causes = [
            (EvictionCause::Cleanup(Tier::Aggressive), "aggressive"),
            (
                EvictionCause::TemporarySlotExpired,
                "temporary-slot-expired",
            ),
            (EvictionCause::Requested, "requested"),
            (EvictionCause::Blocked, "blocked"),
        ];
        for (cause, name) in causes {
            let farewell = text(farewell(CloseReason::Evicted(cause)).unwrap());
            assert_eq!(
                farewell,
                format!(r#"{{"wastegate":"evicting","cause":"{name}"}}"#)
            );
        }
        assert_eq!(farewell(CloseReason::Shutdown), None);
    }

    /// Nothing is ever injected into a foreign protocol.
    #[test]
    fn only_who_asked_for_notices_gets_them() {
        for notices in [false, true] {
            let device = DeviceId::new("d").unwrap();
            let port = Port::new(device, 100, notices, Weak::new(), Timestamp::ZERO);
            Notice::Admitted.send(&port, Timestamp::ZERO);
            assert_eq!(port.outbox.queued().messages, usize::from(notices));
        }
    }
}
