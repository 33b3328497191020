//! Which policy is active in a running server, how it became active, and the way back.
//!
//! Sources bring files, every accepted file is a revision, an activation is one pointer, and every
//! change is in the audit log with who and when. Not here: how a policy is loaded and called
//! (`policy`), and how operators reach this (`admin`, `cli`).

pub mod actor;
pub mod audit;
pub mod config;
pub mod error;
pub mod ledger;
pub mod revision;
pub mod service;
pub mod signature;
pub mod source;
pub mod store;

pub use actor::Actor;
pub use audit::AuditLog;
pub use config::Config;
pub use error::RolloutError;
pub use ledger::RevisionLedger;
pub use revision::Revision;
pub use service::{Rollout, StartError};
pub use store::{Store, StoreError};
