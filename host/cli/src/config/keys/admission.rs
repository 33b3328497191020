//! `[admission]`: who may enter, and how long that may take.

use super::Section;
use crate::config::shape::RANGED;

pub(super) fn sections() -> Vec<Section> {
    vec![
        section! {
            |d| "admission", "How long an admission may take, and how often one is tried.";

            /// How long an admission may take until it is admitted, queued or refused.
            restart budget_ms: RANGED => d.rooms.admission.budget;

            /// Connection attempts of one user in `rate_window_ms`; 0 for no limit.
            restart rate_max: RANGED => d.rooms.admission.rate_max;

            /// The window of `rate_max`.
            restart rate_window_ms: RANGED => d.rooms.admission.rate_window;

            /// Users whose attempts are counted at once; beyond it the longest quiet are forgotten.
            restart rate_users_max: RANGED => d.rooms.admission.rate_users_max;

            /// How long a refused client is asked to wait where no better value is known.
            restart retry_after_ms: RANGED => d.rooms.admission.retry_after;

            /// Takeovers of a connection that answers by a newer one of the same device in
            /// `takeover_window_ms`, after which each next one has to wait longer; 0 for no limit.
            restart takeovers_max: RANGED => d.rooms.admission.takeovers_max;

            /// The window of `takeovers_max`, and the longest such wait.
            restart takeover_window_ms: RANGED => d.rooms.admission.takeover_window;
        },
        section! {
            |d| "admission.queue", "Waiting for a slot.";

            /// Clients of one user that may wait; 0 switches queueing off.
            restart length_max: RANGED => d.rooms.admission.queue_length_max;

            /// How long a client may wait.
            restart wait_ms: RANGED => d.rooms.admission.queue_wait;
        },
    ]
}
