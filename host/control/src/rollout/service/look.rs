//! What operators see: worked out from where everything is at that moment, and stored nowhere.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Rollout, UnderWay};
use crate::rollout::ledger::Ledger;
use crate::rollout::revision::Revision;
use crate::rollout::source::{Fetched, PolicyName};
use crate::rollout::{Refused, StoreError};
use wastegate_core::types::{RevisionId, Tier};
use wastegate_engine::policy::breaker::{Change, Standing};
use wastegate_engine::policy::log::Recent;
use wastegate_engine::policy::{Policy, TestCase, shipped};

/// Where a revision is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Accepted; its bytes are kept and nothing of it is compiled.
    Checked,
    /// Its bytes are compiled for another revision; only its settings have to be tried.
    Compiled,
    /// Ready to answer at once.
    Warm,
    /// Kept failing, and is tried out in shadow: its answers decide nothing but whether it may
    /// answer again.
    Shadow,
    /// Answers.
    Active,
    /// Was in charge once and is not any more.
    Retired,
    /// Kept failing and is left alone.
    Quarantined,
}

/// A revision as it stands.
#[derive(Debug, Clone)]
pub struct RevisionView {
    /// What it is.
    pub revision: Revision,
    /// Where it is in its life.
    pub state: State,
    /// Why it is there, in a sentence.
    pub reason: String,
    /// The tiers at which it is in charge.
    pub active_at: Vec<Tier>,
    /// The tiers at which it stands in for the one in charge.
    pub standing_in_at: Vec<Tier>,
    /// Whether it could answer at once.
    pub is_warm: bool,
}

/// A policy with its revisions.
#[derive(Debug, Clone)]
pub struct PolicyView {
    /// Its name.
    pub name: PolicyName,
    /// What is kept of it, newest first.
    pub revisions: Vec<RevisionView>,
    /// The program of its current revision, if it is ready: what it says of itself, what it costs.
    pub policy: Option<Arc<Policy>>,
}

/// Who answers at a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeatView {
    /// Which tier.
    pub tier: Tier,
    /// Who is in charge; none for the built-in ranking.
    pub active: Option<RevisionId>,
    /// Who stands in; none for the built-in ranking.
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
    /// Policies that the host ships and nobody has asked for yet.
    pub shipped: Vec<&'static str>,
    /// Whether changes survive a restart.
    pub is_durable: bool,
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
            under_way: self.under_way.lock().values().cloned().collect(),
            is_durable: self.store.is_durable(),
        }
    }

    /// A policy with its revisions.
    ///
    /// # Errors
    /// [`Refused::NoSuchPolicy`].
    pub fn history(&self, name: &PolicyName) -> Result<PolicyView, Refused> {
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
    /// [`Refused::NoSuchRevision`].
    pub fn revision(&self, id: RevisionId) -> Result<RevisionView, Refused> {
        let ledger = self.ledger();
        let revision = ledger.revision(id).ok_or(Refused::NoSuchRevision(id))?;
        Ok(self.view(&ledger, revision))
    }

    /// A revision's bytes.
    ///
    /// # Errors
    /// [`Refused`] when there is no such revision, or its bytes are gone.
    pub async fn bytes(self: &Arc<Self>, id: RevisionId) -> Result<Arc<[u8]>, Refused> {
        let digest = self.revision(id)?.revision.digest;
        let this = self.clone();
        let read = tokio::task::spawn_blocking(move || this.store.bytes(&digest));
        read.await
            .unwrap_or_else(|_| Err(StoreError::Gone(id.to_string())))
            .map_err(Refused::Store)
    }

    /// The inputs on which a revision's bytes failed lately, the newest first.
    ///
    /// # Errors
    /// [`Refused::NoSuchRevision`].
    pub fn faults(&self, id: RevisionId) -> Result<Vec<Arc<TestCase>>, Refused> {
        let digest = self.revision(id)?.revision.digest;
        Ok(self.engines.breakers.faults(&digest))
    }

    /// What a revision logged lately.
    ///
    /// # Errors
    /// [`Refused::NoSuchRevision`].
    pub fn log(&self, id: RevisionId) -> Result<Recent, Refused> {
        let _known = self.revision(id)?;
        Ok(self.engines.catalog.engine().log().recent(id))
    }

    /// Who answers at every tier by a ledger.
    pub(super) fn seats(&self, ledger: &Ledger) -> Vec<SeatView> {
        let answers = |id: &RevisionId| {
            let standing = ledger.revision(*id).map(|known| self.standing(known));
            standing == Some(Standing::Closed)
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

    fn policy_view(&self, ledger: &Ledger, name: &PolicyName) -> PolicyView {
        let own = ledger.revisions().rev().filter(|known| known.name == *name);
        let current = super::change::current(ledger, name);
        PolicyView {
            name: name.clone(),
            revisions: own.map(|revision| self.view(ledger, revision)).collect(),
            policy: current.and_then(|revision| self.at_hand(revision.id)),
        }
    }

    fn view(&self, ledger: &Ledger, revision: &Revision) -> RevisionView {
        let id = revision.id;
        let active_at = ledger.tiers_of(id);
        let standing_in_at = ledger.standing_in(id);
        let is_warm = self.at_hand(id).is_some();
        let change = self.engines.breakers.last_change(&revision.digest);
        let (state, reason) = match self.standing(revision) {
            Standing::Open => (State::Quarantined, failed(change)),
            Standing::HalfOpen if active_at.is_empty() && standing_in_at.is_empty() => (
                State::Quarantined,
                format!(
                    "{}; it is tried again once it sits in a seat",
                    failed(change)
                ),
            ),
            Standing::HalfOpen => (State::Shadow, failed(change)),
            Standing::Closed if !active_at.is_empty() => {
                (State::Active, format!("answers at {}", tiers(&active_at)))
            }
            Standing::Closed if !standing_in_at.is_empty() => (
                State::Warm,
                format!("stands in at {}", tiers(&standing_in_at)),
            ),
            Standing::Closed if ledger.has_served(id) => {
                (State::Retired, ready_or_not(is_warm).to_owned())
            }
            Standing::Closed if is_warm => (State::Warm, ready_or_not(true).to_owned()),
            Standing::Closed if self.is_compiled(&revision.digest) => (
                State::Compiled,
                "its bytes are compiled for another revision".to_owned(),
            ),
            Standing::Closed => (State::Checked, ready_or_not(false).to_owned()),
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

    pub(super) fn standing(&self, revision: &Revision) -> Standing {
        let now = self.clock.now();
        self.engines.breakers.standing(&revision.digest, now)
    }
}

fn failed(change: Option<Change>) -> String {
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
