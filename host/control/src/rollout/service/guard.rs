//! What the breakers do, for the audit log: who was left alone and why, who answers in its place,
//! and who came back.

use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;

use super::Rollout;
use crate::rollout::actor::Actor;
use crate::rollout::audit::{Note, What};
use crate::rollout::ledger::RevisionLedger;
use wastegate_core::types::RevisionId;
use wastegate_engine::policy::BreakerChange;
use wastegate_engine::policy::breaker::BreakerState;

impl Rollout {
    /// Listens to the breakers, for ever. To be kept running by a supervisor.
    pub async fn watch_breakers(self: Arc<Self>) {
        let mut changes = self.engines.breakers.changes();
        loop {
            match changes.recv().await {
                Ok(change) => self.write_down(change).await,
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "changes of breakers are missing in the audit log");
                }
                // The breakers are ours, so they do not end before us.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    async fn write_down(self: &Arc<Self>, change: BreakerChange) {
        let this = self.clone();
        let written = tokio::task::spawn_blocking(move || {
            let note = this.note(&change);
            this.audit.write(&Actor::guard(), note);
        });
        if written.await.is_err() {
            tracing::error!("a change of a breaker is missing in the audit log");
        }
    }

    fn note(&self, change: &BreakerChange) -> Note {
        let ledger = self.ledger();
        let what = match change.to {
            BreakerState::Open => What::Quarantined,
            BreakerState::HalfOpen => What::OnTrial,
            BreakerState::Closed => What::Recovered,
        };
        let subject = subject(&ledger, &change.digest);
        let name = subject
            .and_then(|id| ledger.revision(id))
            .map(|known| &known.name);
        let note = Note::new(what, self.reason(&ledger, change));
        match (subject, name) {
            (Some(id), Some(name)) => note.of(name).revision(id),
            (_, _) => note.of(&*change.digest),
        }
    }

    /// Why, and who answers at the tiers that it concerns.
    fn reason(&self, ledger: &RevisionLedger, change: &BreakerChange) -> String {
        let is = |id: RevisionId| {
            let known = ledger.revision(id);
            known.is_some_and(|known| *known.digest == *change.digest)
        };
        let seats = self.seats(ledger).into_iter();
        let mut concerned = seats.filter(|seat| seat.active.is_some_and(is));
        let Some(seat) = concerned.next() else {
            return change.why.clone();
        };
        let who = match (change.to, seat.answering) {
            (BreakerState::Closed, _) => "it answers again".to_owned(),
            (BreakerState::Open | BreakerState::HalfOpen, Some(id)) => {
                format!("{id} answers in its place")
            }
            (BreakerState::Open | BreakerState::HalfOpen, None) => {
                "the built-in ranking answers in its place".to_owned()
            }
        };
        format!("{}; {who}", change.why)
    }
}

/// The revision that is meant by some bytes: the active one, else the fallback, else the newest.
fn subject(ledger: &RevisionLedger, digest: &str) -> Option<RevisionId> {
    let of_digest = ledger.revisions().filter(|known| known.digest == digest);
    let rank = |id: RevisionId| {
        let (active, fallback) = (ledger.tiers_of(id), ledger.standing_in(id));
        (active.len(), fallback.len(), id)
    };
    of_digest.map(|known| known.id).max_by_key(|id| rank(*id))
}
