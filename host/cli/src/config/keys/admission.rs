//! `[admission]`: who may enter, and how long that may take.

use super::{DAY, HOUR, MANY, MINUTE, Section};
use crate::config::shape::{count, millis};

pub(super) fn sections() -> Vec<Section> {
    vec![
        Section::new(
            "admission",
            "How long an admission may take, and how often one is tried.",
        )
        .key(
            "budget_ms",
            millis(10, MINUTE),
            |d| &mut d.rooms.admission.budget,
            "Within which every admission is admitted, queued or refused.",
        )
        .key(
            "rate_max",
            count(0, 1_000_000),
            |d| &mut d.rooms.admission.rate_max,
            "Connection attempts of one user in `rate_window_ms`; 0 for no limit.",
        )
        .key(
            "rate_window_ms",
            millis(100, DAY),
            |d| &mut d.rooms.admission.rate_window,
            "The window of `rate_max`.",
        )
        .key(
            "rate_users_max",
            count(1, MANY),
            |d| &mut d.rooms.admission.rate_users_max,
            "Users whose attempts are counted at once; beyond it the longest quiet are forgotten.",
        )
        .key(
            "retry_after_ms",
            millis(0, HOUR),
            |d| &mut d.rooms.admission.retry_after,
            "What a refused client is told to wait where nothing better is known.",
        )
        .key(
            "takeovers_max",
            count(0, 1_000_000),
            |d| &mut d.rooms.admission.takeovers_max,
            "Takeovers of a connection that answers by a newer one of the same device in `takeover_window_ms`, after which each next one has to wait longer; 0 for no limit.",
        )
        .key(
            "takeover_window_ms",
            millis(100, DAY),
            |d| &mut d.rooms.admission.takeover_window,
            "The window of `takeovers_max`, and the longest such wait.",
        ),
        Section::new("admission.queue", "Waiting for a slot.")
            .key(
                "length_max",
                count(0, 10_000),
                |d| &mut d.rooms.admission.queue_length_max,
                "Clients of one user that may wait; 0 switches queueing off.",
            )
            .key(
                "wait_ms",
                millis(1, HOUR),
                |d| &mut d.rooms.admission.queue_wait,
                "How long a client may wait.",
            ),
    ]
}
