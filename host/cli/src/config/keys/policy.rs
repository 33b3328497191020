//! `[policy]`: which policy ranks, what its operator set, and within which limits it runs.

use super::{GIB, KIB, MIB, MINUTE, SECOND, Section, load};
use crate::config::key::Key;
use crate::config::shape::{FINITE, Name, Number, OptionalPath, bytes, count, millis};

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
    let section = Section::new(
        "policy",
        "Which policy ranks, and within which limits it runs.",
    )
    .key(
        "file",
        OptionalPath,
        |d| &mut d.policy.file,
        "The policy's file, relative to the working directory; empty to use `name`.",
    )
    .key(
        "name",
        Name,
        |d| &mut d.policy.name,
        "The name of a shipped policy; not looked at if there is a `file`.",
    );
    pool(log(call(section)))
}

/// What one call may cost.
fn call(section: Section) -> Section {
    section
        .key(
            "size_bytes_max",
            bytes(1, 32 * MIB),
            |d| &mut d.rooms.policy.size_bytes_max,
            "The largest policy file.",
        )
        .key(
            "fuel_base",
            count(1, FUEL_MAX),
            |d| &mut d.rooms.policy.fuel_base,
            "Fuel of every call, whatever its size.",
        )
        .key(
            "fuel_per_row",
            count(0, FUEL_MAX),
            |d| &mut d.rooms.policy.fuel_per_row,
            "Fuel of a call for each manager on top.",
        )
        .key(
            "fuel_describe",
            count(1, FUEL_MAX),
            |d| &mut d.rooms.policy.fuel_describe,
            "Fuel of the one call that asks a policy what it is.",
        )
        .key(
            "memory_user_bytes",
            bytes(64 * KIB, GIB),
            |d| &mut d.rooms.policy.memory_user_bytes,
            "Memory of a small call.",
        )
        .key(
            "memory_large_bytes_max",
            bytes(64 * KIB, 4 * GIB),
            |d| &mut d.rooms.policy.memory_large_bytes_max,
            "The most memory that a large call may be given.",
        )
        .key(
            "deadline_ms",
            millis(1, 10 * SECOND),
            |d| &mut d.rooms.policy.deadline,
            "How long a small call may take by the wall clock; fuel ends it long before.",
        )
        .key(
            "deadline_large_ms",
            millis(1, MINUTE),
            |d| &mut d.rooms.policy.deadline_large,
            "How long a large call is waited for, queueing included.",
        )
        .key(
            "epoch_tick_ms",
            millis(1, SECOND),
            |d| &mut d.rooms.policy.epoch_tick,
            "How often the wall clock is looked at while a call is in flight.",
        )
        .key(
            "inline_rows_max",
            count(0, 1_000_000),
            |d| &mut d.rooms.policy.inline_rows_max,
            "Calls about more managers than this are large.",
        )
}

/// What policies may log.
fn log(section: Section) -> Section {
    section
        .key(
            "log_lines_max",
            count(0, 10_000),
            |d| &mut d.rooms.policy.log_lines_max,
            "Log lines of one call; what is over is counted and dropped.",
        )
        .key(
            "log_line_bytes_max",
            bytes(16, 64 * KIB),
            |d| &mut d.rooms.policy.log_line_bytes_max,
            "The longest log line; what is over is cut off.",
        )
        .key(
            "log_lines_per_second_max",
            count(0, 1_000_000),
            |d| &mut d.rooms.policy.log_lines_per_second_max,
            "Log lines of one policy in a second, and of a burst; what is over is counted and dropped.",
        )
        .key(
            "log_bytes_per_second_max",
            bytes(0, GIB),
            |d| &mut d.rooms.policy.log_bytes_per_second_max,
            "Bytes that one policy may log in a second, and in a burst.",
        )
        .key(
            "log_node_lines_per_second_max",
            count(0, 1_000_000),
            |d| &mut d.rooms.policy.log_node_lines_per_second_max,
            "Log lines of all policies in a second, and of a burst.",
        )
        .key(
            "log_node_bytes_per_second_max",
            bytes(0, GIB),
            |d| &mut d.rooms.policy.log_node_bytes_per_second_max,
            "Bytes that all policies may log in a second, and in a burst.",
        )
        .key(
            "log_lines_kept",
            count(0, 10_000),
            |d| &mut d.rooms.policy.log_lines_kept,
            "Log lines of each revision that are kept in memory, to be shown.",
        )
}

