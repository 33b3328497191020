//! What operators see: worked out from where everything is at that moment, and stored nowhere.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Awaits, Rollout, UnderWay};
use crate::rollout::ledger::RevisionLedger;
use crate::rollout::revision::Revision;
use crate::rollout::source::{Fetched, PolicyName};
use crate::rollout::{RolloutError, StoreError};
use wastegate_core::types::{RevisionId, Tier};
use wastegate_engine::policy::breaker::{BreakerChange, BreakerState};
use wastegate_engine::policy::log::Recent;
use wastegate_engine::policy::{Policy, TestCase, shipped};

/// Where a revision is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RevisionState {
    /// Accepted; its bytes are kept and nothing of it is compiled.
    Checked,
    /// Its bytes are compiled for another revision; only its settings have to be tried.
    Compiled,
    /// Ready to answer at once.
    Warm,
    /// Kept failing, and is tried out in shadow: its answers decide nothing but whether it may
    /// answer again.
    Shadow,
    /// It is active at one tier at least.
    Active,
    /// Was active once and is not any more.
    Retired,
    /// Kept failing and is left alone.
    Quarantined,
}

/// A revision as it stands.
#[derive(Debug, Clone)]
pub struct RevisionView {
    /// The revision with its parameters and limits.
    pub revision: Revision,
    /// Where it is in its life.
    pub state: RevisionState,
    /// Why it is there, in a sentence.
    pub reason: String,
    /// The tiers at which it is active.
    pub active_at: Vec<Tier>,
    /// The tiers at which it is the fallback of the active one.
    pub standing_in_at: Vec<Tier>,
    /// Whether it could answer at once.
    pub is_warm: bool,
}

/// A policy with its revisions.
#[derive(Debug, Clone)]
pub struct PolicyView {
    /// The policy's name.
    pub name: PolicyName,
    /// What is kept of it, newest first.
    pub revisions: Vec<RevisionView>,
    /// The program of its current revision, if it is ready: what it says of itself, what it costs.
    pub policy: Option<Arc<Policy>>,
}

/// Who answers at a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeatView {
    /// The tier of cleanup that the seat answers.
    pub tier: Tier,
    /// The active policy; none for the built-in ranking.
    pub active: Option<RevisionId>,
    /// The fallback; none for the built-in ranking.
    pub fallback: Option<RevisionId>,
    /// Who answers at this moment: one of the two, or none for the built-in ranking.
    pub answering: Option<RevisionId>,
}

/// Everything at one moment.
#[derive(Debug, Clone)]
pub struct Status {
    /// Who answers, tier by tier.
    pub seats: Vec<SeatView>,
    /// Every policy with its revisions, by name.
    pub policies: Vec<PolicyView>,
    /// What is on its way to being a revision, oldest first.
    pub under_way: Vec<UnderWay>,
    /// Policies that the host ships and that were not requested yet.
    pub shipped: Vec<&'static str>,
    /// Whether changes survive a restart.
    pub is_durable: bool,
    /// What is configured and was not to be had, if anything.
    pub awaits: Option<Awaits>,
}

impl Rollout {
    /// Everything at one moment.
    #[must_use]
    pub fn status(&self) -> Status {
        let ledger = self.ledger();
        let mut names: Vec<&PolicyName> = ledger.revisions().map(|known| &known.name).collect();
        names.sort();
        names.dedup();
        let shipped = shipped::names();
        let unknown = |name: &&str| names.iter().all(|known| known.as_str() != *name);
        Status {
            seats: self.seats(&ledger),
            shipped: shipped.filter(unknown).collect(),
            policies: names
                .into_iter()
                .map(|name| self.policy_view(&ledger, name))
                .collect(),
            under_way: self.under_way.all(),
            is_durable: self.store.is_durable(),
            awaits: self.awaits(),
        }
    }

    /// A policy with its revisions.
    ///
    /// # Errors
    /// [`RolloutError::NoSuchPolicy`].
    pub fn history(&self, name: &PolicyName) -> Result<PolicyView, RolloutError> {
        let ledger = self.ledger();
        let view = self.policy_view(&ledger, name);
        if view.revisions.is_empty() && Fetched::shipped(name).is_none() {
            return Err(self.no_such(name));
        }
        Ok(view)
    }

    /// One revision.
    ///
    /// # Errors
    /// [`RolloutError::NoSuchRevision`].
    pub fn revision(&self, id: RevisionId) -> Result<RevisionView, RolloutError> {
        let ledger = self.ledger();
        let revision = ledger
            .revision(id)
            .ok_or(RolloutError::NoSuchRevision(id))?;
        Ok(self.view(&ledger, revision))
    }

