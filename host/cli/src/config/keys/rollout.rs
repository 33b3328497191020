//! `[policy.limits]` and `[policy.rollout]`: limits of the configured policy alone, and what is kept
//! of policies that were in charge.

use super::{GIB, KIB, SECOND, Section};
use crate::config::shape::{OptionalPath, bytes, count, inherited, millis};

/// More fuel than a second of anybody's time.
const FUEL_MAX: u64 = 1_000_000_000_000;

pub(super) fn sections() -> Vec<Section> {
    vec![limits(), kept()]
}

fn limits() -> Section {
    Section::new(
        "policy.limits",
        "Limits of the configured policy alone, instead of those of `[policy]`. Operators can change \
         them live, as they can its parameters.",
    )
    .key(
        "fuel_base",
        inherited(count(1, FUEL_MAX)),
        |d| &mut d.policy.limits.fuel_base,
        "Fuel of every call, whatever its size.",
    )
    .key(
        "fuel_per_row",
        inherited(count(0, FUEL_MAX)),
        |d| &mut d.policy.limits.fuel_per_row,
        "Fuel of a call for each manager on top.",
    )
    .key(
        "memory_bytes",
        inherited(bytes(64 * KIB, 4 * GIB)),
        |d| &mut d.policy.limits.memory_bytes,
        "Memory of a call; at most `policy.memory_large_bytes_max`.",
    )
    .key(
        "deadline_ms",
        inherited(millis(1, 60 * SECOND)),
        |d| &mut d.policy.limits.deadline,
        "How long a call may take by the wall clock; at most `policy.deadline_large_ms`.",
    )
}

fn kept() -> Section {
    Section::new(
        "policy.rollout",
        "What is kept of policies, so that operators can change them on a running server and go back.",
    )
    .key(
        "state_dir",
        OptionalPath,
        |d| &mut d.rooms.rollout.state_dir,
        "The folder for revisions, who is in charge, and the audit log; empty to keep them in memory, so that a restart begins with what is configured.",
    )
    .key(
        "revisions_kept",
        count(1, 1_000),
        |d| &mut d.rooms.rollout.revisions_kept,
        "The newest revisions of each policy that are kept, besides those in use.",
    )
    .key(
        "warm_max",
        count(0, 64),
        |d| &mut d.rooms.rollout.warm_max,
        "Revisions that stay compiled although they are not in use, for an instant way back.",
    )
}
