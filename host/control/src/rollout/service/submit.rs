//! From a file that a source brought to a revision.

use std::sync::Arc;

use super::change::{Activation, Changed};
use super::under_way::{Progress, Stage, UnderWay};
use super::{Rollout, SettingsSource};
use crate::rollout::actor::Actor;
use crate::rollout::audit::{Note, What};
use crate::rollout::error::RolloutError;
use crate::rollout::ledger::RevisionLedger;
use crate::rollout::revision::Revision;
use crate::rollout::signature::Verified;
use crate::rollout::source::{Fetched, PolicyName, PolicyOrigin};
use wastegate_core::types::{Limits, RevisionId};
use wastegate_engine::policy::{Params, Pick, Policy, load};

/// What became of a submission.
#[derive(Debug, Clone, PartialEq)]
pub struct Submitted {
    /// The revision that the file became, or already was.
    pub revision: RevisionId,
    /// Whether it is a new one; false if there was one with the same bytes and settings.
    pub is_new: bool,
    /// What was activated with it, if anything was.
    pub changed: Option<Changed>,
}

impl Rollout {
    /// Takes a file in: signature, size, world, compiler, kit. It becomes a revision, and what was
    /// active stays so unless `then` says otherwise. The same bytes with the same settings again
    /// are the same revision.
    ///
    /// # Errors
    /// [`RolloutError`] with the first step that failed; nothing changed then.
    pub async fn submit(
        self: &Arc<Self>,
        fetched: Fetched,
        settings: SettingsSource,
        then: Option<Activation>,
        by: Actor,
    ) -> Result<Submitted, RolloutError> {
        let submitted = self
            .submitting(move |this| this.submit_now(&fetched, settings, then, &by))
            .await;
        self.fill_seats().await;
        submitted
    }

    fn submit_now(
        &self,
        fetched: &Fetched,
        settings: SettingsSource,
        then: Option<Activation>,
        by: &Actor,
    ) -> Result<Submitted, RolloutError> {
        let (revision, is_new) = self.take_in(fetched, settings, by)?;
        let changed = then
            .map(|activation| self.activate_now(revision, &activation, by))
            .transpose()?;
        Ok(Submitted {
            revision,
            is_new,
            changed,
        })
    }

    /// [`Rollout::submit`] on this thread, which it blocks; without activating anything. A
    /// refusal is in the audit log when this returns.
    pub(super) fn take_in(
        &self,
        fetched: &Fetched,
        settings: SettingsSource,
        by: &Actor,
    ) -> Result<(RevisionId, bool), RolloutError> {
        let taken = self.check(fetched, settings, by);
        taken.inspect_err(|refused| {
            let note = Note::new(What::Refused, refused.sentence());
            self.audit.write(by, note.of(&fetched.name));
        })
    }

    fn check(
        &self,
        fetched: &Fetched,
        settings: SettingsSource,
        by: &Actor,
    ) -> Result<(RevisionId, bool), RolloutError> {
        let progress = self.begin(fetched, by);
        let signed = match self.sources.keys.admit(fetched)? {
            Verified::NotAsked | Verified::Shipped => None,
            Verified::Signed { key, comment } => Some(format!("key {key}: {comment}")),
        };
        progress.reached(Stage::Checked);
        let (params, limits) = match settings {
            SettingsSource::These { params, limits } => (params, limits),
            SettingsSource::Inherited => inherited(&self.ledger(), &fetched.name),
        };
        let mut revision = Revision {
            // Number, name and version are known when it is taken in.
            id: RevisionId::FIRST,
            name: fetched.name.clone(),
            version: String::new(),
            digest: load::digest(&fetched.bytes).as_ref().to_owned(),
            size: u64::try_from(fetched.bytes.len()).unwrap_or(u64::MAX),
            origin: fetched.origin.clone(),
            signature: signed.as_ref().and(fetched.signature.clone()),
            signed,
            by: by.clone(),
            at_unix_ms: self.clock.unix_ms(self.clock.now()),
            params,
            limits,
        };
        let known = self.ledger().same(&revision.content()).cloned();
        let policy = if let Some(known) = known {
            revision.name = name(fetched, known.name.as_str())?;
            None
        } else {
            let policy = self.compile(&progress, fetched, &mut revision)?;
            Some(policy)
        };
        self.keep(revision, fetched, policy, by)
    }

