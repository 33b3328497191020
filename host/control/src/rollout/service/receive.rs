//! What sources bring while the server runs.
//!
//! A source that is watched keeps a policy up to date; it does not choose one. New content of a
//! policy becomes a revision, and takes the place of the old one wherever a revision of that policy
//! is active. A source that says what it said before changes nothing, over restarts too: what was put
//! active since is what an operator wants. What is met first, and of which the ledger knows nothing,
//! takes the place only if it was not seen before and the active one is from a source of the same
//! kind, which changed while the server was down, or is the one that the host ships.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::change::Plan;
use super::{Activation, Rollout, SettingsSource, Submitted};
use crate::rollout::actor::Actor;
use crate::rollout::audit::What;
use crate::rollout::error::RolloutError;
use crate::rollout::ledger::{RevisionLedger, Watched};
use crate::rollout::source::oci::{self, Reference};
use crate::rollout::source::{Fetched, PolicyName, PolicyOrigin, Receive, Received, Sighting};
use wastegate_core::types::{RevisionId, Tier, chain};
use wastegate_engine::policy::{LoadError, load};

impl Receive for Arc<Rollout> {
    fn receive(&self, fetched: Fetched, sighting: Sighting) -> BoxFuture<'_, Received> {
        async move {
            match self.update(fetched, sighting).await {
                Ok(()) => Received::Taken,
                Err(refused) if is_passing(&refused) => Received::Later(refused.sentence()),
                Err(refused) => Received::Refused(refused.sentence()),
            }
        }
        .boxed()
    }
}

impl Rollout {
    async fn update(
        self: &Arc<Self>,
        fetched: Fetched,
        sighting: Sighting,
    ) -> Result<(), RolloutError> {
        let by = match &fetched.origin {
            PolicyOrigin::Registry(_) => Actor::registry(),
            PolicyOrigin::Directory(_)
            | PolicyOrigin::File(_)
            | PolicyOrigin::Upload
            | PolicyOrigin::Cluster(_)
            | PolicyOrigin::Shipped => Actor::directory(),
        };
        let digest = load::digest(&fetched.bytes);
        if let Some(why) = self.refused_before.why(&digest) {
            return Err(RolloutError::Source(why));
        }
        if self.is_awaited(&fetched) {
            return self.arrive(fetched, by).await;
        }
        let (name, reason) = (fetched.name.clone(), fetched.origin.to_string());
        let tiers = followed(&self.ledger(), &fetched, sighting);
        let source = Watched::of(&fetched.origin);
        let submitted = self
            .submit(fetched.clone(), SettingsSource::Inherited, None, by.clone())
            .await;
        let submitted = submitted.inspect_err(|refused| self.remember_refused(&fetched, refused));
        let id = submitted?.revision;
        let followed = self.in_turn(move |this| {
            let report = SourceReport {
                source,
                name: &name,
                digest: &digest,
            };
            this.follow_now(id, &tiers, report, (&reason, &by))
        });
        followed.await?;
        self.fill_seats().await;
        Ok(())
    }

    /// Activates what a source brought where it goes, and records that the source has it: one change, which one
    /// rollback undoes, and which is complete after a restart or not there at all.
    fn follow_now(
        &self,
        id: RevisionId,
        tiers: &[Tier],
        report: SourceReport<'_>,
        (reason, by): (&str, &Actor),
    ) -> Result<(), RolloutError> {
        let ledger = self.ledger();
        let mut tiers = tiers.to_vec();
        tiers.retain(|tier| ledger.active(*tier) != Some(id));
        if tiers.is_empty() {
            self.record_report(report);
            return Ok(());
        }
        let plan = Plan {
            what: What::Activated,
            reason,
            by,
        };
        let changed = self.change(&plan, |ledger| {
            ledger
                .revision(id)
                .ok_or(RolloutError::NoSuchRevision(id))?;
            let moves = ledger.put(&tiers, Some(id));
            report.record(ledger);
            Ok(moves)
        });
        changed.map(|_| ())
    }

    /// Records what a source reports, where that activates nothing.
    fn record_report(&self, report: SourceReport<'_>) {
        let _one_at_a_time = self.changing.lock();
        let before = self.ledger();
        let mut ledger = RevisionLedger::clone(&before);
        report.record(&mut ledger);
        if ledger != *before {
            self.write(&ledger);
            self.replace(ledger);
        }
    }

    /// Brings a policy from a registry, and takes it in as [`Rollout::submit`] does.
    ///
    /// # Errors
    /// [`RolloutError`]; nothing changed then.
    pub async fn pull(
        self: &Arc<Self>,
        name: PolicyName,
        reference: &Reference,
        settings: SettingsSource,
        then: Option<Activation>,
        by: Actor,
    ) -> Result<Submitted, RolloutError> {
        let (config, bytes_max) = (&self.sources.registry, self.size_bytes_max());
        let pulled = oci::pull(config, reference, bytes_max).await;
        let fetched = pulled.map_err(|error| RolloutError::Source(chain(&error)))?;
        self.submit(Fetched { name, ..fetched }, settings, then, by)
            .await
    }
}

/// The content that a source has for a policy.
#[derive(Clone, Copy)]
struct SourceReport<'a> {
    /// None if the source is not watched.
    source: Option<Watched>,
    name: &'a PolicyName,
    digest: &'a str,
}

impl SourceReport<'_> {
    fn record(self, ledger: &mut RevisionLedger) {
        if let Some(source) = self.source {
            ledger.report(source, self.name, self.digest);
        }
    }
}

/// The tiers at which what was brought takes the place of the old one: none if the source said the same
/// before, for what was done about it since is what an operator wants.
fn followed(ledger: &RevisionLedger, fetched: &Fetched, sighting: Sighting) -> Vec<Tier> {
    let digest = load::digest(&fetched.bytes);
    let source = Watched::of(&fetched.origin);
    let reported = source.and_then(|source| ledger.reported(source, &fetched.name));
    let sighting = match reported {
        Some(reported) if *reported.digest == *digest => return Vec::new(),
        Some(_) => Sighting::Changed,
        None => sighting,
    };
    let mut own = ledger
        .revisions()
        .filter(|known| known.name == fetched.name);
    let is_known = own.any(|known| *known.digest == *digest);
    let kind = std::mem::discriminant(&fetched.origin);
    let follows = |tier: &Tier| {
        let active = ledger.active(*tier).and_then(|id| ledger.revision(id));
        let active = active.filter(|active| active.name == fetched.name);
        active.is_some_and(|active| match sighting {
            Sighting::Changed => true,
            Sighting::First => {
                let same_kind = std::mem::discriminant(&active.origin) == kind;
                !is_known && (same_kind || active.origin == PolicyOrigin::Shipped)
            }
        })
    };
    Tier::ALL.into_iter().filter(follows).collect()
}

/// Whether the same file may be taken when it is brought again.
fn is_passing(refused: &RolloutError) -> bool {
    match refused {
        RolloutError::Busy { .. } | RolloutError::Interrupted | RolloutError::Store(_) => true,
        RolloutError::Load(error) => matches!(
            error,
            LoadError::Interrupted | LoadError::LoadersBusy { .. } | LoadError::NoLoader(_)
        ),
        RolloutError::Signature(_)
        | RolloutError::Source(_)
        | RolloutError::Name { .. }
        | RolloutError::NoSuchPolicy { .. }
        | RolloutError::NeverActivated { .. }
        | RolloutError::NoSuchRevision(_)
        | RolloutError::OfAnother { .. }
        | RolloutError::Changed { .. }
        | RolloutError::NothingBefore(_)
        | RolloutError::Limits(_) => false,
    }
}
