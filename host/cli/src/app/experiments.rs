//! Experiments, put together: their arms are the rollout's policies, their notes are its audit log.

use std::sync::Arc;

use super::error::AppError;
use super::policies::Policies;
use crate::config::ProgramConfig;
use wastegate::observe::pseudonym::Pseudonymizer;
use wastegate_control::experiment::definition::{ACTIVE, ArmSpec};
use wastegate_control::experiment::entry::ArmKey;
use wastegate_control::experiment::service::{ExperimentsContext, LOOK_EVERY, Noted};
use wastegate_control::experiment::shadow::ShadowCandidate;
use wastegate_control::experiment::{ArmCandidate, ExperimentHost, Experiments, Shadows};
use wastegate_control::rollout::audit::{Note, What};
use wastegate_control::rollout::source::PolicyName;
use wastegate_control::rollout::{Actor, Rollout};
use wastegate_core::decision::builtin::BuiltIn;
use wastegate_core::decision::{PolicyRef, Ranker};
use wastegate_core::types::{Clock, RevisionId};
use wastegate_engine::policy::breaker::BreakerState;
use wastegate_engine::policy::{Breakers, Policy, PolicyRanker, Runtime};

/// The version of the contract with policies: of the package in `wit/policy.wit`.
const CONTRACT: &str = "1.0.0";

struct Host {
    rollout: Arc<Rollout>,
    runtime: Runtime,
    breakers: Breakers,
    clock: Clock,
    active: Arc<dyn Ranker>,
}

impl Host {
    fn active(&self, fingerprint: String) -> Result<ArmCandidate, String> {
        let active = self.rollout.active_for_admissions();
        let Some(id) = active.into_iter().flatten().next() else {
            return Ok(ArmCandidate {
                about: PolicyRef::builtin(),
                revision: None,
                params: [].into(),
                ranker: Arc::new(BuiltIn),
                fingerprint,
            });
        };
        let policy = self.rollout.arm_of(id, &Default::default());
        let policy = policy.map_err(|refused| refused.sentence())?;
        let ranker = self.active.clone();
        Ok(arm_candidate(&policy, Some(id), ranker, fingerprint))
    }
}

fn arm_candidate(
    policy: &Policy,
    revision: Option<RevisionId>,
    ranker: Arc<dyn Ranker>,
    fingerprint: String,
) -> ArmCandidate {
    ArmCandidate {
        about: policy.about().clone(),
        revision,
        params: policy.params().clone(),
        ranker,
        fingerprint,
    }
}

impl ExperimentHost for Host {
    fn prepare(&self, arm: &ArmSpec, before: Option<&ArmKey>) -> Result<ArmCandidate, String> {
        let fingerprint = self.fingerprint(arm);
        if arm.policy == ACTIVE {
            if !arm.params.is_empty() {
                return Err(
                    "the champion is the active policy, with its own parameters: name the policy to give it others".to_owned(),
                );
            }
            return self.active(fingerprint);
        }
        let name = PolicyName::new(&arm.policy).map_err(|error| error.to_string())?;
        let kept = before.and_then(|before| self.rollout.taken_in(&before.digest, before.revision));
        let revision = kept.or_else(|| self.rollout.meant(&name));
        let policy = match revision {
            Some(id) => self.rollout.arm_of(id, &arm.params),
            None => self.rollout.arm(&name, &arm.params),
        };
        let policy = policy.map_err(|refused| refused.sentence())?;
        let fingerprint = kept.map_or(fingerprint, |id| id.to_string());
        let ranker = PolicyRanker::fixed(self.runtime.clone(), policy.clone());
        Ok(arm_candidate(
            &policy,
            revision,
            Arc::new(ranker),
            fingerprint,
        ))
    }

    fn candidate(&self, arm: &ArmSpec) -> Result<ShadowCandidate, String> {
        let name = PolicyName::new(&arm.policy).map_err(|error| error.to_string())?;
        let policy = self.rollout.arm(&name, &arm.params);
        let policy = policy.map_err(|refused| refused.sentence())?;
        Ok(ShadowCandidate {
            about: policy.about().clone(),
            params: policy.params().clone(),
            // Within its own fuel, past the breakers: a shadow that fails must not quarantine the
            // same code where it decides.
            ask: Arc::new(move |question| policy.answer(None, question).0),
        })
    }

    fn fingerprint(&self, arm: &ArmSpec) -> String {
        if arm.policy == ACTIVE {
            return format!("{:?}", self.rollout.active_for_admissions());
        }
        let name = PolicyName::new(&arm.policy).ok();
        let meant = name.and_then(|name| self.rollout.meant(&name));
        meant.map_or_else(|| "shipped".to_owned(), |id| id.to_string())
    }

    fn quarantined(&self, digest: &str) -> Option<String> {
        let standing = self.breakers.standing(digest, self.clock.now());
        if standing == BreakerState::Closed {
            return None;
        }
        let change = self.breakers.last_change(digest);
        Some(change.map_or_else(
            || "it keeps failing".to_owned(),
            |change| change.why.to_string(),
        ))
    }

    fn contract(&self) -> String {
        CONTRACT.to_owned()
    }

    fn note(&self, by: &str, what: Noted, name: &str, reason: &str) {
        let about = match what {
            Noted::ShadowStarted | Noted::ShadowStopped => "shadow",
            _ => "experiment",
        };
        let what = match what {
            Noted::Started => What::ExperimentStarted,
            Noted::Covered => What::ExperimentCovered,
            Noted::RolledBack => What::ExperimentRolledBack,
            Noted::Stopped => What::ExperimentStopped,
            Noted::ShadowStarted => What::ShadowStarted,
            Noted::ShadowStopped => What::ShadowStopped,
        };
        let note = Note::new(what, format!("{about} `{name}`: {reason}"));
        self.rollout.audit().write(&Actor::recorded(by), note);
    }
}

/// The experiments that the state directory remembers, without one in memory; and no shadows yet.
pub(super) async fn open(
    config: &ProgramConfig,
    policies: &Policies,
    clock: &Clock,
    pseudonyms: &Pseudonymizer,
) -> Result<(Arc<Experiments>, Arc<Shadows>), AppError> {
    let host = Arc::new(Host {
        rollout: policies.rollout.clone(),
        runtime: policies.runtime.clone(),
        breakers: policies.breakers.clone(),
        clock: clock.clone(),
        active: policies.ranker.clone(),
    });
    let shadows = Shadows::new(host.clone(), clock.clone());
    let given = ExperimentsContext {
        host,
        clock: clock.clone(),
        pseudonyms: pseudonyms.clone(),
        node: config.server.node.clone(),
        cap: config.limits.managers_per_user,
    };
    let Some(folder) = config.rollout.state_dir.clone() else {
        return Ok((Experiments::in_memory(given), shadows));
    };
    let path = folder.clone();
    let opened = tokio::task::spawn_blocking(move || Experiments::open(given, &folder)).await;
    let opened = opened.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    let (experiments, problems) = opened.map_err(|source| AppError::State { path, source })?;
    for problem in problems {
        tracing::warn!(problem, "experiments' ledger");
    }
    Ok((experiments, shadows))
}

/// Looks at experiments, for ever. To be kept running by a supervisor.
pub(super) async fn watch(experiments: Arc<Experiments>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        look(&experiments).await;
    }
}

/// Looks once, where blocking hurts nobody.
pub(super) async fn look(experiments: &Arc<Experiments>) {
    let experiments = experiments.clone();
    let looked = tokio::task::spawn_blocking(move || experiments.look()).await;
    if looked.is_err() {
        tracing::error!("a look at the experiments panicked; the next one comes");
    }
}
