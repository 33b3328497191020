//! `[limits]`: what may be held at once.

use super::Section;
use crate::config::shape::{RANGED, one_of};
use wastegate_core::decision::LendOrder;

pub(super) fn sections() -> Vec<Section> {
    vec![
        section! {
            |d| "limits", "What may be held at once.";

            /// Managers that one user may hold.
            restart managers_per_user: RANGED => d.rooms.limits.managers_per_user;

            /// Managers that the node may hold.
            restart managers_total: RANGED => d.rooms.limits.managers_total;

            /// Sockets that the node may hold, those in handshake included.
            restart connections_total: RANGED => d.rooms.limits.connections_total;

            /// Keys of evicted managers that are remembered, to count how many come back.
            restart history_keys_max: RANGED => d.rooms.limits.history_keys_max;
        },
        section! {
            |d| "limits.temporary_slots", "Slots beyond the limit, for a while.";

            /// How many a user gets; 0 for none.
            restart count: RANGED => d.rooms.limits.temporary_slots;

            /// How long they last.
            restart for_ms: RANGED => d.rooms.limits.temporary_slots_for;

            /// How long after their end a user gets none again.
            restart cool_down_ms: RANGED => d.rooms.limits.temporary_slots_cool_down;

            /// `before-force` lends them before a manager that answers is evicted, `after-force`
            /// only where none may be.
            restart order: one_of("order", [
                ("before-force", LendOrder::BeforeForce), ("after-force", LendOrder::AfterForce),
            ]) => d.rooms.limits.temporary_slots_order;
        },
    ]
}
