//! Making room: look, decide, act, record.
//!
//! A [`Cleaner`] works through the tiers for one user, or for the node, until enough is free. It
//! asks one [`Ranker`](wastegate_core::decision::Ranker) for an order, has the guard make a plan of it, and
//! executes plans only. A user has one cleanup at a time; admissions that come meanwhile share its result.
//!
//! Not here: WASM, HTTP, experiments, who is let in, and what a good victim is.

mod ask;
mod config;
mod connections;
mod decide;
mod displace;
mod driver;
mod evict;
mod flight;
mod for_nodes;
mod metrics;
mod node;
mod over_nodes;
mod pass;
mod pressure;
mod probe;
mod run;
mod shed;
mod sweep;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use connections::Waiting;
pub use displace::Displacement;
pub use driver::{Cleaner, CleanerParts};
pub use evict::{Decided, Recorder, Silent, chooser};
pub use metrics::Metrics;
pub use node::NodePressure;
pub use over_nodes::RoomOverNodes;
pub use pass::Pass;
pub use pressure::{PressureBook, UserPressure};
pub use run::{Cleanup, TierRun};
