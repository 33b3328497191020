//! `[manager]`: how long managers live without a connection, and what they may hold.

use super::{DAY, HOUR, Section};
use crate::config::shape::{Switch, count, millis};

pub(super) fn sections() -> Vec<Section> {
    vec![
        Section::new(
            "manager",
            "How long managers live without a connection, and what they may hold.",
        )
        .key(
            "attach_grace_ms",
            millis(1, HOUR),
            |d| &mut d.rooms.manager.attach_grace,
            "How long a manager whose first connection has not attached yet is left alone.",
        )
        .key(
            "reconnect_grace_ms",
            millis(0, DAY),
            |d| &mut d.rooms.manager.reconnect_grace,
            "How long a manager whose last connection was lost is kept for its client to come back.",
        )
        .key(
            "connections_max",
            count(1, 10_000),
            |d| &mut d.rooms.manager.connections_max,
            "Connections that one manager may hold.",
        )
        .key(
            "mailbox_messages_max",
            count(1, 65_536),
            |d| &mut d.rooms.manager.mailbox_messages_max,
            "Messages that wait for a manager before its connections stop reading.",
        )
        .key(
            "stuck_after_ms",
            millis(100, HOUR),
            |d| &mut d.rooms.manager.stuck_after,
            "How long one message may occupy a manager before it counts as stuck.",
        )
        .key(
            "recently_active_ms",
            millis(0, DAY),
            |d| &mut d.rooms.manager.recently_active,
            "For how long after user activity a manager is protected; 0 switches that off.",
        )
        .key(
            "trust_hints",
            Switch,
            |d| &mut d.rooms.manager.trust_hints,
            "Whether a client's own hints of work in flight protect its manager.",
        )
        .key(
            "pins_per_user_max",
            count(0, 1_000_000),
            |d| &mut d.rooms.manager.pins_per_user_max,
            "Managers of one user that the application and operators may pin.",
        )
        .key(
            "pin_max_ms",
            millis(1, 30 * DAY),
            |d| &mut d.rooms.manager.pin_max,
            "How long a pin lasts at the most.",
        ),
    ]
}
