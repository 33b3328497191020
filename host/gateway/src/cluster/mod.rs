//! This node as one of a cluster: what it tells the ledger that the nodes share, and what it hears from it.
//!
//! A slot of the registry comes first, the ledger is asked second: whoever is let in has both. A [`ClusterNode`]
//! beats, asks for newcomers, publishes what it holds and gives back what goes. Where the engine is away, a rule
//! decides, and what was let in by it is asserted later. Every queue and map here has a limit that is named where
//! it is kept; what is lost at one is found by the next publication, or ends with its lease.
//!
//! Not here: who is evicted (`cleanup` decides and does it, also what other nodes ask for), and the engine.

mod asking;
mod beating;
mod config;
mod elsewhere;
mod entering;
mod held;
mod leaving;
mod messages;
mod metrics;
mod news;
mod node;
mod publishing;
mod surplus;
mod view;

#[cfg(test)]
mod tests;

pub(crate) use asking::FoundThere;
pub use config::Config;
pub use entering::{CountAnswer, NotCounted};
pub use held::{ChosenVictim, HeldOverNodes};
pub(crate) use messages::Heard;
pub use metrics::Metrics;
pub use node::ClusterNode;
pub use surplus::Surplus;
pub use view::{ClusterView, GoneNode, OtherNode};
