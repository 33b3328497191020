//! The words everything else is written in: identifiers, units, time, tiers, signals, reasons.
//!
//! Nothing here does input or output, and nothing here decides. A type earns its place by being
//! needed in more than one room.

pub mod chain;
pub mod health;
pub mod host;
pub mod ids;
pub mod limits;
pub mod protection;
pub mod random;
pub mod reason;
pub mod reference;
pub mod revision;
pub mod secret;
pub mod signal;
pub mod spelling;
pub mod tier;
pub mod time;
pub mod token;
pub mod units;
pub mod visible;

mod unseen;

pub use chain::chain;
pub use health::{Evidence, EvidenceSource, Health};
pub use ids::{ConnectionId, DecisionId, DeviceId, InvalidId, ManagerId, ManagerKey, UserId};
pub use limits::Limits;
pub use protection::{Protection, ProtectionReason};
pub use random::SplitMix64;
pub use reason::{CloseReason, Eviction, EvictionCause, PeerState};
pub use reference::{ConnectionRef, ConnectionRefs};
pub use revision::{InvalidRevision, RevisionId};
pub use secret::Secret;
pub use signal::{Signal, SignalRow};
pub use tier::{Scope, Tier};
pub use time::{Clock, Timestamp};
pub use token::TokenFacts;
