//! The author's workbench: everything one does to a policy before it serves anybody.
//!
//! Snapshots and cases as files, a run of one, a directory of cases as a test, two policies side by
//! side, fuel over rows, made-up snapshots against the acceptance kit. It works on the very engine
//! that serves, so what holds here holds there. Not here: arguments and terminals (`cli`), a running
//! server's policies (`rollout`), and whether a strategy is any good (replay and experiments).

pub mod ask;
pub mod case;
pub mod diff;
pub mod expect;
pub mod files;
pub mod lacking;
pub mod off_policy;
pub mod project;
pub mod snapshot;
pub mod suite;
pub mod units;
pub mod voice;
pub mod watch;

mod field;

pub mod bench;
pub mod check;
pub mod fuel;
pub mod fuzz;
pub mod inspect;
#[cfg(test)]
mod testing;
pub mod text;

mod made_up;
pub mod scaffold;
