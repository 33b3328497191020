//! A start: what was active before goes on, unless the configuration changed.
//!
//! What is configured and what operators did live in two places, and one of them has to give way.
//! As long as the configuration says what it said at the last start, the operators' changes stand.
//! Once it says something else, that becomes a revision and is activated. If only the content of
//! the same source changed, the new content takes the place of the old one wherever that is still
//! charge, or went by a rollback. A source that says what it said last changes nothing: an operator may
//! have gone back from that. If the source is away or its content is refused, what was active goes
//! on; if nothing ever was, the built-in ranking is, unless `policy.start` says otherwise. Either way
//! log and audit log report it, and a source that is watched brings it later (`awaited`).

use std::sync::Arc;

use super::awaited::{Awaited, InItsPlace};
use super::follow::{follow, open_to};
use super::load::{Engines, Ready};
use super::{Rollout, SettingsSource};
use crate::rollout::actor::Actor;
use crate::rollout::audit::{AuditLog, Note, What};
use crate::rollout::config::{Config, WithoutPolicy};
use crate::rollout::error::RolloutError;
use crate::rollout::ledger::{Chosen, RevisionLedger, Watched};
use crate::rollout::source::{self, Fetched, PolicyName, PolicyOrigin};
use crate::rollout::store::{Store, StoreError};
use wastegate_core::types::{Clock, Limits, RevisionId, Tier};
use wastegate_engine::policy::{LoadError, Params, load};

/// What the configuration asks for.
#[derive(Debug)]
pub struct ConfiguredPolicy {
    /// The source in words, such as `shipped lru`: another one is another choice.
    pub source: String,
    /// What the source brought, or why it did not, with what to do about it.
    pub fetched: Result<Fetched, String>,
    /// The source that is watched, and as what it would bring the policy later; none if nobody looks
    /// again, so that what is missing is a mistake of the configuration.
    pub watched: Option<(Watched, PolicyName)>,
    /// Why `fetched` is the policy that the host ships and not the one that the watched directory was to
    /// have; none if that is not so.
    pub instead: Option<String>,
    /// The values of the policy's parameters.
    pub params: Params,
    /// The limits that replace the node's for this policy.
    pub limits: Limits,
}

/// What the configuration says of a policy besides its bytes.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) source: String,
    pub(super) params: Params,
    pub(super) limits: Limits,
}

impl Wanted {
    /// With the revision that it became.
    pub(super) fn chosen(&self, revision: RevisionId) -> Chosen {
        let Self {
            source,
            params,
            limits,
        } = self.clone();
        Chosen {
            source,
            params,
            limits,
            revision,
        }
    }
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
            watched,
            instead,
            params,
            limits,
        } = choice;
        let wanted = Wanted {
            source,
            params,
            limits,
        };
        let fetched = match (fetched, instead) {
            (Ok(shipped), Some(away)) if self.had_of_directory(&wanted.source, &shipped.name) => {
                Err(away)
            }
            (fetched, _) => fetched,
        };
        let by = Actor::config();
        let taken = match &fetched {
            Ok(fetched) => self.configured(fetched, &wanted),
            Err(away) => Err(RolloutError::Source(away.clone())),
        };
        let _one_at_a_time = self.changing.lock();
        let mut ledger = RevisionLedger::clone(&self.ledger());
        let (moves, why) = match (taken, fetched) {
            (Ok(revision), Ok(fetched)) => {
                let tiers = open_to(&ledger);
                follow(
                    &mut ledger,
                    wanted.chosen(revision),
                    &fetched.origin,
                    &tiers,
                )
            }
            (Err(refused), _) => {
                let why = self.go_without(&ledger, wanted, watched, refused)?;
                (Vec::new(), why)
            }
            // What was not fetched was not taken.
            (Ok(_), Err(_)) => (Vec::new(), "as before"),
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

    /// Takes in what the configured source brought.
    fn configured(&self, fetched: &Fetched, wanted: &Wanted) -> Result<RevisionId, RolloutError> {
        let settings = SettingsSource::These {
            params: wanted.params.clone(),
            limits: wanted.limits,
        };
        let taken = self.take_in(fetched, settings, &Actor::config());
        let (revision, _) = taken.inspect_err(|refused| self.remember_refused(fetched, refused))?;
        Ok(revision)
    }

    /// Remembers what a file was refused for, so that it is not loaded again when a source brings it next.
    pub(super) fn remember_refused(&self, fetched: &Fetched, refused: &RolloutError) {
        if let RolloutError::Load(error) = refused {
            let digest = load::digest(&fetched.bytes);
            self.refused_before
                .remember(digest, error, &refused.sentence());
        }
    }

    /// Whether what was configured before came from the watched directory, so that the one which the host
    /// ships under the same name is another policy.
    fn had_of_directory(&self, source: &str, name: &PolicyName) -> bool {
        let ledger = self.ledger();
        let chosen = ledger.chosen().filter(|chosen| chosen.source == source);
        let chosen = chosen.and_then(|chosen| ledger.revision(chosen.revision));
        ledger.reported(Watched::Directory, name).is_some()
            || chosen.is_some_and(|chosen| matches!(chosen.origin, PolicyOrigin::Directory(_)))
    }

    /// Goes on with what there is, for want of what is configured; why, in a few words.
    fn go_without(
        &self,
        ledger: &RevisionLedger,
        wanted: Wanted,
        watched: Option<(Watched, PolicyName)>,
        refused: RolloutError,
    ) -> Result<&'static str, RolloutError> {
        let was_any = ledger.chosen().is_some() || ledger.untouched().len() < Tier::ALL.len();
        let in_its_place = if was_any {
            InItsPlace::Before
        } else {
            InItsPlace::BuiltIn
        };
        let starts = self.config.start == WithoutPolicy::BuiltIn && !is_mistaken(&refused);
        let what = match (in_its_place, &watched) {
            (InItsPlace::Before, _) => {
                "what is configured cannot be used, so the policy that was active goes on"
            }
            (InItsPlace::BuiltIn, Some(_)) if starts => {
                "what is configured cannot be used, so the built-in ranking is active until it can"
            }
            (InItsPlace::BuiltIn, _) => return Err(refused),
        };
        let why = refused.sentence();
        self.record(What::FellBack, format!("{what}: {why}"));
        *self.awaited.lock() = watched.map(|by| Awaited {
            wanted,
            by,
            why,
            in_its_place,
            tiers: open_to(ledger),
        });
        Ok(match in_its_place {
            InItsPlace::Before => "as before",
            InItsPlace::BuiltIn => "without the configured policy",
        })
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
        let what = "it was active and cannot be loaded any more, so the one before it is";
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

/// Whether something was refused for what the operator has set: no other content of the source mends that.
fn is_mistaken(refused: &RolloutError) -> bool {
    matches!(
        refused,
        RolloutError::Load(LoadError::Parameters(_) | LoadError::Limits(_))
            | RolloutError::Limits(_)
    )
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
