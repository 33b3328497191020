//! Traces that are made: of sessions from public traces or from nothing, with users, devices and faults
//! that are drawn by a seed, and declared.
//!
//! [`chats`] are sessions without users, [`mooncake`] reads such, [`servegen`] reads how active users
//! are, [`synth`] makes both up, and [`faults`] turns sessions into events: who hides, who leaves without
//! a word, who comes back under another key. Everything that is not in a source is synthetic, and
//! whoever writes such a trace says so.

pub mod chats;
pub mod faults;
pub mod mooncake;
pub mod random_draw;
pub mod servegen;
pub mod synth;

#[cfg(test)]
mod tests;

pub use chats::{Chat, Owner, Turn};
pub use faults::FaultRates;
