//! Which revisions there are, and who sits in which seat: the pure part.
//!
//! Each tier's seat is a stack: the revision that was put there last is active, and beneath it is what was
//! there before. An activation lays something on top, a rollback takes the top off, and the
//! *fallback* of a seat is read from the stack, never stored. Every entry carries the number of the
//! change that put it there, so that a rollback of everything undoes the last change that still
//! stands, at every tier that it touched.
//!
//! Nothing here knows files, clocks or compiled code; `file` is how it is written down.

mod file;
mod reported;
mod seats;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use file::LEDGER_BYTES_MAX;
pub use file::Unreadable;
pub use reported::{Report, Watched};
pub use seats::{HISTORY_MAX, Held, Move, NothingBefore};
use serde::{Deserialize, Serialize};

use self::seats::Stack;
use super::config::{KEPT_BYTES_MAX, POLICIES_MAX};
use super::revision::{Content, Revision};
use super::source::PolicyName;
use wastegate_core::types::{Limits, RevisionId, Tier};
use wastegate_engine::policy::Params;

/// Revisions and seats. A value: a change makes another one, and a holder of this one is not
/// disturbed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RevisionLedger {
    /// The highest number that was ever given.
    last: Option<RevisionId>,
    /// The number of the last change of a seat.
    changes: u64,
    revisions: BTreeMap<RevisionId, Revision>,
    seats: [Stack; 5],
    /// Those of them that were ever active.
    served: BTreeSet<RevisionId>,
    chosen: Option<Chosen>,
    /// The one that changed last at the end.
    reports: Vec<Report>,
}

/// What the configuration asked for when the ledger was last written by a start, and which revision
/// that became.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// The source in words, such as `shipped lru`.
    pub source: String,
    /// The values of the policy's parameters.
    pub params: Params,
    /// The limits that replace the node's for this revision.
    pub limits: Limits,
    /// The revision that was accepted with these values.
    pub revision: RevisionId,
}

impl RevisionLedger {
    /// One with nothing in it, whose first revision comes after `last`: for a deployment that lost
    /// its ledger and must not use a number twice.
    #[must_use]
    pub fn after(last: Option<RevisionId>) -> Self {
        Self {
            last,
            ..Self::default()
        }
    }

    /// Every revision, oldest first.
    pub fn revisions(&self) -> impl DoubleEndedIterator<Item = &Revision> {
        self.revisions.values()
    }

    /// The revision of this number, if it was ever accepted here.
    #[must_use]
    pub fn revision(&self, id: RevisionId) -> Option<&Revision> {
        self.revisions.get(&id)
    }

    /// The newest revision of a policy.
    #[must_use]
    pub fn newest(&self, name: &PolicyName) -> Option<&Revision> {
        self.revisions().rev().find(|known| known.name == *name)
    }

    /// The revision that a file with these settings already is.
    #[must_use]
    pub fn same(&self, content: &Content) -> Option<&Revision> {
        self.revisions().rev().find(|known| known.is(content))
    }

    /// The highest number that was ever given.
    #[must_use]
    pub const fn last(&self) -> Option<RevisionId> {
        self.last
    }

    /// What the configuration asked for at the last start.
    #[must_use]
    pub const fn chosen(&self) -> Option<&Chosen> {
        self.chosen.as_ref()
    }

    /// Takes down what the configuration asks for.
    pub fn choose(&mut self, chosen: Chosen) {
        self.chosen = Some(chosen);
    }

    /// Takes a revision in, with the next number. The same content again is the same revision.
    pub fn accept(&mut self, mut revision: Revision) -> RevisionId {
        if let Some(id) = self.same(&revision.content()).map(|known| known.id) {
            // The same bytes, this time with a signature: now they may be used where one is asked
            // for.
            if let Some(known) = self.revisions.get_mut(&id)
                && revision.signature.is_some()
            {
                (known.signature, known.signed) = (revision.signature, revision.signed);
            }
            return id;
        }
        let id = self.last.map_or(RevisionId::FIRST, RevisionId::following);
        revision.id = id;
        self.last = Some(id);
        self.revisions.insert(id, revision);
        id
    }

    /// Who is active at a tier; none where the built-in ranking is.
    #[must_use]
    pub fn active(&self, tier: Tier) -> Option<RevisionId> {
        self.stack(tier).active()
    }

    /// The fallback of the active one, while that is quarantined: the nearest before it with other
    /// bytes, since a breaker knows policies by their bytes. None if the built-in ranking was put
    /// active in between: then the earlier ones were removed.
    #[must_use]
    pub fn fallback(&self, tier: Tier) -> Option<RevisionId> {
        let active = self.revision(self.active(tier)?)?;
        self.stack(tier)
            .before()
            .map_while(|held| self.revision(held?))
            .find(|earlier| earlier.digest != active.digest)
            .map(|earlier| earlier.id)
    }

    /// The tiers at which nothing was ever activated.
    #[must_use]
    pub fn untouched(&self) -> Vec<Tier> {
        let mut tiers = Tier::ALL.to_vec();
        tiers.retain(|tier| self.history(*tier).next().is_none());
        tiers
    }

    /// What was in a seat, latest first.
    pub fn history(&self, tier: Tier) -> impl Iterator<Item = Held> {
        self.stack(tier).held()
    }

