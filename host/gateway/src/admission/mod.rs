//! Who may enter: a free slot, else room by cleanup, else the ladder.
//!
//! Every admission ends within the budget as a [`Permit`](crate::registry::Permit), a place in the queue, or a [`Denied`]
//! that says why, how much is held, what was tried and when to come back. A cleanup that frees
//! nothing and says nothing cannot happen: what its tiers did is part of the refusal.
//!
//! Not here: HTTP, close codes, and how room is made.

mod answer;
mod config;
mod connections;
mod contest;
mod counting;
mod denied;
mod ladder;
mod metrics;
mod offer;
mod place;
mod queue;
mod rate;
mod room;
mod watch;
mod way;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use denied::{DenialReason, Denied};
pub use ladder::Admission;
pub use metrics::Metrics;
pub use offer::{Admitted, Displace, Newcomer, OfferAnswer, Promise, SlotOffer};
pub use queue::Ticket;
pub use watch::{AdmissionEnd, AdmissionObserver};
