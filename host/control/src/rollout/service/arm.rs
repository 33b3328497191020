//! Policies for the arms of experiments: what there is, made ready with other parameters, without
//! becoming a revision and without sitting in a seat.

use std::sync::Arc;

use super::Rollout;
use super::change::current;
use crate::rollout::error::RolloutError;
use crate::rollout::source::{Fetched, PolicyName};
use wastegate_core::types::{RevisionId, Tier};
use wastegate_engine::policy::{Limits, Params, Pick, Policy};

impl Rollout {
    /// The revision that is meant by a policy's name: the active one, else the newest. None for one
    /// that only the host ships.
    #[must_use]
    pub fn meant(&self, name: &PolicyName) -> Option<RevisionId> {
        current(&self.ledger(), name).map(|revision| revision.id)
    }

    /// The revision of these bytes that is still kept: the one of that number, else any other.
    #[must_use]
    pub fn taken_in(&self, digest: &str, number: Option<RevisionId>) -> Option<RevisionId> {
        let ledger = self.ledger();
        let is_it = |id: &RevisionId| {
            ledger
                .revision(*id)
                .is_some_and(|revision| revision.digest == digest)
        };
        let any = || {
            ledger
                .revisions()
                .find(|it| it.digest == digest)
                .map(|it| it.id)
        };
        number.filter(is_it).or_else(any)
    }

    /// The active revisions for admissions, tier by tier; none where the built-in ranking is.
    #[must_use]
    pub fn active_for_admissions(&self) -> Vec<Option<RevisionId>> {
        let ledger = self.ledger();
        Tier::ADMISSION
            .iter()
            .map(|&tier| ledger.active(tier))
            .collect()
    }

    /// A policy by name, with these parameters on top of those it has here. Blocks.
    ///
    /// # Errors
    /// [`RolloutError`] where there is none of that name, or it cannot be made ready so.
    pub fn arm(&self, name: &PolicyName, params: &Params) -> Result<Arc<Policy>, RolloutError> {
        match self.meant(name) {
            Some(id) => self.arm_of(id, params),
            None => {
                let fetched = Fetched::shipped(name).ok_or_else(|| self.no_such(name))?;
                let pick = Pick::Bytes(fetched.bytes);
                let catalog = &self.engines.catalog;
                Ok(catalog.prepare(&pick, params, &Limits::NODES)?)
            }
        }
    }

    /// A revision's policy, with these parameters on top of its own. Blocks.
    ///
    /// # Errors
    /// As [`Rollout::arm`].
    pub fn arm_of(&self, id: RevisionId, params: &Params) -> Result<Arc<Policy>, RolloutError> {
        let ledger = self.ledger();
        let revision = ledger
            .revision(id)
            .ok_or(RolloutError::NoSuchRevision(id))?;
        if params.is_empty() {
            return self.ready(revision);
        }
        let mut all = revision.params.clone();
        all.extend(params.iter().map(|(name, value)| (name.clone(), *value)));
        let bytes = self.kept(revision)?;
        let catalog = &self.engines.catalog;
        Ok(catalog.prepare(&Pick::Bytes(bytes), &all, &revision.limits)?)
    }
}
