//! What this node says of what it holds: soon after it changed, every three minutes otherwise; and everything again
//! after the engine or the node was away.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::node::ClusterNode;
use crate::manager::Manager;
use wastegate_cluster::ledger::{
    Columns, KeyHash, Ledger as _, LedgerError, PartState, Publication, ReassertAnswer,
    ReassertAsk, UserHash,
};
use wastegate_core::decision::Class;
use wastegate_core::types::{Protection, Signal, Timestamp, UserId};

/// Users that wait to be published, at most. Beyond it a change is told by the next look at all users.
const USERS_MAX: usize = 65_536;
/// Users whose calls are on their way at once.
const AT_ONCE: usize = 32;
/// Managers in one call.
const PARTS_MAX: usize = 256;
/// The rest between two rounds of publications: what changes back and forth is told so often at most.
const REST: Duration = Duration::from_millis(250);
/// Between two looks for what changed without an event, such as a peer that missed its pings.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// After how long a manager is published again: a third of its lease.
const RENEW_AFTER: Duration = Duration::from_secs(180);
/// The same for a user that is at its limit, as far as is known: who goes is chosen by what was published.
const RENEW_AT_LIMIT: Duration = Duration::from_secs(15);
/// Users looked at before other tasks have their turn.
const USERS_AT_ONCE: usize = 256;
/// Over how long everything is asserted again, and in which steps.
const REASSERT_STEPS: usize = 60;
const REASSERT_STEP: Duration = Duration::from_millis(50);
/// How long the engine may take to carry out an assertion.
const ASSERT_BUDGET: Duration = Duration::from_secs(1);

/// The signals that are published. Eleven fill the 64 bytes up to which the engine keeps a user compact; the others
/// are unknown to a policy that ranks a manager of another node.
pub(super) const PUBLISHED: [Signal; 11] = [
    Signal::IdleMs,
    Signal::AgeMs,
    Signal::ActivityDecayed1h,
    Signal::SilenceMs,
    Signal::ProbeAgeMs,
    Signal::DetachedMs,
    Signal::Connections,
    Signal::InFlight,
    Signal::Priority,
    Signal::Visibility,
    Signal::DeviceClass,
];

/// The users that wait to be published.
#[derive(Debug, Default)]
pub(super) struct Unpublished {
    // Held for a set operation.
    users: Mutex<HashSet<UserId>>,
    more: Notify,
}

impl ClusterNode {
    /// A user's managers are published at the next round.
    pub(super) fn publish_soon(&self, user: &UserId) {
        let taken = {
            let mut users = self.unpublished.users.lock();
            let taken = users.len() < USERS_MAX;
            if taken && !users.contains(user) {
                users.insert(user.clone());
            }
            taken
        };
        if taken {
            self.unpublished.more.notify_one();
        } else {
            self.metrics.dropped("publication");
        }
    }

    pub(super) async fn publish_on(&self) {
        loop {
            self.unpublished.more.notified().await;
            while self.is_away() {
                tokio::time::sleep(REST).await;
            }
            let users = std::mem::take(&mut *self.unpublished.users.lock());
            self.tell_all(users).await;
            tokio::time::sleep(REST).await;
        }
    }

    async fn tell_all(&self, users: impl IntoIterator<Item = UserId>) {
        let told = stream::iter(users).for_each_concurrent(AT_ONCE, |user| async move {
            // What failed is found by the next look at all users: nothing was marked as told.
            let _ = self.tell(&user).await;
        });
        told.await;
    }

