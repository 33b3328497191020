//! `[limits]`: what may be held at once.

use super::{DAY, MANY, SECOND, Section};
use crate::config::shape::{Word, count, millis};
use wastegate_core::decision::LendOrder;

pub(super) fn sections() -> Vec<Section> {
    vec![
        Section::new("limits", "What may be held at once.")
            .key(
                "managers_per_user",
                count(1, 1_000_000),
                |d| &mut d.rooms.limits.managers_per_user,
                "Managers that one user may hold.",
            )
            .key(
                "managers_total",
                count(1, MANY),
                |d| &mut d.rooms.limits.managers_total,
                "Managers that the node may hold.",
            )
            .key(
                "connections_total",
                count(1, MANY),
                |d| &mut d.rooms.limits.connections_total,
                "Sockets that the node may hold, those in handshake included.",
            )
            .key(
                "history_keys_max",
                count(0, MANY),
                |d| &mut d.rooms.limits.history_keys_max,
                "Keys of evicted managers that are remembered, to count who came back.",
            ),
        Section::new(
            "limits.temporary_slots",
            "Slots beyond the limit, for a while.",
        )
        .key(
            "count",
            count(0, 1_000_000),
            |d| &mut d.rooms.limits.temporary_slots,
            "How many a user gets; 0 for none.",
        )
        .key(
            "for_ms",
            millis(SECOND, DAY),
            |d| &mut d.rooms.limits.temporary_slots_for,
            "How long they last.",
        )
        .key(
            "cool_down_ms",
            millis(0, DAY),
            |d| &mut d.rooms.limits.temporary_slots_cool_down,
            "How long after they ended a user gets none again.",
        )
        .key(
            "order",
            Word {
                what: "order",
                words: vec![
                    ("before-force", LendOrder::BeforeForce),
                    ("after-force", LendOrder::AfterForce),
                ],
            },
            |d| &mut d.rooms.limits.temporary_slots_order,
            "`before-force` lends them before a manager that answers is evicted, `after-force` only where none may be.",
        ),
    ]
}
