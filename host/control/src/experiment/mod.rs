//! Strategies compared on real users.
//!
//! [`assign`] says who is in which arm, [`definition`] what is compared, [`ranker`] asks the arm that a
//! user is in after [`service`] has written the exposure into the [`ledger`], and [`verdict`] says what
//! the numbers allow, [`plan`] what it takes before it starts; [`shadow`] lets policies rank beside the active one. Not here: managers and sockets, how a policy is called, and anything that could
//! evict: an arm is one more `Ranker`, whose proposals the guard screens as it does any other's.

pub mod assign;
pub mod curve;
pub mod definition;
pub mod entry;
pub mod error;
pub mod explore;
pub mod ledger;
pub mod metric;
pub mod page;
pub mod past;
pub mod plan;
pub mod ramp;
pub mod ranker;
pub mod running;
pub mod service;
pub mod shadow;
pub mod switchback;
pub mod tally;
pub mod verdict;

#[cfg(test)]
mod testing;

pub use definition::Definition;
pub use error::ExperimentError;
pub use metric::Metric;
pub use ranker::Arms;
pub use service::{ArmCandidate, ExperimentHost, Experiments};
pub use shadow::{Shadowed, Shadows};
