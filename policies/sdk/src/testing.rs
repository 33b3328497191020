//! Testing a policy as plain Rust, without a sandbox.
//!
//! [`Fixture`] describes a call and its rows, by the names of signals, as a full house or as a
//! snapshot file, and runs a policy on them through the very glue that the host's calls go through.
//! [`check_laws`] holds a policy to the
//! rules that the host checks when it loads one. Neither measures fuel or memory: those exist only
//! in the sandbox, `wastegate policy check FILE` prints them.

mod fixture;
mod house;
mod json;
mod laws;
mod made_up;
mod snapshot;

use std::cell::RefCell;

pub use fixture::Fixture;
pub use laws::check_laws;

use crate::Level;

thread_local! {
    static LOG: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

/// The lines that policies logged on this thread since the last time this was asked.
#[must_use]
pub fn take_log() -> Vec<(Level, String)> {
    LOG.with_borrow_mut(std::mem::take)
}

pub(crate) fn record_log(level: Level, message: &str) {
    LOG.with_borrow_mut(|log| log.push((level, message.to_owned())));
}
