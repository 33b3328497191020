//! Which experiments there are, and which of them rank.
//!
//! Decisions look the ranking ones up without waiting. A change needs a [`Change`], of which there is one at a
//! time, so no two changes can forget each other.

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::{Mutex, MutexGuard};

use super::super::entry::ExperimentState;
use super::super::error::EXPERIMENTS_MAX;
use super::super::running::Running;

/// All experiments that are remembered.
pub(super) struct Roster {
    /// In the order in which they were started.
    all: Mutex<Vec<Arc<Running>>>,
    /// Those that rank for users.
    live: ArcSwap<Vec<Arc<Running>>>,
    /// Held for the length of a change, on threads that may block only.
    changing: Mutex<()>,
}

/// The right to change the roster. It is held while disks and compilers are waited for.
pub(super) struct Change<'a> {
    roster: &'a Roster,
    _alone: MutexGuard<'a, ()>,
}

impl Roster {
    /// These experiments, none of which ranks before [`Change::publish`].
    pub(super) fn new(all: Vec<Arc<Running>>) -> Self {
        Self {
            all: Mutex::new(all),
            live: ArcSwap::default(),
            changing: Mutex::default(),
        }
    }

    /// Those that rank for users, as they are now.
    pub(super) fn live(&self) -> arc_swap::Guard<Arc<Vec<Arc<Running>>>> {
        self.live.load()
    }

    /// All of them, in the order in which they were started.
    pub(super) fn all(&self) -> Vec<Arc<Running>> {
        self.all.lock().clone()
    }

    /// The one of a name.
    pub(super) fn named(&self, name: &str) -> Option<Arc<Running>> {
        let all = self.all.lock();
        all.iter().find(|running| running.name == name).cloned()
    }

    /// Waits until no other change is under way. Blocks.
    pub(super) fn change(&self) -> Change<'_> {
        Change {
            roster: self,
            _alone: self.changing.lock(),
        }
    }
}

impl Change<'_> {
    /// Adds one and lets it rank. Beyond [`EXPERIMENTS_MAX`] the oldest that are over are forgotten.
    pub(super) fn add(&self, running: Running) {
        let mut all = self.roster.all.lock();
        all.push(Arc::new(running));
        while all.len() > EXPERIMENTS_MAX {
            let over = all.iter().position(|it| is_over(it));
            let Some(over) = over else { break };
            all.remove(over);
        }
        drop(all);
        self.publish();
    }

    /// Shows decisions which experiments rank by now.
    pub(super) fn publish(&self) {
        let mut live = self.roster.all();
        live.retain(|it| !is_over(it));
        self.roster.live.store(Arc::new(live));
    }
}

fn is_over(running: &Running) -> bool {
    running.now.lock().state == ExperimentState::Stopped
}
