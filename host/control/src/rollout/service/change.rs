//! Which revision is activated, and how that is taken back.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::load::Ready;
use super::{Rollout, SettingsSource};
use crate::rollout::actor::Actor;
use crate::rollout::audit::{Note, What};
use crate::rollout::error::RolloutError;
use crate::rollout::ledger::{Move, RevisionLedger};
use crate::rollout::revision::Revision;
use crate::rollout::source::{Fetched, PolicyName};
use wastegate_core::types::{RevisionId, Tier, chain, spelling};
use wastegate_engine::policy::shipped;

/// What an operator takes to be active; a change is refused where it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected(
    /// A revision, or none for the built-in ranking.
    pub Option<RevisionId>,
);

/// Where a revision is activated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Activation {
    /// At one tier; none for all of them.
    pub tier: Option<Tier>,
    /// Only if this is active there.
    pub expected: Option<Expected>,
    /// Why, for the audit log; may be empty.
    pub reason: String,
}

/// What a change came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The seats that changed hands; none if all was so already.
    pub moves: Vec<Move>,
    /// Whether it survives a restart: false without a state directory, and where the disk did not
    /// take it.
    pub is_durable: bool,
}

/// One kind of change: what it is called, and why it is made.
pub(super) struct Plan<'a> {
    pub(super) what: What,
    pub(super) reason: &'a str,
    pub(super) by: &'a Actor,
}

impl Rollout {
    /// Activates a policy's revision; without a number its newest, and if there is none the one
    /// that the host ships under that name.
    ///
    /// # Errors
    /// [`RolloutError`]; nothing changed then.
    pub async fn activate(
        self: &Arc<Self>,
        name: PolicyName,
        revision: Option<RevisionId>,
        activation: Activation,
        by: Actor,
    ) -> Result<(RevisionId, Changed), RolloutError> {
        let known = match revision {
            Some(id) => Some(self.of_policy(id, &name)?),
            None => self.ledger().newest(&name).map(|newest| newest.id),
        };
        let Some(id) = known else {
            let shipped = Fetched::shipped(&name).ok_or_else(|| self.no_such(&name))?;
            let settings = SettingsSource::defaults();
            let submitted = self.submit(shipped, settings, Some(activation), by).await?;
            let changed = submitted.changed.unwrap_or_else(|| self.nothing());
            return Ok((submitted.revision, changed));
        };
        let changed = self
            .in_turn(move |this| this.activate_now(id, &activation, &by))
            .await;
        self.fill_seats().await;
        Ok((id, changed?))
    }

    /// Activates again what was active before: at one tier, or without a tier wherever the last change
    /// that still stands was made.
    ///
    /// # Errors
    /// [`RolloutError`]; nothing changed then.
    pub async fn rollback(
        self: &Arc<Self>,
        activation: Activation,
        by: Actor,
    ) -> Result<Changed, RolloutError> {
        let changed = self.in_turn(move |this| {
            let plan = Plan {
                what: What::RolledBack,
                reason: &activation.reason,
                by: &by,
            };
            this.change(&plan, |ledger| {
                expect(ledger, &activation)?;
                Ok(ledger.rollback(activation.tier)?)
            })
        });
        let changed = changed.await;
        self.fill_seats().await;
        changed
    }

    /// Activates the built-in ranking. Needs no compiler and no disk to take effect.
    ///
    /// # Errors
    /// [`RolloutError`]; nothing changed then.
    pub async fn disable(
        self: &Arc<Self>,
        activation: Activation,
        by: Actor,
    ) -> Result<Changed, RolloutError> {
        let changed = self.in_turn(move |this| {
            let plan = Plan {
                what: What::Disabled,
                reason: &activation.reason,
                by: &by,
            };
            let changed = this.change(&plan, |ledger| {
                expect(ledger, &activation)?;
                Ok(ledger.put(&tiers(activation.tier), None))
            })?;
            // It is what the operator wants there, also where it was active for want of a policy.
            this.give_up_waiting(&tiers(activation.tier));
            Ok(changed)
        });
        changed.await
    }

    pub(super) fn activate_now(
        &self,
        id: RevisionId,
        activation: &Activation,
        by: &Actor,
    ) -> Result<Changed, RolloutError> {
        let plan = Plan {
            what: What::Activated,
            reason: &activation.reason,
            by,
        };
        self.change(&plan, |ledger| {
            expect(ledger, activation)?;
            ledger
                .revision(id)
                .ok_or(RolloutError::NoSuchRevision(id))?;
            Ok(ledger.put(&tiers(activation.tier), Some(id)))
        })
    }

    /// Makes a change: first without taking its turn, to compile what it needs, then in its turn.
    pub(super) fn change(
        &self,
        plan: &Plan<'_>,
        mut edit: impl FnMut(&mut RevisionLedger) -> Result<Vec<Move>, RolloutError>,
    ) -> Result<Changed, RolloutError> {
        let mut rehearsed = RevisionLedger::clone(&self.ledger());
        edit(&mut rehearsed)?;
        let ready = self.ready_actives(&rehearsed, Ready::new())?;
        self.change_of(plan, None, |ledger| Ok((edit(ledger)?, ready)))
    }

