//! One limit for many nodes.
//!
//! (design below)

#[cfg(feature = "redis")]
pub mod redis;

pub mod local;

pub mod ledger;
