//! `[manager]`: how long managers live without a connection, and what they may hold.

use super::Section;
use crate::config::shape::{RANGED, Switch};

pub(super) fn sections() -> Vec<Section> {
    vec![section! {
        |d| "manager", "How long managers live without a connection, and what they may hold.";

        /// How long a manager is spared while its first connection has not attached yet.
        restart attach_grace_ms: RANGED => d.rooms.manager.attach_grace;

        /// How long a manager whose last connection was lost is kept for its client to come
        /// back.
        restart reconnect_grace_ms: RANGED => d.rooms.manager.reconnect_grace;

        /// Connections that one manager may hold.
        restart connections_max: RANGED => d.rooms.manager.connections_max;

        /// Messages that wait for a manager before its connections stop reading.
        restart mailbox_messages_max: RANGED => d.rooms.manager.mailbox_messages_max;

        /// How long one message may occupy a manager before it counts as stuck.
        restart stuck_after_ms: RANGED => d.rooms.manager.stuck_after;

        /// For how long after user activity a manager is protected; 0 switches that off.
        restart recently_active_ms: RANGED => d.rooms.manager.recently_active;

        /// Whether a client's own hints of work in flight protect its manager.
        restart trust_hints: Switch => d.rooms.manager.trust_hints;

        /// Managers of one user that the application and operators may pin.
        restart pins_per_user_max: RANGED => d.rooms.manager.pins_per_user_max;

        /// How long a pin lasts at the most.
        restart pin_max_ms: RANGED => d.rooms.manager.pin_max;
    }]
}
