//! `[policy.limits]` and `[policy.rollout]`: limits of the configured policy alone, and what is kept
//! of policies that were active.

use super::{GIB, KIB, SECOND, Section};
use crate::config::shape::{OptionalPath, bytes, count, inherited, millis};

/// More fuel than a second of anybody's time.
const FUEL_MAX: u64 = 1_000_000_000_000;

pub(super) fn sections() -> Vec<Section> {
    vec![limits(), kept()]
}

fn limits() -> Section {
    section! {
        |d| "policy.limits",
        "Limits of the configured policy alone, instead of those of `[policy]`. Operators can \
         change them live, as they can its parameters.";

        /// Fuel of every call, whatever its size.
        restart fuel_base: inherited(count(1, FUEL_MAX)) => d.policy.limits.fuel_base;

        /// Fuel of a call for each manager on top.
        restart fuel_per_row: inherited(count(0, FUEL_MAX)) => d.policy.limits.fuel_per_row;

        /// Memory of a call; at most `policy.memory_large_bytes_max`.
        restart memory_bytes: inherited(bytes(64 * KIB, 4 * GIB)) => d.policy.limits.memory_bytes;

        /// How long a call may take by the wall clock; at most `policy.deadline_large_ms`.
        restart deadline_ms: inherited(millis(1, 60 * SECOND)) => d.policy.limits.deadline;
    }
}

fn kept() -> Section {
    section! {
        |d| "policy.rollout",
        "What is kept of policies, so that operators can change them on a running server and go \
         back.";

        /// The folder for revisions, the active revision and the audit log; empty to keep them in
        /// memory, so that a restart begins with the configured policy.
        restart state_dir: OptionalPath => d.rooms.rollout.state_dir;

        /// The newest revisions of each policy that are kept, besides those in use.
        restart revisions_kept: count(1, 1_000) => d.rooms.rollout.revisions_kept;

        /// Revisions that stay compiled although they are not in use, for an instant way back.
        restart warm_max: count(0, 64) => d.rooms.rollout.warm_max;
    }
}
