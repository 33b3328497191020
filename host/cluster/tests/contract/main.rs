//! The contract of the ledger: one set of tests over the ledger in memory, Redis and Valkey.

#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod bench;
mod engine;
mod failures;
mod machine;
mod model;
mod nodes;
mod shared;
mod users;
