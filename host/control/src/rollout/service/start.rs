//! A start: what was active before goes on, unless the configuration changed.
//!
//! What is configured and what operators did live in two places, and one of them has to give way.
//! As long as the configuration says what it said at the last start, the operators' changes stand.
//! Once it says something else, that becomes a revision and is activated. If only the content of
//! the same source changed, the new content takes the place of the old one wherever that is still
//! active. If the source is away or its content is refused, what was active goes on, and the log
//! says so.

use std::sync::Arc;

use super::load::{Engines, Ready};
use super::{Rollout, SettingsSource};
use crate::rollout::actor::Actor;
use crate::rollout::audit::{AuditLog, Note, What};
use crate::rollout::config::Config;
use crate::rollout::error::RolloutError;
use crate::rollout::ledger::{Chosen, Move, RevisionLedger};
use crate::rollout::source::{self, Fetched};
use crate::rollout::store::{Store, StoreError};
use wastegate_core::types::{Clock, Limits, RevisionId, Tier};
use wastegate_engine::policy::Params;

/// What the configuration asks for.
#[derive(Debug)]
pub struct ConfiguredPolicy {
    /// The source in words, such as `shipped lru`: another one is another choice.
    pub source: String,
    /// What the source brought, or why it did not, with what to do about it.
    pub fetched: Result<Fetched, String>,
    /// The values of the policy's parameters.
    pub params: Params,
    /// The limits that replace the node's for this policy.
    pub limits: Limits,
}

/// What a rollout is given for life.
#[derive(Debug, Clone)]
pub struct RolloutContext {
    /// Who has to have signed what comes from outside, and how registries are asked.
    pub sources: source::Config,
    /// What is kept, and where.
    pub config: Config,
    /// Where moments come from.
    pub clock: Clock,
}

/// Why there is nothing to start with.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The configured policy was refused, and no other was ever active.
    #[error("the policy was not accepted")]
    Policy(#[source] RolloutError),
    /// The process is going down.
    #[error("interrupted")]
    Interrupted,
}

impl Rollout {
    /// Opens the state directory, if there is one, and seats the revisions that are to be active. Compiles
    /// nothing on the threads that serve.
    ///
    /// # Errors
    /// [`StartError`] when there is nothing to start with.
    pub async fn start(
        engines: Engines,
        given: RolloutContext,
        choice: ConfiguredPolicy,
    ) -> Result<Arc<Self>, StartError> {
        let started = tokio::task::spawn_blocking(move || {
            let (kept, ledger, problems) = open(&given.config, &given.clock)?;
            let this = Self::new(engines, given, kept, ledger);
            for problem in problems {
                this.record(What::FellBack, problem);
            }
            this.take_up(choice).map_err(StartError::Policy)?;
            this.complete();
            Ok(Arc::new(this))
        });
        started.await.unwrap_or(Err(StartError::Interrupted))
    }

    fn take_up(&self, choice: ConfiguredPolicy) -> Result<(), RolloutError> {
        let ConfiguredPolicy {
            source,
            fetched,
            params,
            limits,
        } = choice;
        let settings = SettingsSource::These {
            params: params.clone(),
            limits,
        };
        let by = Actor::config();
        let taken = match fetched {
            Ok(fetched) => self.take_in(&fetched, settings, &by),
            Err(away) => Err(RolloutError::Source(away)),
        };
        let _one_at_a_time = self.changing.lock();
        let mut ledger = RevisionLedger::clone(&self.ledger());
        let before = ledger.chosen().cloned();
        let (moves, why) = match taken {
            Ok((revision, _)) => {
                let chosen = Chosen {
                    source,
                    params,
                    limits,
                    revision,
                };
                let done = follow(&mut ledger, before.as_ref(), &chosen);
                ledger.choose(chosen);
                done
            }
            // No revision was ever active here, so none can stay active.
            Err(refused) if before.is_none() => return Err(refused),
            Err(refused) => {
                let what = "what is configured cannot be used, so what was in charge goes on";
                self.record(What::FellBack, format!("{what}: {}", refused.sentence()));
                (Vec::new(), "as before")
            }
        };
        let ready = self.seat_all(&mut ledger);
        self.write(&ledger);
        self.replace(ledger);
        self.install(&ready);
        self.prune();
        let about = self.ledger();
        let current = about
            .active(Tier::Force)
            .and_then(|id| about.revision(id).cloned());
        let note = Note::new(What::Started, why).moves(moves);
        self.audit.write(
            &by,
            match current {
                Some(revision) => note.of(&revision.name).revision(revision.id),
                None => note,
            },
        );
        Ok(())
    }

