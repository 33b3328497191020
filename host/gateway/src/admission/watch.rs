//! The observer of how admissions end.

use std::time::Duration;

use super::denied::DenialReason;
use wastegate_core::types::{ManagerKey, Timestamp, UserId};

/// One admission that ended.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionEnd<'a> {
    /// The user whose limit the admission counted against.
    pub user: &'a UserId,
    /// The manager that the admission was for.
    pub key: &'a ManagerKey,
    /// When it ended.
    pub at: Timestamp,
    /// From the attempt to the answer; of one who queued, from the place in the queue on.
    pub took: Duration,
    /// Whether a cleanup ran for it.
    pub triggered: bool,
    /// Why it was refused, if it was.
    pub refused: Option<DenialReason>,
}

/// Hears of every admission's end, on its path: it must not block.
pub trait AdmissionObserver: Send + Sync + 'static {
    /// Called once for each admission, after its answer is known.
    fn ended(&self, ended: AdmissionEnd<'_>);
}