    /// A revision's bytes.
    ///
    /// # Errors
    /// [`RolloutError`] when there is no such revision, or its bytes are gone.
    pub async fn bytes(self: &Arc<Self>, id: RevisionId) -> Result<Arc<[u8]>, RolloutError> {
        let digest = self.revision(id)?.revision.digest;
        let this = self.clone();
        let read = tokio::task::spawn_blocking(move || this.store.bytes(&digest));
        read.await
            .unwrap_or_else(|_| Err(StoreError::Gone(id.to_string())))
            .map_err(RolloutError::Store)
    }

    /// The inputs on which a revision's bytes failed lately, the newest first.
    ///
    /// # Errors
    /// [`RolloutError::NoSuchRevision`].
    pub fn faults(&self, id: RevisionId) -> Result<Vec<Arc<TestCase>>, RolloutError> {
        let digest = self.revision(id)?.revision.digest;
        Ok(self.engines.breakers.faults(&digest))
    }

    /// What a revision logged lately.
    ///
    /// # Errors
    /// [`RolloutError::NoSuchRevision`].
    pub fn log(&self, id: RevisionId) -> Result<Recent, RolloutError> {
        let _known = self.revision(id)?;
        Ok(self.engines.catalog.engine().log().recent(id))
    }

    /// Who answers at every tier by a ledger.
    pub(super) fn seats(&self, ledger: &RevisionLedger) -> Vec<SeatView> {
        let answers = |id: &RevisionId| {
            let standing = ledger.revision(*id).map(|known| self.standing(known));
            standing == Some(BreakerState::Closed)
        };
        let seat = |tier: Tier| {
            let (active, fallback) = (ledger.active(tier), ledger.fallback(tier));
            SeatView {
                tier,
                active,
                fallback,
                answering: [active, fallback].into_iter().flatten().find(answers),
            }
        };
        Tier::ALL.into_iter().map(seat).collect()
    }

    fn policy_view(&self, ledger: &RevisionLedger, name: &PolicyName) -> PolicyView {
        let own = ledger.revisions().rev().filter(|known| known.name == *name);
        let current = super::change::current(ledger, name);
        PolicyView {
            name: name.clone(),
            revisions: own.map(|revision| self.view(ledger, revision)).collect(),
            policy: current.and_then(|revision| self.at_hand(revision.id)),
        }
    }

    fn view(&self, ledger: &RevisionLedger, revision: &Revision) -> RevisionView {
        let id = revision.id;
        let active_at = ledger.tiers_of(id);
        let standing_in_at = ledger.standing_in(id);
        let is_warm = self.at_hand(id).is_some();
        let change = self.engines.breakers.last_change(&revision.digest);
        let (state, reason) = match self.standing(revision) {
            BreakerState::Open => (RevisionState::Quarantined, failed(change)),
            BreakerState::HalfOpen if active_at.is_empty() && standing_in_at.is_empty() => (
                RevisionState::Quarantined,
                format!(
                    "{}; it is tried again once it sits in a seat",
                    failed(change)
                ),
            ),
            BreakerState::HalfOpen => (RevisionState::Shadow, failed(change)),
            BreakerState::Closed if !active_at.is_empty() => (
                RevisionState::Active,
                format!("answers at {}", tiers(&active_at)),
            ),
            BreakerState::Closed if !standing_in_at.is_empty() => (
                RevisionState::Warm,
                format!("fallback at {}", tiers(&standing_in_at)),
            ),
            BreakerState::Closed if ledger.has_served(id) => {
                (RevisionState::Retired, ready_or_not(is_warm).to_owned())
            }
            BreakerState::Closed if is_warm => (RevisionState::Warm, ready_or_not(true).to_owned()),
            BreakerState::Closed if self.is_compiled(&revision.digest) => (
                RevisionState::Compiled,
                "its bytes are compiled for another revision".to_owned(),
            ),
            BreakerState::Closed => (RevisionState::Checked, ready_or_not(false).to_owned()),
        };
        RevisionView {
            revision: revision.clone(),
            state,
            reason,
            active_at,
            standing_in_at,
            is_warm,
        }
    }

    pub(super) fn standing(&self, revision: &Revision) -> BreakerState {
        let now = self.clock.now();
        self.engines.breakers.standing(&revision.digest, now)
    }
}

fn failed(change: Option<BreakerChange>) -> String {
    change.map_or_else(|| "it kept failing".to_owned(), |change| change.why)
}

const fn ready_or_not(is_warm: bool) -> &'static str {
    if is_warm {
        "ready to answer at once"
    } else {
        "loaded again when it is activated"
    }
}

/// Tiers in words.
fn tiers(tiers: &[Tier]) -> String {
    if tiers.len() == Tier::ALL.len() {
        return "every tier".to_owned();
    }
    let names: Vec<&str> = tiers.iter().map(|tier| tier.name()).collect();
    names.join(", ")
}