    /// Makes everybody ready who is active. Who cannot be loaded gives way to who was there before,
    /// and at last to the built-in ranking.
    fn seat_all(&self, ledger: &mut RevisionLedger) -> Ready {
        let mut ready = Ready::new();
        let mut lost: Vec<RevisionId> = Vec::new();
        for tier in Tier::ALL {
            while let Some(id) = ledger.active(tier) {
                if ready.contains_key(&id) {
                    break;
                }
                let known = ledger.revision(id).ok_or(RolloutError::NoSuchRevision(id));
                match known.and_then(|revision| self.ready(revision)) {
                    Ok(policy) => {
                        ready.insert(id, policy);
                        break;
                    }
                    Err(refused) => {
                        if !lost.contains(&id) {
                            lost.push(id);
                            self.lost(ledger, id, &refused);
                        }
                        ledger.give_up(tier);
                    }
                }
            }
        }
        ready
    }

    fn lost(&self, ledger: &RevisionLedger, id: RevisionId, refused: &RolloutError) {
        let what = "it was in charge and cannot be loaded any more, so who was there before is";
        let note = Note::new(What::FellBack, format!("{what}: {}", refused.sentence()));
        let note = match ledger.revision(id) {
            Some(revision) => note.of(&revision.name),
            None => note,
        };
        self.audit.write(&Actor::config(), note.revision(id));
    }

    fn record(&self, what: What, reason: String) {
        tracing::warn!(what = what.name(), reason, "policies");
        self.audit.write(&Actor::config(), Note::new(what, reason));
    }
}

/// Puts the configured revision where it belongs, going by what the configuration said before.
fn follow(
    ledger: &mut RevisionLedger,
    before: Option<&Chosen>,
    now: &Chosen,
) -> (Vec<Move>, &'static str) {
    let same = |before: &&Chosen| {
        before.source == now.source && before.params == now.params && before.limits == now.limits
    };
    match before.filter(same) {
        Some(before) if before.revision == now.revision => (
            Vec::new(),
            "the configuration is as before, so what was in charge goes on",
        ),
        Some(before) => {
            let tiers = ledger.tiers_of(before.revision);
            let moves = ledger.put(&tiers, Some(now.revision));
            (moves, "the configured source has another content")
        }
        None if before.is_none() => {
            let moves = ledger.put(&Tier::ALL, Some(now.revision));
            (moves, "the first start")
        }
        None => {
            let moves = ledger.put(&Tier::ALL, Some(now.revision));
            (moves, "the configuration changed")
        }
    }
}

type Kept = (Store, AuditLog);

fn open(config: &Config, clock: &Clock) -> Result<(Kept, RevisionLedger, Vec<String>), StoreError> {
    let Some(folder) = &config.state_dir else {
        let kept = (Store::in_memory(), AuditLog::in_memory(clock.clone()));
        return Ok((kept, RevisionLedger::default(), Vec::new()));
    };
    let (store, mut found) = Store::open(folder)?;
    let (audit, problems) = AuditLog::open(clock.clone(), folder).map_err(|source| {
        let path = folder.join("audit.jsonl");
        StoreError::Folder { path, source }
    })?;
    found.problems.extend(problems);
    let ledger = found
        .ledger
        .unwrap_or_else(|| RevisionLedger::after(audit.highest_revision()));
    Ok(((store, audit), ledger, found.problems))
}
