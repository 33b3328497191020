//! What the rest of wastegate is written in: words, signals, the pure planner of evictions, statistics.
//!
//! Nothing here opens a file or a socket, starts a task or waits. Rooms in reading order; a room imports only
//! rooms below it.

pub mod decision;

pub mod stats;

pub mod signals;

pub mod types;
