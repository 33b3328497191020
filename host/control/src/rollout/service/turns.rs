//! Work that blocks, a bounded number at once: submissions, and changes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::rollout::error::RolloutError;

/// Files that may be on their way to being a revision at once.
pub const SUBMISSIONS_MAX: usize = 4;
/// Changes that may wait for their turn.
pub const CHANGES_MAX: usize = 16;

/// The places for work.
#[derive(Debug)]
pub(super) struct Turns {
    submissions: Arc<Semaphore>,
    changes: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            submissions: Arc::new(Semaphore::new(SUBMISSIONS_MAX)),
            changes: Arc::new(Semaphore::new(CHANGES_MAX)),
        }
    }
}

impl Turns {
    /// A place for a submission.
    pub(super) fn submission(&self) -> Result<OwnedSemaphorePermit, RolloutError> {
        taken(&self.submissions, SUBMISSIONS_MAX)
    }

    /// A place for a change.
    pub(super) fn change(&self) -> Result<OwnedSemaphorePermit, RolloutError> {
        taken(&self.changes, CHANGES_MAX)
    }
}

fn taken(places: &Arc<Semaphore>, max: usize) -> Result<OwnedSemaphorePermit, RolloutError> {
    let place = places.clone().try_acquire_owned();
    place.map_err(|_| RolloutError::Busy { max })
}
