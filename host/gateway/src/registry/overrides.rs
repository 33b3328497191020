//! What operators set for single users: a limit that goes before every other one, blocks, pins.
//!
//! None of them ends by itself: the operator's tool that set one takes it back when its time is over, so that
//! admissions, records and the audit log agree on when that was.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use parking_lot::RwLock;

use super::Registry;
use wastegate_core::types::{Eviction, EvictionCause, ManagerKey, PeerState, Timestamp, UserId};

/// Until when a user is blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockTerm {
    /// Until that moment, when it is taken back.
    Until(Timestamp),
    /// Until an operator takes it back.
    Open,
}

/// Limits and blocks of single users. Bounded by who sets them.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    // A lock, because operators change it while admissions read it; held for a map operation.
    users: RwLock<HashMap<UserId, Override>>,
    /// Until when operators pin which managers, whether they are there or not.
    pins: RwLock<HashMap<UserId, HashMap<ManagerKey, Timestamp>>>,
    /// What stands between a user's name and that of a route which counts apart.
    mark: OnceLock<&'static str>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Override {
    limit: Option<u32>,
    block: Option<BlockTerm>,
}

impl Overrides {
    pub(super) fn limit(&self, user: &UserId) -> Option<u32> {
        self.users.read().get(user).and_then(|set| set.limit)
    }

    /// Whether a user is blocked, by its own name or by the one that it has on every route.
    pub(super) fn block(&self, user: &UserId) -> Option<BlockTerm> {
        let users = self.users.read();
        if users.is_empty() {
            return None;
        }
        let block = |user: &UserId| users.get(user).and_then(|set| set.block);
        block(user).or_else(|| block(&self.plain(user)))
    }

    /// Sets until when a manager is pinned; none takes that back.
    pub(super) fn pin(&self, user: &UserId, key: &ManagerKey, until: Option<Timestamp>) {
        let mut pins = self.pins.write();
        let of_user = pins.entry(user.clone()).or_default();
        match until {
            Some(until) => of_user.insert(key.clone(), until),
            None => of_user.remove(key),
        };
        if of_user.is_empty() {
            pins.remove(user);
        }
    }

    /// Until when an operator pins a manager.
    pub(super) fn pinned_until(&self, user: &UserId, key: &ManagerKey) -> Option<Timestamp> {
        self.pins.read().get(user)?.get(key).copied()
    }

    /// The user by its own name, where this is the one that it has on a route.
    fn plain<'a>(&self, user: &'a UserId) -> Cow<'a, UserId> {
        let plain = || {
            let (name, _) = user.as_str().split_once(*self.mark.get()?)?;
            UserId::new(name).ok()
        };
        plain().map_or(Cow::Borrowed(user), Cow::Owned)
    }

    fn change(&self, user: &UserId, change: impl FnOnce(&mut Override)) {
        let mut users = self.users.write();
        let set = users.entry(user.clone()).or_default();
        change(set);
        if *set == Override::default() {
            users.remove(user);
        }
    }
}

impl Registry {
    /// How many managers a user may take now, temporary slots included.
    #[must_use]
    pub fn limit(&self, user: &UserId, now: Timestamp) -> u32 {
        self.own_limit(user) + self.lent(user, now)
    }

    /// How many managers a user may hold without temporary slots.
    #[must_use]
    pub fn own_limit(&self, user: &UserId) -> u32 {
        self.special_limit(user)
            .unwrap_or(self.limits.managers_per_user)
    }

    /// How many temporary slots a user has now beyond its own limit.
    #[must_use]
    pub fn lent(&self, user: &UserId, now: Timestamp) -> u32 {
        self.temporary.extra(user, &self.limits.lending(), now)
    }

    /// How many managers a user may hold now: also those whose temporary slot is just ending.
    #[must_use]
    pub fn ceiling(&self, user: &UserId) -> u32 {
        self.own_limit(user) + self.temporary.surplus_allowed(user, &self.limits.lending())
    }

    /// A user's limit where it is not the gateway's: the operators' before that of its identity.
    fn special_limit(&self, user: &UserId) -> Option<u32> {
        self.overrides.limit(user).or_else(|| self.quotas.of(user))
    }

    /// Sets how many managers a user may hold by its identity; none for the gateway's limit. No manager
    /// is evicted for it: a user above its new limit shrinks when it asks for more.
    pub fn set_limit(&self, user: &UserId, limit: Option<u32>) {
        self.limited(user, || {
            self.quotas.set(user, limit, |user| self.held(user) > 0);
        });
    }

    /// Sets how many managers a user may hold, whatever its identity and the gateway's settings say; none
    /// takes that back. No manager is evicted for it. Whoever waits for a slot of the user looks again.
    pub fn override_limit(&self, user: &UserId, limit: Option<u32>) {
        self.limited(user, || {
            self.overrides.change(user, |set| set.limit = limit);
        });
        self.freed.notify(user);
    }

    /// Changes a limit, and writes it down where that makes another one.
    fn limited(&self, user: &UserId, change: impl FnOnce()) {
        let before = self.special_limit(user);
        change();
        let limit = self.special_limit(user);
        if limit != before {
            let now = self.surroundings.clock.now();
            self.activity().limited(now, user, limit);
        }
    }

    /// Blocks a user: from now on none of its connections is let in, and its managers are evicted.
    /// Returns how many were. A user that routes count apart is blocked on all of them.
    pub fn block(&self, user: &UserId, term: BlockTerm) -> usize {
        self.overrides.change(user, |set| set.block = Some(term));
        let eviction = Eviction {
            cause: EvictionCause::Blocked,
            decision: None,
            peer: PeerState::Answering,
        };
        let names = self.names_of(user);
        for name in &names {
            // Those who wait for a slot are refused, and not when one is free.
            self.freed.notify(name);
        }
        self.evict_all(&names, eviction)
    }

    /// Lets a user in again.
    pub fn unblock(&self, user: &UserId) {
        self.overrides.change(user, |set| set.block = None);
    }

    /// Until when a user is blocked; none if it is not.
    #[must_use]
    pub fn blocked(&self, user: &UserId) -> Option<BlockTerm> {
        self.overrides.block(user)
    }

    /// Evicts every manager of a user, on all routes, whatever protects it. Returns how many.
    pub fn evict_user(&self, user: &UserId, eviction: impl Into<Eviction>) -> usize {
        self.evict_all(&self.names_of(user), eviction.into())
    }

    fn evict_all(&self, names: &[UserId], eviction: Eviction) -> usize {
        let managers = names.iter().flat_map(|name| self.table.of(name));
        managers
            .filter(|manager| {
                let (user, key) = (&manager.user, &manager.key);
                self.evict(user, key, manager.id, eviction, |_| true)
                    .is_some()
            })
            .count()
    }

    /// Under which names a user holds managers: its own, and one for each route that counts apart.
    fn names_of(&self, user: &UserId) -> Vec<UserId> {
        let mut names = vec![user.clone()];
        if let Some(mark) = self.overrides.mark.get() {
            let beginning = format!("{user}{mark}");
            let users = self.table.users().into_iter().map(|(user, _)| user);
            names.extend(users.filter(|user| user.as_str().starts_with(&beginning)));
        }
        names
    }

    /// The user by its own name, where this is the one that it has on a route.
    pub(super) fn plain<'a>(&self, user: &'a UserId) -> Cow<'a, UserId> {
        self.overrides.plain(user)
    }

    /// Some routes count apart, and hold a user by its name, this mark and the name of the route.
    pub(crate) fn scoped_by(&self, mark: &'static str) {
        // Every route has the same one.
        let _ = self.overrides.mark.set(mark);
    }
}
