//! The WASM engine: loads, checks, calls and retires the policies that rank managers for eviction.
//!
//! Wasmtime stops here: what leaves this crate are answers, faults and numbers. It sees rows and never
//! managers, and knows nothing of sockets, servers or experiments.

pub mod policy;
