//! Why was a client disconnected? What happened to users lately, in memory, and in words.
//!
//! [`Memory`] hears of connections, refusals and decisions, and keeps the last [`FACTS_MAX`] facts of at most
//! [`KEPT_FOR`]; no file is needed. [`Memory::of`] tells the [`Timeline`] of one user: every [`Fact`] as a
//! sentence (`words`), and the last end of a connection as the answer.
//!
//! [`DecisionMemory`] keeps the last [`DECISIONS_MAX`] decisions whole.
//!
//! Not here: what is written to files (the decision journal and the activity stream), and anything that counts.

mod decisions;
mod events;
mod facts;
mod memory;
mod timeline;
mod words;

pub use decisions::{DECISIONS_MAX, DecisionMemory, ROWS_MAX, subject};
pub use events::{EVENTS_MAX, Event, EventFilter, Events};
pub use facts::{EvictionFact, Fact, FactKind, NextVictim};
pub use memory::{FACTS_MAX, KEPT_FOR, Memory};
pub use timeline::{Timeline, TimelineLine, When};

#[cfg(test)]
mod tests;
