//! Who hears how admissions end.

use std::time::Duration;

use wastegate_core::types::{ManagerKey, Timestamp, UserId};

/// One admission that ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// Who knocked.
    pub user: &'a UserId,
    /// For which manager.
    pub key: &'a ManagerKey,
    /// When it ended.
    pub at: Timestamp,
    /// From the knock to the answer; of one who queued, from the place in the queue on.
    pub took: Duration,
    /// Whether a cleanup ran for it.
    pub triggered: bool,
    /// Whether it was refused.
    pub refused: bool,
}

/// Hears of every admission's end, on its path: it must not block.
pub trait Watch: Send + Sync + 'static {
    /// One ended.
    fn ended(&self, ended: Ended<'_>);
}
