//! Following the shared document.

use std::sync::Arc;

use super::document::{SharedPolicy, SharedSeats};
use super::{AGAIN_FIRST, AGAIN_MAX, DOCUMENT, Followed, LOOK_EVERY, Sharing, SharingError};
use crate::rollout::service::{Activation, SettingsSource};
use crate::rollout::source::{Fetched, PolicyOrigin};
use crate::rollout::{Actor, RolloutError};
use wastegate_cluster::shared::{Newest, mark};
use wastegate_core::types::{RevisionId, Tier, chain};
use wastegate_engine::policy::load;

impl Sharing {
    /// Looks at the document each second, and follows it, for ever.
    pub async fn follow(self: Arc<Self>) {
        loop {
            self.look().await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Takes over what is in force, if that is something new, or if it is time to try again.
    pub(super) async fn look(&self) {
        let _one_at_a_time = self.turn.lock().await;
        // That the engine is away is told by the beats, and what ranks here goes on.
        let Ok(newest) = self.store.newest(DOCUMENT).await else {
            return;
        };
        if newest.number == 0 {
            return self.forgotten();
        }
        if !self.is_due(&newest.mark) {
            return;
        }
        if let Err((seats, error)) = self.take_over().await {
            let (number, problem) = (newest.number, chain(&error));
            tracing::warn!(
                number,
                problem,
                "this node does not rank as the cluster shall"
            );
            self.failed(newest, seats, problem);
        }
    }

    /// An engine that has lost the document takes nothing back: what ranks here goes on.
    fn forgotten(&self) {
        let mut state = self.state.lock();
        if state.followed == Followed::default() {
            return;
        }
        (state.followed, state.mark) = (Followed::default(), String::new());
        drop(state);
        tracing::warn!(
            "the cluster's engine has lost what was shared: share it again, for nodes that come"
        );
        (self.tell)(Followed::default());
    }

    fn is_due(&self, mark: &str) -> bool {
        let state = self.state.lock();
        let again = state.again.map(|(at, _)| self.clock.now() >= at);
        mark != state.mark || again.unwrap_or(false)
    }

    async fn take_over(&self) -> Result<(), (Option<SharedSeats>, SharingError)> {
        let document = self.store.document(DOCUMENT).await;
        let document = document.map_err(|error| (None, error.into()))?;
        let Some(document) = document else {
            return Ok(());
        };
        let seats = SharedSeats::read(&document).map_err(|error| (None, error))?;
        match self.apply(&seats).await {
            Ok(()) => {
                tracing::info!(
                    number = document.number,
                    node = seats.node,
                    by = seats.by,
                    "this node ranks as the cluster does"
                );
                self.follows(document.number, mark(&document.text), seats);
                Ok(())
            }
            Err(error) => Err((Some(seats), error)),
        }
    }

    fn failed(&self, newest: Newest, seats: Option<SharedSeats>, problem: String) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let pause = match state.again {
            Some((_, last)) if state.mark == newest.mark => (last * 2).min(AGAIN_MAX),
            _ => AGAIN_FIRST,
        };
        let number = newest.number;
        state.followed = Followed { number, problem };
        state.mark = newest.mark;
        state.again = Some((now.after(pause), pause));
        if let Some(seats) = seats {
            state.seats = Some(Arc::new(seats));
        }
        let followed = state.followed.clone();
        drop(state);
        (self.tell)(followed);
    }

    /// Takes in everything before anything is activated, so that a node follows a document wholly or not at all.
    async fn apply(&self, shared: &SharedSeats) -> Result<(), SharingError> {
        let by = Actor::cluster(&shared.node, &shared.by);
        let mut wanted: Vec<(Tier, Option<(RevisionId, &SharedPolicy)>)> = Vec::new();
        for (tier, policy) in &shared.seats {
            let revision = match policy {
                Some(policy) => Some((self.take_in(policy, &shared.node, &by).await?, policy)),
                None => None,
            };
            wanted.push((*tier, revision));
        }
        for (tier, revision) in wanted {
            if self.rollout.ledger().active(tier) == revision.map(|(id, _)| id) {
                continue;
            }
            let there = Activation {
                tier: Some(tier),
                expected: None,
                reason: shared.reason.clone(),
            };
            let (name, done) = match revision {
                Some((id, policy)) => {
                    let name = policy.name.clone();
                    let done = self.rollout.activate(name, Some(id), there, by.clone());
                    (policy.name.to_string(), done.await.map(drop))
                }
                None => {
                    let done = self.rollout.disable(there, by.clone());
                    ("built-in".to_owned(), done.await.map(drop))
                }
            };
            done.map_err(|source| SharingError::Refused {
                policy: name,
                source,
            })?;
        }
        Ok(())
    }

    /// The revision that a shared policy is here; it becomes one if it is not.
    async fn take_in(
        &self,
        policy: &SharedPolicy,
        node: &str,
        by: &Actor,
    ) -> Result<RevisionId, SharingError> {
        if let Some(known) = self.rollout.ledger().same(&policy.content()) {
            return Ok(known.id);
        }
        let fetched = self.fetch(policy, node).await?;
        let settings = SettingsSource::These {
            params: policy.params.clone(),
            limits: policy.limits,
        };
        let submitted = self.rollout.submit(fetched, settings, None, by.clone());
        let submitted = submitted
            .await
            .map_err(|source: RolloutError| SharingError::Refused {
                policy: policy.name.to_string(),
                source,
            })?;
        Ok(submitted.revision)
    }

    /// Its bytes: those that the host ships, which need no signature, or those of the engine.
    async fn fetch(&self, policy: &SharedPolicy, node: &str) -> Result<Fetched, SharingError> {
        let is_it = |bytes: &[u8]| *load::digest(bytes) == *policy.digest;
        let shipped = Fetched::shipped(&policy.name);
        if let Some(shipped) = shipped.filter(|shipped| is_it(&shipped.bytes)) {
            return Ok(shipped);
        }
        let bytes = self.store.file(&policy.digest).await?;
        let bytes = bytes
            .filter(|bytes| is_it(bytes))
            .ok_or_else(|| SharingError::NoFile {
                policy: policy.name.to_string(),
            })?;
        Ok(Fetched {
            name: policy.name.clone(),
            bytes: bytes.into(),
            signature: policy.signature.clone(),
            origin: PolicyOrigin::Cluster(node.to_owned()),
        })
    }
}
