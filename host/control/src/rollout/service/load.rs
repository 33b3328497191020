//! Revisions made ready: found where they are ready already, or loaded from the store.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::Rollout;
use crate::rollout::error::RolloutError;
use crate::rollout::ledger::RevisionLedger;
use crate::rollout::revision::Revision;
use crate::rollout::source::PolicyOrigin;
use wastegate_core::types::{RevisionId, Tier};
use wastegate_engine::policy::{ActivePolicies, Breakers, Catalog, Deployed, Pick, Policy, Seat};

/// What policies run on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engines {
    /// Compiles, and holds which policy is active.
    pub catalog: Arc<Catalog>,
    /// Watch who fails.
    pub breakers: Breakers,
}

/// Policies that are held ready for one change, whatever is let go meanwhile.
pub(super) type Ready = BTreeMap<RevisionId, Arc<Policy>>;

impl Rollout {
    /// A revision's policy, if it is ready already.
    pub(super) fn at_hand(&self, id: RevisionId) -> Option<Arc<Policy>> {
        let active_policies = self.engines.catalog.active_policies();
        let seated = active_policies
            .seats()
            .flat_map(|(_, seat)| seat.deployed())
            .find(|deployed| deployed.revision == id)
            .map(|deployed| deployed.policy.clone());
        seated.or_else(|| self.warm.lock().get(id))
    }

    /// Whether a revision of these bytes is ready.
    pub(super) fn is_compiled(&self, digest: &str) -> bool {
        let is = |policy: &Arc<Policy>| *policy.about().digest == *digest;
        let active_policies = self.engines.catalog.active_policies();
        let mut seated = active_policies
            .seats()
            .flat_map(|(_, seat)| seat.deployed());
        seated.any(|deployed| is(&deployed.policy))
            || self.warm.lock().policies().any(|(_, policy)| is(policy))
    }

    /// A revision's policy, loaded from the store where it is not ready. Blocks.
    pub(super) fn ready(&self, revision: &Revision) -> Result<Arc<Policy>, RolloutError> {
        match self.at_hand(revision.id) {
            Some(policy) => Ok(policy),
            None => self.load(revision),
        }
    }

    /// A revision's policy, from the store. What is compiled is not compiled again. Blocks.
    pub(super) fn load(&self, revision: &Revision) -> Result<Arc<Policy>, RolloutError> {
        let pick = Pick::Bytes(self.kept(revision)?);
        let catalog = &self.engines.catalog;
        Ok(catalog.prepare(&pick, &revision.params, &revision.limits)?)
    }

    /// A revision's bytes, if they may still be used.
    pub(super) fn kept(&self, revision: &Revision) -> Result<Arc<[u8]>, RolloutError> {
        let bytes = self.store.bytes(&revision.digest)?;
        self.admit(revision, &bytes)?;
        Ok(bytes)
    }

    /// Whether a kept file may still be used: keys may have been asked for since it was accepted.
    fn admit(&self, revision: &Revision, bytes: &[u8]) -> Result<(), RolloutError> {
        if revision.origin != PolicyOrigin::Shipped {
            self.sources
                .keys
                .verify(bytes, revision.signature.as_deref())?;
        }
        Ok(())
    }

    /// All active revisions of a ledger, loaded. Blocks.
    pub(super) fn ready_actives(
        &self,
        ledger: &RevisionLedger,
        mut ready: Ready,
    ) -> Result<Ready, RolloutError> {
        for id in Tier::ALL.iter().filter_map(|tier| ledger.active(*tier)) {
            if let Entry::Vacant(place) = ready.entry(id) {
                let revision = ledger
                    .revision(id)
                    .ok_or(RolloutError::NoSuchRevision(id))?;
                place.insert(self.ready(revision)?);
            }
        }
        Ok(ready)
    }

    /// Puts the ledger's revisions into the seats: one pointer. A fallback is seated if it is
    /// ready; see [`Rollout::complete`]. Only for a caller that holds `changing`.
    pub(super) fn install(&self, ready: &Ready) {
        let ledger = self.ledger();
        let deployed = |id: RevisionId| {
            let policy = ready.get(&id).cloned().or_else(|| self.at_hand(id))?;
            Some(Deployed {
                revision: id,
                policy,
            })
        };
        let mut next = ActivePolicies::default();
        for tier in Tier::ALL {
            let seat = Seat {
                active: ledger.active(tier).and_then(deployed),
                fallback: ledger.fallback(tier).and_then(deployed),
            };
            next = next.with([tier], &seat);
        }
        let before = self.engines.catalog.active_policies();
        self.engines.catalog.install(next);
        // Who left a seat stays ready for a while, and so does what was made ready for nothing.
        let seated = ledger.seated();
        let left = before.seats().flat_map(|(_, seat)| seat.deployed());
        let left = left.map(|deployed| (deployed.revision, deployed.policy.clone()));
        let others = ready.iter().map(|(id, policy)| (*id, policy.clone()));
        let mut gone = Vec::new();
        let mut warm = self.warm.lock();
        for (id, policy) in others.chain(left) {
            if !seated.contains(&id) && ledger.revision(id).is_some() {
                gone.extend(warm.keep(id, policy));
            }
        }
        let wanted = |id| !seated.contains(&id) && ledger.revision(id).is_some();
        gone.extend(warm.retain(wanted));
        drop(warm);
        drop(gone);
    }

    /// Loads the fallbacks that are not ready, and seats them. A fallback that cannot be loaded is
    /// reported in the log, and the built-in ranking takes its place. Blocks.
    pub(super) fn complete(&self) {
        let missing: Vec<Revision> = {
            let (ledger, active_policies) = (self.ledger(), self.engines.catalog.active_policies());
            let fallbacks = Tier::ALL.iter().filter_map(|&tier| {
                let seated = active_policies.seat(tier).fallback.as_ref();
                let wanted = ledger.fallback(tier)?;
                let there = seated.is_some_and(|deployed| deployed.revision == wanted);
                (!there).then(|| ledger.revision(wanted).cloned())?
            });
            let mut missing: Vec<Revision> = fallbacks.collect();
            missing.sort_by_key(|revision| revision.id);
            missing.dedup_by_key(|revision| revision.id);
            missing
        };
        if missing.is_empty() {
            return;
        }
        let mut ready = Ready::new();
        for revision in missing {
            match self.ready(&revision) {
                Ok(policy) => {
                    ready.insert(revision.id, policy);
                }
                Err(refused) => tracing::warn!(
                    revision = revision.id.get(),
                    error = refused.sentence(),
                    "cannot make ready who would stand in; the built-in ranking does"
                ),
            }
        }
        let _one_at_a_time = self.changing.lock();
        self.install(&ready);
    }
}