    /// The change itself, in its turn: ledger, disk, seats, audit log.
    pub(super) fn change_of(
        &self,
        plan: &Plan<'_>,
        about: Option<&Revision>,
        edit: impl FnOnce(&mut RevisionLedger) -> Result<(Vec<Move>, Ready), RolloutError>,
    ) -> Result<Changed, RolloutError> {
        let _one_at_a_time = self.changing.lock();
        let before = self.ledger();
        let mut ledger = RevisionLedger::clone(&before);
        let (moves, ready) = edit(&mut ledger)?;
        ledger.note_left(&moves);
        if ledger == *before {
            return Ok(self.nothing());
        }
        let ready = self.ready_actives(&ledger, ready)?;
        let written = self.write(&ledger);
        self.replace(ledger);
        self.install(&ready);
        let moved: Vec<Tier> = moves.iter().map(|moved| moved.tier).collect();
        self.give_up_waiting(&moved);
        let note = Note::new(plan.what, plan.reason).moves(moves.clone());
        let note = self.with_subject(note, about, &moves);
        self.audit.write(plan.by, note);
        self.prune();
        Ok(Changed {
            moves,
            is_durable: written && self.store.is_durable(),
        })
    }

    /// Names what a change was about: the new revision, else the active one after it.
    fn with_subject(&self, note: Note, about: Option<&Revision>, moves: &[Move]) -> Note {
        let ledger = self.ledger();
        let same = about.and_then(|about| ledger.same(&about.content()));
        let to = moves.first().and_then(|moved| ledger.revision(moved.to?));
        match same.or(to) {
            Some(revision) => note.of(&revision.name).revision(revision.id),
            None => note,
        }
    }

    /// Takes the ledger down. If the disk does not take it the change is made all the same: a full
    /// disk must not keep a bad policy active.
    pub(super) fn write(&self, ledger: &RevisionLedger) -> bool {
        let written = self.store.write(ledger);
        if let Err(error) = &written {
            tracing::error!(
                error = chain(error),
                "a change of policies is in memory only and will be gone after a restart"
            );
        }
        written.is_ok()
    }

    /// Only for a caller that holds `changing`.
    pub(super) fn replace(&self, ledger: RevisionLedger) {
        self.ledger.store(Arc::new(ledger));
    }

    /// Removes the revisions that are too many. Only for a caller that holds `changing`.
    pub(super) fn prune(&self) {
        let mut ledger = RevisionLedger::clone(&self.ledger());
        let gone = ledger.prune(self.config.revisions_kept);
        if gone.is_empty() {
            return;
        }
        // If this fails the next change writes it.
        self.write(&ledger);
        let digests: BTreeSet<String> = ledger.revisions().map(|r| r.digest.clone()).collect();
        self.replace(ledger);
        self.store.keep_only(&digests);
        let kept = self.ledger();
        let cold = self.warm.lock().retain(|id| kept.revision(id).is_some());
        drop(cold);
        for revision in gone {
            let reason = format!("one of more than {} kept", self.config.revisions_kept);
            let note = Note::new(What::Retired, reason);
            let note = note.of(&revision.name).revision(revision.id);
            self.audit.write(&Actor::guard(), note);
        }
    }

    /// Loads the fallback, where there is one.
    pub(super) async fn fill_seats(self: &Arc<Self>) {
        // If too much waits already, one of those does it.
        let filled = self.in_turn(|this| {
            this.complete();
            Ok(())
        });
        let _ = filled.await;
    }

    pub(super) fn nothing(&self) -> Changed {
        Changed {
            moves: Vec::new(),
            is_durable: self.store.is_durable(),
        }
    }

    /// Whether a revision is one of a policy.
    fn of_policy(&self, id: RevisionId, name: &PolicyName) -> Result<RevisionId, RolloutError> {
        let ledger = self.ledger();
        let revision = ledger
            .revision(id)
            .ok_or(RolloutError::NoSuchRevision(id))?;
        if revision.name != *name {
            return Err(RolloutError::OfAnother {
                revision: id,
                of: revision.name.clone(),
                asked: name.clone(),
            });
        }
        Ok(id)
    }

    /// That there is no revision of a policy: the host ships it and nobody has asked for it yet, or nobody
    /// knows a policy of that name, with the nearest that there is.
    #[must_use]
    pub fn no_such(&self, name: &PolicyName) -> RolloutError {
        if shipped::find(name.as_str()).is_some() {
            return RolloutError::NeverActivated { name: name.clone() };
        }
        let ledger = self.ledger();
        let kept = ledger.revisions().map(|revision| revision.name.as_str());
        let known = kept.chain(shipped::names());
        RolloutError::NoSuchPolicy {
            name: name.to_string(),
            nearest: spelling::meant(name.as_str(), known).map(str::to_owned),
        }
    }
}

/// A policy's active revision, the newest if several are; else its newest.
pub(super) fn current<'a>(ledger: &'a RevisionLedger, name: &PolicyName) -> Option<&'a Revision> {
    active_revision(ledger, name).or_else(|| ledger.newest(name))
}

fn active_revision<'a>(ledger: &'a RevisionLedger, name: &PolicyName) -> Option<&'a Revision> {
    let active = Tier::ALL.iter().filter_map(|&tier| ledger.active(tier));
    let named = active.filter_map(|id| ledger.revision(id));
    named
        .filter(|revision| revision.name == *name)
        .max_by_key(|revision| revision.id)
}

fn tiers(tier: Option<Tier>) -> Vec<Tier> {
    tier.map_or_else(|| Tier::ALL.to_vec(), |tier| vec![tier])
}

fn expect(ledger: &RevisionLedger, activation: &Activation) -> Result<(), RolloutError> {
    let Some(Expected(expected)) = activation.expected else {
        return Ok(());
    };
    let mut tiers = tiers(activation.tier).into_iter();
    match tiers.find(|&tier| ledger.active(tier) != expected) {
        None => Ok(()),
        Some(tier) => Err(RolloutError::Changed {
            tier: Some(tier),
            expected,
            found: ledger.active(tier),
        }),
    }
}
