//! One WebSocket from its upgrade to its one reason to end.
//!
//! [`run`] is the connection's owner task: it alone reads, writes and closes the socket. It hands
//! messages to its manager, sends what waits in its outbox, keeps the heartbeat, and finishes
//! within a deadline whatever the peer does.
//!
//! Not here: who may connect, what a message means, whether the peer counts as dead, and which
//! number stands for which reason on the wire (the caller brings that).

mod budget;
mod config;
mod ear;
mod echo;
mod faults;
pub mod frames;
mod goodbye;
mod heartbeat;
mod linger;
mod patience;
mod progress;
mod pump;
#[cfg(feature = "upstream")]
mod relay;
mod traffic;
mod transport;
mod writer;

#[cfg(test)]
mod tests;

pub use budget::{BudgetConfig, Budgeted, Budgets, OverBudget};
pub use config::Config;
pub use echo::EchoListeners;
pub use faults::{PeerFault, PeerFaults, PeerSide};
pub use pump::{ConnectionContext, run};
#[cfg(feature = "upstream")]
pub(crate) use relay::IdleUpstreamHandler;
#[cfg(feature = "upstream")]
pub use relay::{IdleUpstream, RelayedUpstream, relay};
pub use traffic::Traffic;
pub use transport::{Plain, Transport};
