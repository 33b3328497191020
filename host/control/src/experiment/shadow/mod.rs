//! Policies that rank beside the active one, and never act.
//!
//! After a question has been answered, a sample of such questions goes to each shadow with the answer:
//! a frozen snapshot, into a bounded queue, to a thread of the shadow's own. What does not fit is
//! dropped and counted. A shadow is handed a question and gives back a ranking; it holds nothing that
//! could evict, and nobody waits for it.

mod agreement;
mod disagreement;
mod view;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use view::{ShadowList, ShadowView};
pub use {
    agreement::Agreed,
    disagreement::{Outcomes, ShadowChoice, ShadowDisagreement},
};

use self::worker::{Findings, Task};
use super::definition::{ArmSpec, NAME_CHARS_MAX};
use super::service::{ExperimentHost, Noted};
use wastegate_core::decision::{Answer, PolicyRef, Question, Ranked, Ranker, VictimOutcome};
use wastegate_core::stats::random_draw::unit;
use wastegate_core::types::{Clock, ManagerId, ManagerKey, Scope, SplitMix64, Timestamp, UserId};

/// Shadows that may run at once.
pub const SHADOWS_MAX: usize = 8;
/// Questions that may wait for one shadow.
pub const QUEUE_MAX: usize = 256;

/// A shadow as the operator defines it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "policy": "revisit", "sample": 0.1 }))]
pub struct ShadowSpec {
    /// Its name; without one the policy's.
    #[serde(default)]
    pub name: String,
    /// A policy that the server knows.
    pub policy: String,
    /// Parameters that are set, besides those that the policy has on this server.
    #[serde(default)]
    pub params: BTreeMap<String, f64>,
    /// The share of decisions that it sees, in (0, 1]. Default 1.
    #[serde(default = "all")]
    pub sample: f64,
}

const fn all() -> f64 {
    1.0
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ShadowRefused {
    /// A name that paths and labels cannot hold.
    #[error("`name` is `{0}`: use 1 to {NAME_CHARS_MAX} of a to z, 0 to 9 and `-`")]
    Name(String),
    /// A sample that is no share.
    #[error(
        "`sample` is {0}: give the share of decisions that the shadow sees, above 0 and at most 1"
    )]
    Sample(f64),
    /// A shadow of that name runs.
    #[error("there is a shadow `{0}` already: give this one another `name`, or stop the other")]
    Exists(String),
    /// As many shadows run as may.
    #[error("{SHADOWS_MAX} shadows run already: stop one first")]
    TooMany,
    /// No such policy, or one that cannot be made ready.
    #[error("the shadow's policy cannot be made ready: {0}")]
    Policy(String),
    /// No thread for it.
    #[error("the system has no thread for a shadow: {0}")]
    Thread(std::io::Error),
    /// None of that name.
    #[error("there is no shadow `{0}`: `wastegate shadow status` shows those there are")]
    NoSuch(String),
}

/// What gives a shadow's ranking: no more than that.
pub type Ask = Arc<dyn Fn(&Question) -> Ranked + Send + Sync>;

/// A policy that can be asked and whose answer changes nothing.
#[derive(Clone)]
pub struct ShadowCandidate {
    /// Which code it is.
    pub about: PolicyRef,
    /// The values of the policy's parameters, in its order.
    pub params: Arc<[f64]>,
    /// Gives its ranking.
    pub ask: Ask,
}

/// All shadows. Share it as an `Arc`.
pub struct Shadows {
    host: Arc<dyn ExperimentHost>,
    clock: Clock,
    live: ArcSwap<Vec<Arc<Shadow>>>,
    /// One change at a time; held on threads that may block only.
    changing: Mutex<()>,
}

impl std::fmt::Debug for Shadows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shadows").finish_non_exhaustive()
    }
}

/// One of them.
struct Shadow {
    spec: ShadowSpec,
    about: PolicyRef,
    params: Arc<[f64]>,
    since: Timestamp,
    by: String,
    /// Gone when it is stopped, which ends its thread.
    queue: SyncSender<Task>,
    seen: AtomicU64,
    dropped: AtomicU64,
    findings: Arc<Mutex<Findings>>,
}

