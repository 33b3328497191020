//! What an admission met on its way: which tiers ran, what was lent, and until when it may go on.

use super::metrics::Outcome;
use crate::cleanup::{Cleanup, TierRun};
use crate::cluster::ChosenVictim;
use wastegate_core::types::Timestamp;

/// What was met on the way.
pub(super) struct Way {
    pub(super) start: Timestamp,
    pub(super) deadline: Timestamp,
    /// Until when one look for room may last.
    pub(super) look_until: Timestamp,
    /// The tiers that ran, each once.
    pub(super) tiers: Vec<TierRun>,
    /// The tiers below `force` ran for this newcomer a moment ago, and freed nothing.
    pub(super) has_looked: bool,
    /// Who leaves the cluster's ledger for this newcomer, by the last look.
    pub(super) victims: Vec<ChosenVictim>,
    /// The place is a temporary slot.
    pub(super) lent: bool,
    /// Until when no temporary slots are lent.
    pub(super) cool_down: Option<Timestamp>,
}

impl Way {
    pub(super) fn new(start: Timestamp, deadline: Timestamp) -> Self {
        Self {
            start,
            deadline,
            look_until: deadline,
            tiers: Vec::new(),
            has_looked: false,
            victims: Vec::new(),
            lent: false,
            cool_down: None,
        }
    }

    /// Adds what a cleanup did. A tier that ran again counts once: what it freed adds up, and what it
    /// might have touched is what it found last.
    pub(super) fn note(&mut self, cleanup: &Cleanup) {
        for run in &cleanup.runs {
            match self.tiers.iter_mut().find(|known| known.tier == run.tier) {
                Some(known) => {
                    known.freed += run.freed;
                    known.eligible = run.eligible;
                    known.fault |= run.fault;
                }
                None => self.tiers.push(*run),
            }
        }
    }

    pub(super) const fn outcome(&self) -> Outcome {
        if self.lent {
            Outcome::Temporary
        } else if self.tiers.is_empty() {
            Outcome::Admitted
        } else {
            Outcome::AdmittedByCleanup
        }
    }
}
