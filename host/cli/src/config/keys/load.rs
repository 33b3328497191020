//! `[policy.load]`: what loading a policy may take, and what a file may have.

use super::{GIB, MIB, MINUTE, SECOND, Section};
use crate::config::shape::{Switch, bytes, count, millis};

/// More of anything than a file of the largest size has.
const PARTS_MAX: u64 = 10_000_000;

pub(super) fn section() -> Section {
    section! {
        |d| "policy.load",
        "What loading a policy may take. A file is counted through before any library reads it (the \
         keys that end in `_max`), and compiled in a process of its own that is killed at its \
         limits. Those that begin with `heavy_` are for files larger than `policy.size_bytes_max`.";

        /// Whether policies are compiled in a process of their own. Without it a thread does it,
        /// which no limit of memory or processor time ends.
        restart own_process: Switch => d.rooms.policy.load.own_process;

        /// Policies that are compiled at once; more wait, each for at most its own deadline.
        restart at_once_max: count(1, 64) => d.rooms.policy.load.at_once_max;

        /// How long compiling may take by the wall clock.
        restart deadline_ms: millis(1, 60 * MINUTE) => d.rooms.policy.load.deadline;

        /// The same for a large file, which contains a language runtime.
        restart heavy_deadline_ms: millis(1, 60 * MINUTE) => d.rooms.policy.load.heavy_deadline;

        /// Processor time of compiling, in whole seconds.
        restart cpu_ms: millis(SECOND, 60 * MINUTE) => d.rooms.policy.load.cpu;

        /// The same for a large file.
        restart heavy_cpu_ms: millis(SECOND, 60 * MINUTE) => d.rooms.policy.load.heavy_cpu;

        /// Address space of the process that compiles.
        restart memory_bytes: bytes(512 * MIB, 1024 * GIB) => d.rooms.policy.load.memory_bytes;

        /// The same for a large file.
        restart heavy_memory_bytes: bytes(512 * MIB, 1024 * GIB)
            => d.rooms.policy.load.heavy_memory_bytes;

        /// Components, modules and types inside one another.
        restart nesting_max: count(1, 1_000) => d.rooms.policy.load.bounds.nesting_max;

        /// Components and modules in a file.
        restart modules_max: count(1, PARTS_MAX) => d.rooms.policy.load.bounds.modules_max;

        /// Types in a file, with the declarations in types of components.
        restart types_max: count(1, PARTS_MAX) => d.rooms.policy.load.bounds.types_max;

        /// Functions in a file.
        restart functions_max: count(1, PARTS_MAX) => d.rooms.policy.load.bounds.functions_max;

        /// Instances, aliases and canonical functions in a file.
        restart instances_max: count(1, PARTS_MAX) => d.rooms.policy.load.bounds.instances_max;

        /// Imports and exports in a file.
        restart names_max: count(1, PARTS_MAX) => d.rooms.policy.load.bounds.names_max;

        /// Tables, memories, globals and tags in a file.
        restart stores_max: count(1, PARTS_MAX) => d.rooms.policy.load.bounds.stores_max;

        /// Data and element segments in a file.
        restart segments_max: count(1, PARTS_MAX) => d.rooms.policy.load.bounds.segments_max;

        /// The largest function.
        restart function_bytes_max: bytes(1, 64 * MIB)
            => d.rooms.policy.load.bounds.function_bytes_max;

        /// Locals of one function.
        restart locals_max: count(1, PARTS_MAX) => d.rooms.policy.load.bounds.locals_max;

        /// Blocks inside one another in one function.
        restart blocks_max: count(1, PARTS_MAX) => d.rooms.policy.load.bounds.blocks_max;

        /// Loops inside one another in one function.
        restart loops_max: count(1, PARTS_MAX) => d.rooms.policy.load.bounds.loops_max;

        /// Loops inside one another times locals, in one function: what a compiler's work grows
        /// with.
        restart loop_locals_max: count(1, PARTS_MAX) => d.rooms.policy.load.bounds.loop_locals_max;
    }
}