/// What all calls share.
fn pool(section: Section) -> Section {
    section
        .key(
            "workers",
            count(1, 64),
            |d| &mut d.rooms.policy.workers,
            "Threads for large calls and shadows.",
        )
        .key(
            "queue_max",
            count(1, 65_536),
            |d| &mut d.rooms.policy.queue_max,
            "Large calls that may wait for a worker; the next one is refused.",
        )
        .key(
            "instances_max",
            count(1, 1_024),
            |d| &mut d.rooms.policy.instances_max,
            "Instances that can be alive at once.",
        )
        .key(
            "compiled_dir",
            OptionalPath,
            |d| &mut d.rooms.policy.compiled_dir,
            "Where the compiled form of heavy policies is kept, which takes tens of seconds to \
             make; a directory of this user's own (0700), made if there is none. Empty: not kept.",
        )
        .key(
            "keep_resident_bytes",
            bytes(0, GIB),
            |d| &mut d.rooms.policy.keep_resident_bytes,
            "Memory that a free slot of the instance pool keeps.",
        )
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
    Key::new(path, FINITE, doc, move |d| {
        d.policy.params.entry(param.clone()).or_insert(f64::NAN)
    })
}

fn heavy() -> Section {
    Section::new(
        "policy.heavy",
        "What a heavy component may take: JavaScript or Python with its interpreter, or whatever \
         imports WASI. It runs on the workers at every scope.",
    )
    .key(
        "size_bytes_max",
        bytes(1, 64 * MIB),
        |d| &mut d.rooms.policy.heavy.size_bytes_max,
        "The largest file of a heavy component.",
    )
    .key(
        "fuel_base",
        count(1, FUEL_MAX),
        |d| &mut d.rooms.policy.heavy.fuel_base,
        "Fuel of every call, whatever its size.",
    )
    .key(
        "fuel_per_row",
        count(0, FUEL_MAX),
        |d| &mut d.rooms.policy.heavy.fuel_per_row,
        "Fuel of a call for each manager on top.",
    )
    .key(
        "memory_bytes",
        bytes(MIB, GIB),
        |d| &mut d.rooms.policy.heavy.memory_bytes,
        "Memory of a call.",
    )
    .key(
        "deadline_ms",
        millis(1, MINUTE),
        |d| &mut d.rooms.policy.heavy.deadline,
        "How long a call is waited for, queueing included, and may hold its worker.",
    )
}

fn breaker() -> Section {
    Section::new(
        "policy.breaker",
        "When a policy that keeps failing is left alone.",
    )
    .key(
        "consecutive_faults",
        count(1, 1_000_000),
        |d| &mut d.rooms.policy.breaker.consecutive_faults,
        "Faults in a row that open the breaker.",
    )
    .key(
        "fault_rate",
        Number {
            min: 0.000_001,
            max: 1.0,
        },
        |d| &mut d.rooms.policy.breaker.fault_rate,
        "The share of faults in `window_ms` that opens it.",
    )
    .key(
        "window_calls_min",
        count(0, 1_000_000_000),
        |d| &mut d.rooms.policy.breaker.window_calls_min,
        "Calls in the window below which no share is computed.",
    )
    .key(
        "window_ms",
        millis(1, 60 * MINUTE),
        |d| &mut d.rooms.policy.breaker.window,
        "How far back the share looks.",
    )
    .key(
        "cool_down_ms",
        millis(1, 24 * 60 * MINUTE),
        |d| &mut d.rooms.policy.breaker.cool_down,
        "How long the breaker stays open.",
    )
    .key(
        "trials",
        count(1, 1_000),
        |d| &mut d.rooms.policy.breaker.trials,
        "Successful trials in a row that close it.",
    )
}
