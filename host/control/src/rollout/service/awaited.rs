//! A configured policy that was not to be had at the start: its source was away, or what it brought was
//! broken. Something else is active meanwhile, log, status and readiness report it, and the source that is watched
//! brings it when it can. Then it is put where the start would have put it.

use std::sync::Arc;

use super::follow::follow;
use super::load::Ready;
use super::start::Wanted;
use super::{Rollout, SettingsSource};
use crate::rollout::actor::Actor;
use crate::rollout::audit::{Note, What};
use crate::rollout::error::RolloutError;
use crate::rollout::ledger::{RevisionLedger, Watched};
use crate::rollout::source::{Fetched, PolicyName};
use wastegate_core::types::Tier;

/// What is awaited, as the start left it.
#[derive(Debug, Clone)]
pub(super) struct Awaited {
    pub(super) wanted: Wanted,
    /// Which source brings it, and as what.
    pub(super) by: (Watched, PolicyName),
    /// Why it is not there, in a sentence.
    pub(super) why: String,
    pub(super) in_its_place: InItsPlace,
    /// Where it may be activated: no change was made there since.
    pub(super) tiers: Vec<Tier>,
}

/// What is active in place of a configured policy that is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InItsPlace {
    /// The built-in ranking, since no policy was ever active.
    BuiltIn,
    /// What was active before.
    Before,
}

/// What is configured and was not to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaits {
    /// The source in words, as the configuration names it.
    pub source: String,
    /// Why it is not there, in a sentence.
    pub why: String,
    /// What is active meanwhile.
    pub in_its_place: InItsPlace,
}

impl Rollout {
    /// What is configured and was not to be had, if anything.
    #[must_use]
    pub fn awaits(&self) -> Option<Awaits> {
        let awaited = self.awaited.lock();
        awaited.as_ref().map(|awaited| Awaits {
            source: awaited.wanted.source.clone(),
            why: awaited.why.clone(),
            in_its_place: awaited.in_its_place,
        })
    }

    /// Whether this is what is configured and was not to be had.
    pub(super) fn is_awaited(&self, fetched: &Fetched) -> bool {
        let awaited = self.awaited.lock();
        awaited.as_ref().is_some_and(|awaited| {
            let (source, name) = &awaited.by;
            Watched::of(&fetched.origin) == Some(*source) && fetched.name == *name
        })
    }

    /// These seats were changed on purpose, so the awaited policy stays out of them.
    pub(super) fn give_up_waiting(&self, tiers: &[Tier]) {
        let mut awaited = self.awaited.lock();
        if let Some(known) = awaited.as_mut() {
            known.tiers.retain(|tier| !tiers.contains(tier));
        }
    }

    /// Takes in what was awaited, and puts it where the start would have.
    pub(super) async fn arrive(
        self: &Arc<Self>,
        fetched: Fetched,
        by: Actor,
    ) -> Result<(), RolloutError> {
        let arrived = self.submitting(move |this| this.arrive_now(&fetched, &by));
        let arrived = arrived.await;
        self.fill_seats().await;
        arrived
    }

    fn arrive_now(&self, fetched: &Fetched, by: &Actor) -> Result<(), RolloutError> {
        let Some(Awaited { wanted, tiers, .. }) = self.awaited.lock().clone() else {
            return Ok(());
        };
        let settings = SettingsSource::These {
            params: wanted.params.clone(),
            limits: wanted.limits,
        };
        let taken = self.take_in(fetched, settings, by);
        let (revision, _) = taken.inspect_err(|refused| self.still_awaited(fetched, refused))?;
        let _one_at_a_time = self.changing.lock();
        let mut ledger = RevisionLedger::clone(&self.ledger());
        let (moves, why) = follow(
            &mut ledger,
            wanted.chosen(revision),
            &fetched.origin,
            &tiers,
        );
        let ready = self.ready_actives(&ledger, Ready::new())?;
        self.write(&ledger);
        {
            // A reader that sees the new ledger waits for the lock, and finds nothing awaited.
            let mut awaited = self.awaited.lock();
            self.replace(ledger);
            *awaited = None;
        }
        self.install(&ready);
        self.prune();
        let source = &wanted.source;
        let reason = format!("what is configured is there now ({source}): {why}");
        tracing::info!(source, "the configured policy is there now");
        let note = Note::new(What::Activated, reason).moves(moves);
        self.audit
            .write(by, note.of(&fetched.name).revision(revision));
        Ok(())
    }

    fn still_awaited(&self, fetched: &Fetched, refused: &RolloutError) {
        self.remember_refused(fetched, refused);
        if let Some(awaited) = self.awaited.lock().as_mut() {
            awaited.why = refused.sentence();
        }
    }
}
