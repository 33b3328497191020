//! What sources bring while the server runs.
//!
//! A source that is watched keeps a policy up to date; it does not choose one. New content of a
//! policy becomes a revision, and takes the place of the old one wherever a revision of that policy
//! is active. What is met first takes it only if it was not seen before and the active one
//! is from a source of the same kind, which changed while the server was down, or is the one that the host
//! ships: anything else is what an operator did since.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{Activation, Rollout, SettingsSource, Submitted};
use crate::rollout::actor::Actor;
use crate::rollout::error::RolloutError;
use crate::rollout::ledger::RevisionLedger;
use crate::rollout::source::oci::{self, Reference};
use crate::rollout::source::{Fetched, PolicyName, PolicyOrigin, Receive, Received, Sighting};
use wastegate_core::types::{Tier, chain};
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
            | PolicyOrigin::Shipped => Actor::directory(),
        };
        let (name, reason) = (fetched.name.clone(), fetched.origin.to_string());
        let tiers = followed(&self.ledger(), &fetched, sighting);
        let digest = load::digest(&fetched.bytes);
        if let Some(why) = self.refused_before.why(&digest) {
            return Err(RolloutError::Source(why));
        }
        let submitted = self
            .submit(fetched, SettingsSource::Inherited, None, by.clone())
            .await;
        let submitted = submitted.inspect_err(|refused| {
            if let RolloutError::Load(error) = refused {
                let sentence = refused.sentence();
                self.refused_before.remember(digest, error, &sentence);
            }
        });
        let id = submitted?.revision;
        // Where all tiers follow it is one change, which one rollback takes back.
        let places: Vec<Option<Tier>> = if tiers.len() == Tier::ALL.len() {
            vec![None]
        } else {
            tiers.into_iter().map(Some).collect()
        };
        for tier in places {
            let activation = Activation {
                tier,
                expected: None,
                reason: reason.clone(),
            };
            self.activate(name.clone(), Some(id), activation, by.clone())
                .await?;
        }
        Ok(())
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

/// The tiers at which what was brought takes the place of the old one.
fn followed(ledger: &RevisionLedger, fetched: &Fetched, sighting: Sighting) -> Vec<Tier> {
    let digest = load::digest(&fetched.bytes);
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
        | RolloutError::NoSuchRevision(_)
        | RolloutError::OfAnother { .. }
        | RolloutError::Changed { .. }
        | RolloutError::NothingBefore(_)
        | RolloutError::Limits(_) => false,
    }
}
