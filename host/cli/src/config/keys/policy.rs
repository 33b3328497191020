//! `[policy]`: which policy ranks, what its operator set, and within which limits it runs.

use super::{GIB, KIB, MIB, MINUTE, SECOND, Section, load};
use crate::config::key::{Effect, Key};
use crate::config::shape::{FINITE, Name, Number, OptionalPath, bytes, count, millis, one_of};
use wastegate_control::rollout::config::WithoutPolicy;

/// More fuel than a second of anybody's time.
const FUEL_MAX: u64 = 1_000_000_000_000;

pub(super) fn sections() -> Vec<Section> {
    vec![
        choice_and_limits(),
        params(),
        load::section(),
        heavy(),
        breaker(),
    ]
}

fn choice_and_limits() -> Section {
    section! {
        |d| "policy", "Which policy ranks, and within which limits it runs.";

        /// The policy's file, relative to the working directory; empty to use `name`.
        restart file: OptionalPath => d.policy.file;

        /// The name of a shipped policy; not used if there is a `file`.
        restart name: Name => d.policy.name;

        /// What a start does if the policy of a registry or of the watched directory cannot be had and none was
        /// ever active: `built-in` serves with the built-in ranking and keeps trying, `fail` ends with an error.
        /// Mistakes in the configuration always end it.
        restart start: one_of("word", [
            ("built-in", WithoutPolicy::BuiltIn),
            ("fail", WithoutPolicy::Fail),
        ]) => d.rooms.rollout.start;

        // What one call may cost.
        /// The largest policy file.
        restart size_bytes_max: bytes(1, 32 * MIB) => d.rooms.policy.size_bytes_max;

        /// Fuel of every call, whatever its size.
        restart fuel_base: count(1, FUEL_MAX) => d.rooms.policy.fuel_base;

        /// Fuel of a call for each manager on top.
        restart fuel_per_row: count(0, FUEL_MAX) => d.rooms.policy.fuel_per_row;

        /// Fuel of the one call that asks a policy what it is.
        restart fuel_describe: count(1, FUEL_MAX) => d.rooms.policy.fuel_describe;

        /// Memory of a small call.
        restart memory_user_bytes: bytes(64 * KIB, GIB) => d.rooms.policy.memory_user_bytes;

        /// The most memory that a large call may be given.
        restart memory_large_bytes_max: bytes(64 * KIB, 4 * GIB)
            => d.rooms.policy.memory_large_bytes_max;

        /// How long a small call may take by the wall clock; fuel ends it long before.
        restart deadline_ms: millis(1, 10 * SECOND) => d.rooms.policy.deadline;

        /// How long a large call is waited for, queueing included.
        restart deadline_large_ms: millis(1, MINUTE) => d.rooms.policy.deadline_large;

        /// How often the wall clock is checked while a call is in progress.
        restart epoch_tick_ms: millis(1, SECOND) => d.rooms.policy.epoch_tick;

        /// Calls about more managers than this are large.
        restart inline_rows_max: count(0, 1_000_000) => d.rooms.policy.inline_rows_max;

        // What policies may log.
        /// Log lines of one call; more are counted and dropped.
        restart log_lines_max: count(0, 10_000) => d.rooms.policy.log_lines_max;

        /// The longest log line; a longer one is cut off.
        restart log_line_bytes_max: bytes(16, 64 * KIB) => d.rooms.policy.log_line_bytes_max;

        /// Log lines of one policy in a second, and in a burst; more are counted and dropped.
        restart log_lines_per_second_max: count(0, 1_000_000)
            => d.rooms.policy.log_lines_per_second_max;

        /// Bytes that one policy may log in a second, and in a burst.
        restart log_bytes_per_second_max: bytes(0, GIB) => d.rooms.policy.log_bytes_per_second_max;

        /// Log lines of all policies in a second, and in a burst.
        restart log_node_lines_per_second_max: count(0, 1_000_000)
            => d.rooms.policy.log_node_lines_per_second_max;

        /// Bytes that all policies may log in a second, and in a burst.
        restart log_node_bytes_per_second_max: bytes(0, GIB)
            => d.rooms.policy.log_node_bytes_per_second_max;

        /// Log lines of each revision that are kept in memory, to be shown.
        restart log_lines_kept: count(0, 10_000) => d.rooms.policy.log_lines_kept;

        // What all calls share.
        /// Threads for large calls and shadows.
        restart workers: count(1, 64) => d.rooms.policy.workers;

        /// Large calls that may wait for a worker; the next one is refused.
        restart queue_max: count(1, 65_536) => d.rooms.policy.queue_max;

        /// Instances that can be alive at once.
        restart instances_max: count(1, 1_024) => d.rooms.policy.instances_max;

        /// Where the compiled form of heavy policies is kept, which takes tens of seconds to make;
        /// a directory of this user's own (0700), made if there is none. Empty: not kept.
        restart compiled_dir: OptionalPath => d.rooms.policy.compiled_dir;

        /// Memory that a free slot of the instance pool keeps.
        restart keep_resident_bytes: bytes(0, GIB) => d.rooms.policy.keep_resident_bytes;
    }
}