    /// Compiles, asks for name and version, and puts it through the acceptance kit.
    fn compile(
        &self,
        progress: &Progress<'_>,
        fetched: &Fetched,
        revision: &mut Revision,
    ) -> Result<Arc<Policy>, RolloutError> {
        let catalog = &self.engines.catalog;
        // Held until the kit is through, so that it is compiled once.
        let program = catalog.compile(&fetched.bytes)?;
        progress.reached(Stage::Compiled);
        revision.name = name(fetched, &program.about().name)?;
        program
            .about()
            .version
            .as_ref()
            .clone_into(&mut revision.version);
        let pick = Pick::Bytes(fetched.bytes.clone());
        Ok(catalog.prepare(&pick, &revision.params, &revision.limits)?)
    }

    /// Takes a revision down: bytes first, then the ledger that names them.
    fn keep(
        &self,
        revision: Revision,
        fetched: &Fetched,
        policy: Option<Arc<Policy>>,
        by: &Actor,
    ) -> Result<(RevisionId, bool), RolloutError> {
        let _one_at_a_time = self.changing.lock();
        self.store.keep(&revision.digest, &fetched.bytes)?;
        let before = self.ledger();
        let mut ledger = RevisionLedger::clone(&before);
        let name = revision.name.clone();
        let id = ledger.accept(revision);
        let is_new = before.revision(id).is_none();
        if ledger != *before {
            self.store.write(&ledger)?;
            self.replace(ledger);
        }
        if let Some(policy) = policy {
            let version = &policy.about().version;
            let note = Note::new(
                What::Accepted,
                format!("version {version}: {}", policy.report()),
            );
            if is_new {
                self.audit.write(by, note.of(name).revision(id));
            }
            let cold = self.warm.lock().keep(id, policy);
            drop(cold);
        }
        self.prune();
        Ok((id, is_new))
    }

    fn begin(&self, fetched: &Fetched, by: &Actor) -> Progress<'_> {
        self.under_way.begin(UnderWay {
            name: fetched.name.clone(),
            size: u64::try_from(fetched.bytes.len()).unwrap_or(u64::MAX),
            origin: fetched.origin.clone(),
            by: by.clone(),
            since_unix_ms: self.clock.unix_ms(self.clock.now()),
            stage: Stage::Fetched,
        })
    }
}

/// What a policy is called. Who brings one says which one it is, and has to be right; the file that
/// is configured by its path is what its manifest says, whatever the file is called.
fn name(fetched: &Fetched, says: &str) -> Result<PolicyName, RolloutError> {
    let asked = &fetched.name;
    let is_named = match fetched.origin {
        PolicyOrigin::Upload
        | PolicyOrigin::Registry(_)
        | PolicyOrigin::Directory(_)
        | PolicyOrigin::Cluster(_)
        | PolicyOrigin::Shipped => true,
        PolicyOrigin::File(_) => false,
    };
    if asked.as_str() == says {
        return Ok(asked.clone());
    }
    let other = || RolloutError::Name {
        asked: asked.clone(),
        says: says.to_owned(),
    };
    if is_named {
        return Err(other());
    }
    PolicyName::new(says).map_err(|_| other())
}

/// What is set for a policy now.
fn inherited(ledger: &RevisionLedger, name: &PolicyName) -> (Params, Limits) {
    let now = super::change::current(ledger, name);
    now.map(|revision| (revision.params.clone(), revision.limits))
        .unwrap_or_default()
}