impl Shadows {
    /// No shadow runs at first.
    #[must_use]
    pub fn new(host: Arc<dyn ExperimentHost>, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            host,
            clock,
            live: ArcSwap::default(),
            changing: Mutex::default(),
        })
    }

    /// Starts one. Blocks: its policy is made ready first.
    ///
    /// # Errors
    /// [`ShadowRefused`] with what to mend.
    pub fn start(&self, mut spec: ShadowSpec, by: &str) -> Result<(), ShadowRefused> {
        if spec.name.is_empty() {
            spec.name.clone_from(&spec.policy);
        }
        if !super::definition::is_name(&spec.name) {
            return Err(ShadowRefused::Name(spec.name));
        }
        if !(spec.sample > 0.0 && spec.sample <= 1.0) {
            return Err(ShadowRefused::Sample(spec.sample));
        }
        let _one_at_a_time = self.changing.lock();
        let live = self.live.load_full();
        if live.iter().any(|shadow| shadow.spec.name == spec.name) {
            return Err(ShadowRefused::Exists(spec.name));
        }
        if live.len() >= SHADOWS_MAX {
            return Err(ShadowRefused::TooMany);
        }
        let arm = ArmSpec {
            name: spec.name.clone(),
            policy: spec.policy.clone(),
            params: spec.params.clone(),
            weight: None,
            explore: None,
        };
        let candidate = self.host.candidate(&arm).map_err(ShadowRefused::Policy)?;
        let (queue, questions) = sync_channel(QUEUE_MAX);
        let findings = Arc::new(Mutex::new(Findings::default()));
        worker::spawn(candidate.ask, questions, findings.clone()).map_err(ShadowRefused::Thread)?;
        let shadow = Shadow {
            about: candidate.about,
            params: candidate.params,
            since: self.clock.now(),
            by: by.to_owned(),
            queue,
            seen: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            findings,
            spec,
        };
        let reason = format!("sees {} % of decisions", shadow.spec.sample * 100.0);
        self.host
            .note(by, Noted::ShadowStarted, &shadow.spec.name, &reason);
        let mut shadows = live.to_vec();
        shadows.push(Arc::new(shadow));
        self.live.store(Arc::new(shadows));
        Ok(())
    }

    /// Stops one; the last view of it is the answer. Blocks.
    ///
    /// # Errors
    /// [`ShadowRefused::NoSuch`].
    pub fn stop(&self, name: &str, by: &str) -> Result<ShadowView, ShadowRefused> {
        let _one_at_a_time = self.changing.lock();
        let view = self.view(name)?;
        let live = self.live.load_full();
        let others = live
            .iter()
            .filter(|shadow| shadow.spec.name != name)
            .cloned();
        self.live.store(Arc::new(others.collect()));
        self.host.note(by, Noted::ShadowStopped, name, "");
        Ok(view)
    }

    /// What became of a victim is known.
    pub fn ended(&self, manager: ManagerId, outcome: VictimOutcome) {
        let echoed = match outcome {
            VictimOutcome::Echoed { .. } => true,
            VictimOutcome::Gone | VictimOutcome::Aborted => false,
            VictimOutcome::Spared
            | VictimOutcome::Elsewhere
            | VictimOutcome::Released
            | VictimOutcome::Undecided => return,
        };
        for shadow in self.live.load().iter() {
            shadow.findings.lock().disagreements.ended(manager, echoed);
        }
    }

    /// A user wanted a victim back.
    pub fn returned(&self, user: &UserId, key: &ManagerKey, away_ms: u64) {
        for shadow in self.live.load().iter() {
            shadow
                .findings
                .lock()
                .disagreements
                .returned(user, key, away_ms);
        }
    }

    fn offer(&self, question: &Arc<Question>, answer: &Ranked) {
        for shadow in self.live.load().iter() {
            shadow.offer(question, answer);
        }
    }
}

impl Shadow {
    /// Drawn by the decision's own seed, so that a replay draws the same.
    fn offer(&self, question: &Arc<Question>, answer: &Ranked) {
        self.seen.fetch_add(1, Ordering::Relaxed);
        let lot = unit(SplitMix64::nth(question.seed, 1));
        if lot >= self.spec.sample {
            return;
        }
        let task = Task {
            question: question.clone(),
            answer: answer.clone(),
        };
        match self.queue.try_send(task) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Lets shadows see what was answered.
pub struct Shadowed {
    shadows: Arc<Shadows>,
    inner: Arc<dyn Ranker>,
}

impl Shadowed {
    /// No shadow runs at first.
    #[must_use]
    pub fn new(shadows: Arc<Shadows>, inner: Arc<dyn Ranker>) -> Self {
        Self { shadows, inner }
    }
}

impl Ranker for Shadowed {
    fn rank(&self, question: &Arc<Question>) -> Answer {
        let answer = self.inner.rank(question);
        // Node-wide calls are large: a second one of each would cost what the node is short of.
        if self.shadows.live.load().is_empty() || question.scope == Scope::Node {
            return answer;
        }
        match answer {
            Answer::Ready(ranked) => {
                self.shadows.offer(question, &ranked);
                Answer::Ready(ranked)
            }
            Answer::Pending(answer) => {
                let (shadows, question) = (self.shadows.clone(), question.clone());
                Answer::Pending(Box::pin(async move {
                    let ranked = answer.await;
                    shadows.offer(&question, &ranked);
                    ranked
                }))
            }
        }
    }
}

/// How long the outcome of a disagreement is waited for.
pub(super) const OUTCOME_WITHIN: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests;
