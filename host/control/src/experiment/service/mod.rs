//! The one who keeps experiments: starts and stops them, exposes users, hears what happened to them,
//! and rolls back what does harm.
//!
//! Starting, stopping and looking block (compilers, disks) and belong on threads that may; exposing and
//! hearing are on the way of decisions and take a look-up, and one write for a user's first trigger.

mod change;
mod hear;
mod look;
mod open;
mod roster;
mod view;

use std::sync::Arc;

use parking_lot::Mutex;

pub use look::LOOK_EVERY;
pub use view::{ExperimentList, ExperimentView, RenewAnswer};

use self::roster::Roster;
use super::definition::ArmSpec;
use super::entry::ArmKey;
use super::error::ExperimentError;
use super::ledger::ExperimentLedger;
use super::past::Pasts;
use super::running::{ArmRanker, Moment, Running, Unit};
use super::shadow::ShadowCandidate;
use wastegate::observe::pseudonym::Pseudonymizer;
use wastegate_core::decision::{PolicyRef, Question, Ranker};
use wastegate_core::types::{Clock, RevisionId, UserId};

/// Who the audit log has where no operator asked for what was done.
const GUARD: &str = "guard";

/// What an experiment needs of the gateway: policies made ready, news of their failures, the audit log.
pub trait ExperimentHost: Send + Sync + 'static {
    /// Makes an arm ready: from what it was made of before, where that is still kept, else from what its
    /// policy's name means now. Blocks.
    ///
    /// # Errors
    /// Why it cannot be, in a sentence.
    fn prepare(&self, arm: &ArmSpec, before: Option<&ArmKey>) -> Result<ArmCandidate, String>;

    /// Makes a shadow's policy ready: to be asked, and nothing else. Blocks.
    ///
    /// # Errors
    /// As [`ExperimentHost::prepare`].
    fn candidate(&self, arm: &ArmSpec) -> Result<ShadowCandidate, String>;

    /// What [`ExperimentHost::prepare`] would make it from now, were it made anew; cheap.
    fn fingerprint(&self, arm: &ArmSpec) -> String;

    /// Why a policy is left alone, if it is.
    fn quarantined(&self, digest: &str) -> Option<String>;

    /// The version of the contract with policies.
    fn contract(&self) -> String;

    /// Puts a line into the audit log. Blocks.
    fn note(&self, by: &str, what: Noted, experiment: &str, reason: &str);
}

/// What the audit log is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// An experiment, or a new phase of it, began.
    Started,
    /// It takes in more users.
    Covered,
    /// It was found to do harm.
    RolledBack,
    /// It was stopped.
    Stopped,
    /// A shadow began.
    ShadowStarted,
    /// A shadow was stopped.
    ShadowStopped,
}

/// An arm that is ready.
#[derive(Clone)]
pub struct ArmCandidate {
    /// Which code it is.
    pub about: PolicyRef,
    /// As which revision, where it is one.
    pub revision: Option<RevisionId>,
    /// The values of the policy's parameters, in its order.
    pub params: Arc<[f64]>,
    /// The ranker that answers for users of this arm.
    pub ranker: Arc<dyn Ranker>,
    /// What it was made from.
    pub fingerprint: String,
}

/// Where and how experiments are kept.
pub struct ExperimentsContext {
    /// What experiments need of the gateway.
    pub host: Arc<dyn ExperimentHost>,
    /// Where moments come from.
    pub clock: Clock,
    /// How users are named in the ledger.
    pub pseudonyms: Pseudonymizer,
    /// This node's name (`server.node_id`).
    pub node: String,
    /// Managers that a user may hold: a part of what is compared.
    pub cap: u32,
}

/// All experiments. Share it as an `Arc`.
pub struct Experiments {
    given: ExperimentsContext,
    /// Held while lines are written; never while anything else waits.
    ledger: Mutex<ExperimentLedger>,
    roster: Roster,
    /// What users did, whether they are in an experiment or not; the last lock of the room, held for a look-up.
    pasts: Mutex<Pasts>,
}

impl std::fmt::Debug for Experiments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Experiments").finish_non_exhaustive()
    }
}

impl Experiments {
    /// The arm of a user who needs room, if the user is in an experiment: after the exposure is
    /// written down.
    pub(super) fn expose(&self, user: &UserId, question: &Question) -> Option<ArmRanker> {
        let live = self.roster.live();
        if live.is_empty() {
            return None;
        }
        let moment = Moment {
            unix_ms: self.given.clock.unix_ms(question.now),
            node: &self.given.node,
            ledger: &self.ledger,
            pasts: &self.pasts,
        };
        let expose = |running: &Arc<Running>| {
            let unit = self.unit(running, user, moment.unix_ms)?;
            running.expose(unit, question, &moment)
        };
        // Who is held meets no other experiment.
        let holdout = live.iter().find(|it| it.is_holdout).and_then(expose);
        if holdout.as_ref().is_some_and(|arm| arm.ranker.is_some()) {
            return holdout;
        }
        let mut others = live.iter().filter(|it| !it.is_holdout);
        others.find_map(expose).or(holdout)
    }

    /// Who falls into an arm when something happens to a user: the user, or the window of that moment.
    fn unit(&self, running: &Running, user: &UserId, unix_ms: u64) -> Option<Unit> {
        let (name, window) = match running.switchback {
            None => (user.clone(), None),
            Some(switchback) => {
                let window = switchback.window(unix_ms)?;
                // Nodes take turns of their own, so that a busy hour is not one arm's everywhere.
                let name = format!("{}/{}", self.given.node, window.number);
                (UserId::new(&name).ok()?, Some(window))
            }
        };
        Some(Unit {
            id: self.given.pseudonyms.user(&name),
            name,
            window,
        })
    }

    fn unix_ms(&self) -> u64 {
        self.given.clock.unix_ms(self.given.clock.now())
    }

    fn named(&self, name: &str) -> Result<Arc<Running>, ExperimentError> {
        let named = self.roster.named(name);
        named.ok_or_else(|| ExperimentError::NoSuch(name.to_owned()))
    }
}

#[cfg(test)]
mod tests;
