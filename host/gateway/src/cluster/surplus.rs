//! Users that hold more than their limit on all nodes: after an outage, or when temporary slots ended. The surplus
//! leaves by rank, chosen by one node at a time.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::held::{ChosenVictim, HeldOverNodes};
use super::node::ClusterNode;
use wastegate_cluster::ledger::{Epoch, HeldEntry, Ledger as _};
use wastegate_core::types::{Timestamp, UserId};

/// Users that are remembered, at most. One beyond that is found by its next publication.
const USERS_MAX: usize = 10_000;
/// How long a surplus is left alone: until the other nodes have asserted what they hold too.
const SETTLE: Duration = Duration::from_secs(4);
/// By how much later each next node of those that hold it looks: the one before it is done by then.
const TURN: Duration = Duration::from_secs(2);
/// After how long it is looked at again.
const AGAIN: Duration = Duration::from_secs(5);

/// The users that hold too much.
#[derive(Debug, Default)]
pub(super) struct Surpluses {
    // Held for a map operation.
    users: Mutex<HashMap<UserId, Noted>>,
    more: Notify,
}

#[derive(Debug, Clone, Copy)]
struct Noted {
    over: u32,
    due: Timestamp,
    /// It is this node's turn when it is due.
    has_turn: bool,
    /// Temporary slots ended, which were lent on the condition that they come back.
    was_lent: bool,
}

/// A user that holds more than it may, with all that it holds.
#[derive(Debug)]
pub struct Surplus {
    /// Who.
    pub user: UserId,
    /// What it holds.
    pub held: HeldOverNodes,
    /// Temporary slots ended, which were lent on the condition that they come back.
    pub was_lent: bool,
}

impl ClusterNode {
    /// A user holds so many too many.
    pub(super) fn note_surplus(&self, user: &UserId, over: u32) {
        if over > 0 {
            self.look_for_surplus(user, over, (SETTLE, false));
        }
    }

    /// A user's temporary slots ended: it may hold too many now.
    pub(crate) fn slots_ended(&self, user: &UserId) {
        self.look_for_surplus(user, 0, (TURN, true));
    }

    fn look_for_surplus(&self, user: &UserId, over: u32, (after, was_lent): (Duration, bool)) {
        let due = self.clock.now().after(after);
        let mut users = self.surpluses.users.lock();
        if users.len() >= USERS_MAX && !users.contains_key(user) {
            self.metrics.dropped("surplus");
            return;
        }
        let noted = users.entry(user.clone()).or_insert(Noted {
            over,
            due,
            has_turn: false,
            was_lent,
        });
        noted.over = over;
        noted.was_lent |= was_lent;
        self.surpluses.more.notify_one();
    }

    /// How many managers users hold above their limits, as far as this node knows.
    #[must_use]
    pub fn over_limit(&self) -> u64 {
        let users = self.surpluses.users.lock();
        users.values().map(|noted| u64::from(noted.over)).sum()
    }

    /// Waits for the next user whose surplus this node is to end.
    pub(crate) async fn next_surplus(&self) -> Surplus {
        loop {
            let first = {
                let users = self.surpluses.users.lock();
                let first = users.iter().min_by_key(|(_, noted)| noted.due);
                first.map(|(user, noted)| (user.clone(), *noted))
            };
            let Some((user, noted)) = first else {
                self.surpluses.more.notified().await;
                continue;
            };
            let wait = noted.due.since(self.clock.now());
            if !wait.is_zero() {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = self.surpluses.more.notified() => {}
                }
                continue;
            }
            if let Some(held) = self.look_at(&user, noted).await {
                let was_lent = noted.was_lent;
                return Surplus {
                    user,
                    held,
                    was_lent,
                };
            }
        }
    }

    /// Whether a user still holds too much, and this node is the one to end that.
    async fn look_at(&self, user: &UserId, noted: Noted) -> Option<HeldOverNodes> {
        let dead = self.membership.lock().dead().clone();
        let limit = self.registry.own_limit(user);
        let read = self.ledger.read(self.user_hash(user), limit, &dead).await;
        self.metrics.called("read", &read);
        let now = self.clock.now();
        let next = |over, after, has_turn| Noted {
            over,
            due: now.after(after),
            has_turn,
            was_lent: noted.was_lent,
        };
        let Ok(read) = read else {
            self.note(user, Some(next(noted.over, AGAIN, false)));
            return None;
        };
        let (now_ms, holdings) = (read.now_ms, read.answer);
        let turn = self.turn(&holdings.entries);
        let mut held = self.over_nodes(user, holdings.limit, holdings.entries, now_ms);
        let over = held.over();
        if over == 0 {
            self.note(user, None);
            return None;
        }
        if turn > 0 && !noted.has_turn {
            self.note(user, Some(next(over, TURN * turn, true)));
            return None;
        }
        self.note(user, Some(next(over, AGAIN, false)));
        held.end_surplus_pins(now);
        Some(held)
    }

    fn note(&self, user: &UserId, noted: Option<Noted>) {
        let mut users = self.surpluses.users.lock();
        match noted {
            Some(noted) => users.insert(user.clone(), noted),
            None => users.remove(user),
        };
    }

    /// After how many other nodes this one is to end a user's surplus.
    fn turn(&self, entries: &[HeldEntry]) -> u32 {
        let own = self.membership.lock().epoch();
        let parts = entries.iter().flat_map(|entry| &entry.parts);
        let mut epochs: Vec<Epoch> = parts.map(|part| part.life.epoch).collect();
        epochs.sort_unstable();
        epochs.dedup();
        let before = epochs.iter().filter(|epoch| **epoch < own).count();
        u32::try_from(before).unwrap_or(u32::MAX).min(16)
    }

    /// Takes victims of other nodes out of the ledger, and tells their owners.
    pub(crate) async fn take_out(&self, user: &UserId, victims: &[ChosenVictim]) {
        let hash = self.user_hash(user);
        for chosen in victims {
            for life in &chosen.victim.lives {
                let left = self.ledger.leave(hash, chosen.victim.key, *life).await;
                self.metrics.called("leave", &left);
            }
        }
        self.told_to_go(user, victims);
    }
}
