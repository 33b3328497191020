//! One unit that counts against a user's limit: its state, its connections, its own task.
//!
//! A [`Manager`] owns what belongs to one (user, key): the ports of its connections, the outboxes
//! behind them, two clocks that are never mixed (user activity, transport liveness), its hints, and
//! the task in which the application handles its messages.
//!
//! Not here: how many managers there are (`registry` counts), whether a peer is alive (`health`
//! judges), sockets and frames (`connection` pumps), and what an eviction is (`cleanup` decides).

mod application;
mod backlog;
mod ledgered;
mod mailbox;
mod outbox;
mod pin;
mod port;
mod unit;
mod view;
mod vitals;
mod work;

#[cfg(test)]
mod tests;

/// How long a manager lives without a connection.
pub use wastegate_core::signals::Lifetimes as Config;

pub use application::{Application, ManagerEnd, Message, NoApplication, Peer, SharedApplication};
pub use backlog::Backlog;
pub(crate) use mailbox::Delivery;
pub use mailbox::Mailbox;
pub use outbox::{Outbox, Queued, SendError};
pub use pin::PinError;
pub use port::{ECHO_DEADLINES, EndReport, PlaceGuard, Port};
pub(crate) use unit::Slots;
pub use unit::{AttachError, Left, Manager, Surroundings};
pub use vitals::{PongStats, Vitals};
pub use work::Work;