    /// Every revision that sits in a seat, as the active one or as the fallback.
    #[must_use]
    pub fn seated(&self) -> BTreeSet<RevisionId> {
        Tier::ALL
            .into_iter()
            .flat_map(|tier| [self.active(tier), self.fallback(tier)])
            .flatten()
            .collect()
    }

    /// Whether a revision was ever active.
    #[must_use]
    pub(crate) fn has_served(&self, id: RevisionId) -> bool {
        self.served.contains(&id)
    }

    /// The tiers at which a revision is the fallback of the active one.
    #[must_use]
    pub(crate) fn standing_in(&self, id: RevisionId) -> Vec<Tier> {
        let mut tiers = Tier::ALL.to_vec();
        tiers.retain(|tier| self.fallback(*tier) == Some(id));
        tiers
    }

    /// The tiers at which a revision is active.
    #[must_use]
    pub(crate) fn tiers_of(&self, id: RevisionId) -> Vec<Tier> {
        let mut tiers = Tier::ALL.to_vec();
        tiers.retain(|tier| self.active(*tier) == Some(id));
        tiers
    }

    /// Activates a revision, or the built-in ranking, at some tiers. Returns what moved; nothing where
    /// it is active already.
    pub fn put(&mut self, tiers: &[Tier], revision: Option<RevisionId>) -> Vec<Move> {
        let moves: Vec<Move> = tiers
            .iter()
            .map(|&tier| Move {
                tier,
                from: self.active(tier),
                to: revision,
            })
            .filter(|moved| moved.from != moved.to)
            .collect();
        if !moves.is_empty() {
            self.changes = self.changes.saturating_add(1);
        }
        let held = Held {
            change: self.changes,
            revision,
        };
        for moved in &moves {
            self.stack_mut(moved.tier).push(held);
            self.served.extend(revision);
        }
        moves
    }

    /// Takes back what was put into one seat last, or without a tier the last change that still
    /// stands, at every tier that it touched.
    ///
    /// # Errors
    /// [`NothingBefore`] when nothing that is kept was there before.
    pub fn rollback(&mut self, tier: Option<Tier>) -> Result<Vec<Move>, NothingBefore> {
        let asked: Vec<Tier> = tier.map_or_else(|| Tier::ALL.to_vec(), |tier| vec![tier]);
        let latest = asked
            .iter()
            .filter_map(|&tier| self.stack(tier).undoable())
            .max()
            .ok_or(NothingBefore { tier })?;
        let mut moves = Vec::new();
        for tier in asked {
            if self.stack(tier).undoable() != Some(latest) {
                continue;
            }
            let from = self.active(tier);
            self.stack_mut(tier).pop();
            let to = self.active(tier);
            moves.push(Move { tier, from, to });
        }
        Ok(moves)
    }

    /// Replaces the active revision of a tier by the one before it; none if there was none.
    pub fn give_up(&mut self, tier: Tier) {
        self.stack_mut(tier).pop();
    }

    /// Lets go of what is over `kept` revisions of one policy, over [`POLICIES_MAX`] policies, or
    /// over [`KEPT_BYTES_MAX`], oldest first; never of what sits in a seat. What went.
    pub(crate) fn prune(&mut self, kept: usize) -> Vec<Revision> {
        let seated = self.seated();
        let (mut of_policy, mut digests) = (BTreeMap::new(), BTreeSet::new());
        let (mut bytes, mut surplus) = (0_u64, Vec::new());
        for known in self.revisions.values().rev() {
            let policies = of_policy.len();
            let count: &mut usize = of_policy.entry(known.name.clone()).or_default();
            let is_counted = digests.contains(&known.digest);
            let size = if is_counted { 0 } else { known.size };
            let fits = *count < kept
                && (*count > 0 || policies < POLICIES_MAX)
                && bytes.saturating_add(size) <= KEPT_BYTES_MAX;
            *count += 1;
            if !fits && !seated.contains(&known.id) {
                surplus.push(known.id);
                continue;
            }
            bytes = bytes.saturating_add(size);
            digests.insert(known.digest.clone());
        }
        let gone: Vec<Revision> = surplus
            .iter()
            .filter_map(|id| self.revisions.remove(id))
            .collect();
        self.served.retain(|id| self.revisions.contains_key(id));
        let known = |id: RevisionId| self.revisions.contains_key(&id);
        for stack in &mut self.seats {
            stack.keep(known);
        }
        gone
    }

    fn stack(&self, tier: Tier) -> &Stack {
        let [proactive, conservative, moderate, aggressive, force] = &self.seats;
        match tier {
            Tier::Proactive => proactive,
            Tier::Conservative => conservative,
            Tier::Moderate => moderate,
            Tier::Aggressive => aggressive,
            Tier::Force => force,
        }
    }

    fn stack_mut(&mut self, tier: Tier) -> &mut Stack {
        let [proactive, conservative, moderate, aggressive, force] = &mut self.seats;
        match tier {
            Tier::Proactive => proactive,
            Tier::Conservative => conservative,
            Tier::Moderate => moderate,
            Tier::Aggressive => aggressive,
            Tier::Force => force,
        }
    }
}