fn params() -> Section {
    let mut section = Section::new(
        "policy.params",
        "The policy's own parameters, by the names in its manifest: lower case words joined by \
         hyphens. Whether the policy knows them shows when it is loaded.",
    );
    section.open = Some(param);
    section
}

fn param(name: &str) -> Key {
    let param = name.to_owned();
    let path = format!("policy.params.{name}");
    let doc = "A number within the range that the policy declares.";
    Key::new(path, Effect::Restart, FINITE, doc, move |d| {
        d.policy.params.entry(param.clone()).or_insert(f64::NAN)
    })
}

fn heavy() -> Section {
    section! {
        |d| "policy.heavy",
        "What a heavy component may take: JavaScript or Python with its interpreter, or whatever \
         imports WASI. It runs on the workers at every scope.";

        /// The largest file of a heavy component.
        restart size_bytes_max: bytes(1, 64 * MIB) => d.rooms.policy.heavy.size_bytes_max;

        /// Fuel of every call, whatever its size.
        restart fuel_base: count(1, FUEL_MAX) => d.rooms.policy.heavy.fuel_base;

        /// Fuel of a call for each manager on top.
        restart fuel_per_row: count(0, FUEL_MAX) => d.rooms.policy.heavy.fuel_per_row;

        /// Memory of a call.
        restart memory_bytes: bytes(MIB, GIB) => d.rooms.policy.heavy.memory_bytes;

        /// How long a call is waited for, queueing included, and may hold its worker.
        restart deadline_ms: millis(1, MINUTE) => d.rooms.policy.heavy.deadline;
    }
}

fn breaker() -> Section {
    section! {
        |d| "policy.breaker", "When a policy that keeps failing is left alone.";

        /// Faults in a row that open the breaker.
        restart consecutive_faults: count(1, 1_000_000)
            => d.rooms.policy.breaker.consecutive_faults;

        /// The share of faults in `window_ms` that opens it.
        restart fault_rate: Number { min: 0.000_001, max: 1.0 } => d.rooms.policy.breaker.fault_rate;

        /// Calls in the window below which no share is computed.
        restart window_calls_min: count(0, 1_000_000_000)
            => d.rooms.policy.breaker.window_calls_min;

        /// The window over which the share is computed.
        restart window_ms: millis(1, 60 * MINUTE) => d.rooms.policy.breaker.window;

        /// How long the breaker stays open.
        restart cool_down_ms: millis(1, 24 * 60 * MINUTE) => d.rooms.policy.breaker.cool_down;

        /// Successful trials in a row that close it.
        restart trials: count(1, 1_000) => d.rooms.policy.breaker.trials;
    }
}
