//! `[limits]`: what may be held at once.

use super::Section;
use crate::config::shape::{RANGED, one_of};
use wastegate::connection::OverBudget;
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
            |d| "limits.traffic", "How much the clients of one user may send, over all of their connections.";

            /// Text and binary messages in a second; 0 for no limit.
            restart messages_per_s: RANGED => d.rooms.budget.messages_per_s;

            /// Bytes of data frames in a second, headers included; 0 for no limit.
            restart bytes_per_s: RANGED => d.rooms.budget.bytes_per_s;

            /// For how long a user that sent nothing has saved up; what it saved may come at once.
            restart burst_ms: RANGED => d.rooms.budget.burst;

            /// `slow` stops reading from a connection that passes it until the budget has recovered,
            /// `close` closes the connection with 4007.
            restart over: one_of("treatment of more", [
                ("slow", OverBudget::Slow), ("close", OverBudget::Close),
            ]) => d.rooms.budget.over;
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