    /// Looks for what changed without an event.
    pub(super) async fn watch_on(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if self.is_away() {
                continue;
            }
            let users = self.registry.users();
            for users in users.chunks(USERS_AT_ONCE) {
                let now = self.clock.now();
                for (user, here) in users {
                    let managers = self.registry.of(user);
                    let held = here.saturating_add(self.elsewhere.of(user));
                    let renew_after = if held >= self.registry.own_limit(user) {
                        RENEW_AT_LIMIT
                    } else {
                        RENEW_AFTER
                    };
                    let is_due = |it: &Arc<Manager>| self.is_due(it, renew_after, now);
                    if managers.iter().any(is_due) {
                        self.publish_soon(user);
                    }
                }
                tokio::task::yield_now().await;
            }
        }
    }

    /// Whether what the ledger has of a manager is missing, too old, or something else by now.
    fn is_due(&self, manager: &Manager, renew_after: Duration, now: Timestamp) -> bool {
        if !manager.mark.is_in() {
            return false;
        }
        let Some((state, at)) = manager.mark.published() else {
            return true;
        };
        if manager.mark.is_assumed() || now.since(at) >= renew_after {
            return true;
        }
        let (was, is) = (PartState::from_code(state), self.state(manager, now));
        let kind = |it: PartState| {
            let class = Class::of(it.standing, it.health, it.taken_over);
            (class, it.protection == Protection::Pinned)
        };
        kind(was) != kind(is)
    }

    pub(super) fn state(&self, manager: &Manager, now: Timestamp) -> PartState {
        let believed = self.registry.believed(manager, now);
        PartState {
            standing: believed.standing,
            health: believed.health,
            taken_over: believed.taken_over,
            protection: believed.protection,
        }
    }

    fn publication(&self, manager: &Manager, now: Timestamp) -> Publication {
        let row = self.registry.row(manager, now);
        Publication {
            key: self.key_hash(&manager.user, &manager.key),
            manager: manager.id,
            state: PartState {
                standing: row.standing,
                health: row.health,
                taken_over: row.taken_over,
                protection: row.protection,
            },
            columns: Columns::of(&row.signals, &PUBLISHED),
        }
    }

    /// Tells the ledger all that a user holds here, and asserts what it has not.
    pub(super) async fn tell(&self, user: &UserId) -> Result<(), LedgerError> {
        let managers = self.registry.of(user).into_iter();
        let managers: Vec<Arc<Manager>> = managers.filter(|it| it.mark.is_in()).collect();
        if managers.is_empty() {
            return Ok(());
        }
        let hash = self.know(user);
        for managers in managers.chunks(PARTS_MAX) {
            let (assumed, known): (Vec<_>, Vec<_>) = managers
                .iter()
                .cloned()
                .partition(|it| it.mark.is_assumed());
            let mut missing = assumed;
            missing.extend(self.publish(user, hash, &known).await?);
            if !missing.is_empty() {
                self.assert(user, hash, &missing).await?;
                // A second time, because what is asserted is provisional: one that went meanwhile does not stay.
                self.publish(user, hash, &missing).await?;
            }
        }
        Ok(())
    }

    /// Publishes some managers. Those that the ledger has not.
    async fn publish(
        &self,
        user: &UserId,
        hash: UserHash,
        managers: &[Arc<Manager>],
    ) -> Result<Vec<Arc<Manager>>, LedgerError> {
        let alive = managers.iter().filter(|manager| manager.mark.is_in());
        let alive: Vec<&Arc<Manager>> = alive.collect();
        if alive.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        let parts = alive.iter().map(|manager| self.publication(manager, now));
        let parts: Vec<Publication> = parts.collect();
        let epoch = self.membership.lock().epoch();
        let answer = self.ledger.publish(hash, epoch, &parts).await;
        self.metrics.called("publish", &answer);
        let answer = answer?.answer;
        let is_lost = |key: &KeyHash| answer.lost.contains(key);
        let mut lost = Vec::new();
        for (manager, part) in alive.into_iter().zip(&parts) {
            if is_lost(&part.key) {
                lost.push(manager.clone());
            } else {
                manager.mark.publish(part.state.code(), now);
            }
        }
        if lost.is_empty() {
            let here = self.counted_here(user);
            self.elsewhere.note(user, answer.held.saturating_sub(here));
        }
        Ok(lost)
    }

    /// Adds managers that live to the ledger, whatever the user's limit. A surplus leaves later.
    async fn assert(
        &self,
        user: &UserId,
        hash: UserHash,
        managers: &[Arc<Manager>],
    ) -> Result<(), LedgerError> {
        let now = self.clock.now();
        let ask = {
            let membership = self.membership.lock();
            ReassertAsk {
                epoch: membership.epoch(),
                limit: self.registry.own_limit(user),
                not_after_ms: membership.not_after_ms(ASSERT_BUDGET, now)?,
                dead: membership.dead().clone(),
                parts: Vec::new(),
            }
        };
        let parts = managers.iter().filter(|manager| manager.mark.is_in());
        let parts = parts.map(|manager| self.publication(manager, now));
        let ask = ReassertAsk {
            parts: parts.collect(),
            ..ask
        };
        let answer = self.ledger.reassert(hash, &ask).await;
        self.metrics.called("reassert", &answer);
        let ReassertAnswer::Asserted { over, .. } = answer?.answer else {
            return Ok(());
        };
        self.metrics.asserted(ask.parts.len());
        // Under another life what was asserted counts for nothing: everything is asserted again.
        if self.membership.lock().epoch() == ask.epoch {
            for manager in managers {
                if !manager.mark.enter() {
                    self.give_back(user, &manager.key, manager.id);
                }
            }
        }
        self.note_surplus(user, over);
        Ok(())
    }

    pub(super) async fn reassert_on(&self) {
        loop {
            self.reassert.notified().await;
            let users: Vec<UserId> = self.registry.users().into_iter().map(|it| it.0).collect();
            let part = users.len().div_ceil(REASSERT_STEPS).max(1);
            for users in users.chunks(part) {
                self.tell_all(users.iter().cloned()).await;
                tokio::time::sleep(REASSERT_STEP).await;
            }
        }
    }
}
