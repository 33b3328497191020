//! `[policy.load]`: what loading a policy may take, and what a file may have.

use super::{GIB, MIB, MINUTE, SECOND, Section};
use crate::config::shape::{Switch, bytes, count, millis};

/// More of anything than a file of the largest size has.
const PARTS_MAX: u64 = 10_000_000;

pub(super) fn section() -> Section {
    bounds(limits(Section::new(
        "policy.load",
        "What loading a policy may take. A file is counted through before any library reads it (the \
         keys that end in `_max`), and compiled in a process of its own that is killed at its limits. \
         Those that begin with `heavy_` are for files larger than `policy.size_bytes_max`.",
    )))
}

fn limits(section: Section) -> Section {
    section
        .key(
            "own_process",
            Switch,
            |d| &mut d.rooms.policy.load.own_process,
            "Whether policies are compiled in a process of their own. Without it a thread does it, \
             which no limit of memory or processor time ends.",
        )
        .key(
            "at_once_max",
            count(1, 64),
            |d| &mut d.rooms.policy.load.at_once_max,
            "Policies that are compiled at once; more wait, each for at most its own deadline.",
        )
        .key(
            "deadline_ms",
            millis(1, 60 * MINUTE),
            |d| &mut d.rooms.policy.load.deadline,
            "How long compiling may take by the wall clock.",
        )
        .key(
            "heavy_deadline_ms",
            millis(1, 60 * MINUTE),
            |d| &mut d.rooms.policy.load.heavy_deadline,
            "The same of a large file, which has a language runtime in it.",
        )
        .key(
            "cpu_ms",
            millis(SECOND, 60 * MINUTE),
            |d| &mut d.rooms.policy.load.cpu,
            "Processor time of compiling, in whole seconds.",
        )
        .key(
            "heavy_cpu_ms",
            millis(SECOND, 60 * MINUTE),
            |d| &mut d.rooms.policy.load.heavy_cpu,
            "The same of a large file.",
        )
        .key(
            "memory_bytes",
            bytes(256 * MIB, 1024 * GIB),
            |d| &mut d.rooms.policy.load.memory_bytes,
            "Address space of the process that compiles.",
        )
        .key(
            "heavy_memory_bytes",
            bytes(256 * MIB, 1024 * GIB),
            |d| &mut d.rooms.policy.load.heavy_memory_bytes,
            "The same for a large file.",
        )
}

fn bounds(section: Section) -> Section {
    section
        .key(
            "nesting_max",
            count(1, 1_000),
            |d| &mut d.rooms.policy.load.bounds.nesting_max,
            "Components, modules and types inside one another.",
        )
        .key(
            "modules_max",
            count(1, PARTS_MAX),
            |d| &mut d.rooms.policy.load.bounds.modules_max,
            "Components and modules in a file.",
        )
        .key(
            "types_max",
            count(1, PARTS_MAX),
            |d| &mut d.rooms.policy.load.bounds.types_max,
            "Types in a file, with the declarations in types of components.",
        )
        .key(
            "functions_max",
            count(1, PARTS_MAX),
            |d| &mut d.rooms.policy.load.bounds.functions_max,
            "Functions in a file.",
        )
        .key(
            "instances_max",
            count(1, PARTS_MAX),
            |d| &mut d.rooms.policy.load.bounds.instances_max,
            "Instances, aliases and canonical functions in a file.",
        )
        .key(
            "names_max",
            count(1, PARTS_MAX),
            |d| &mut d.rooms.policy.load.bounds.names_max,
            "Imports and exports in a file.",
        )
        .key(
            "stores_max",
            count(1, PARTS_MAX),
            |d| &mut d.rooms.policy.load.bounds.stores_max,
            "Tables, memories, globals and tags in a file.",
        )
        .key(
            "segments_max",
            count(1, PARTS_MAX),
            |d| &mut d.rooms.policy.load.bounds.segments_max,
            "Data and element segments in a file.",
        )
        .key(
            "function_bytes_max",
            bytes(1, 64 * MIB),
            |d| &mut d.rooms.policy.load.bounds.function_bytes_max,
            "The largest function.",
        )
        .key(
            "locals_max",
            count(1, PARTS_MAX),
            |d| &mut d.rooms.policy.load.bounds.locals_max,
            "Locals of one function.",
        )
        .key(
            "blocks_max",
            count(1, PARTS_MAX),
            |d| &mut d.rooms.policy.load.bounds.blocks_max,
            "Blocks inside one another in one function.",
        )
        .key(
            "loops_max",
            count(1, PARTS_MAX),
            |d| &mut d.rooms.policy.load.bounds.loops_max,
            "Loops inside one another in one function.",
        )
        .key(
            "loop_locals_max",
            count(1, PARTS_MAX),
            |d| &mut d.rooms.policy.load.bounds.loop_locals_max,
            "Loops inside one another times locals, in one function: what a compiler's work grows with.",
        )
}
