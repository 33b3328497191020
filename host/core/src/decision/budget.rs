//! How many of a user's managers that answer may be evicted in a while: clients that open manager after
//! manager, or a stolen token, would otherwise evict all others again and again.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::types::{Timestamp, UserId};

/// Users counted at once. Above it, those whose window is over are forgotten.
const USERS_MAX: usize = 10_000;

/// Counts within a fixed window per user.
#[derive(Debug)]
pub struct ForceBudget {
    most: u32,
    window: Duration,
    // Held for a map operation; only `force` comes here.
    spent: Mutex<HashMap<UserId, Spent>>,
}

#[derive(Debug, Clone, Copy)]
struct Spent {
    since: Timestamp,
    count: u32,
}

impl ForceBudget {
    /// At most `most` in every `window`; 0 for no limit.
    #[must_use]
    pub fn new(most: u32, window: Duration) -> Self {
        Self {
            most,
            window,
            spent: Mutex::default(),
        }
    }

    /// Whether there is a limit.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.most > 0
    }

    /// How many of `wanted` may be taken now; they count as taken.
    pub fn allow(&self, user: &UserId, wanted: u32, now: Timestamp) -> u32 {
        if self.most == 0 {
            return wanted;
        }
        let mut spent = self.spent.lock();
        if spent.len() >= USERS_MAX {
            spent.retain(|_, spent| now.since(spent.since) < self.window);
        }
        if spent.len() >= USERS_MAX && !spent.contains_key(user) {
            // So many users at once are no theft of one token: a bounded map matters more.
            spent.clear();
        }
        let entry = spent.entry(user.clone()).or_insert(Spent {
            since: now,
            count: 0,
        });
        if now.since(entry.since) >= self.window {
            *entry = Spent {
                since: now,
                count: 0,
            };
        }
        let allowed = wanted.min(self.most.saturating_sub(entry.count));
        entry.count += allowed;
        allowed
    }

    /// How long until the user has a share again; none if it has one now.
    pub fn spent_for(&self, user: &UserId, now: Timestamp) -> Option<Duration> {
        if self.most == 0 {
            return None;
        }
        let spent = self.spent.lock();
        let entry = spent.get(user).filter(|entry| entry.count >= self.most)?;
        let left = self.window.saturating_sub(now.since(entry.since));
        Some(left).filter(|left| !left.is_zero())
    }

    /// So many of those allowed were not taken after all.
    pub fn give_back(&self, user: &UserId, unused: u32) {
        if self.most > 0
            && unused > 0
            && let Some(entry) = self.spent.lock().get_mut(user)
        {
            entry.count = entry.count.saturating_sub(unused);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn force_is_rationed_per_user_and_window() {
        let budget = ForceBudget::new(2, Duration::from_secs(60));
        let (ann, bob) = (UserId::new("ann").unwrap(), UserId::new("bob").unwrap());
        let s = |seconds: u64| Timestamp::from_millis(seconds * 1_000);
        assert_eq!(budget.allow(&ann, 3, s(0)), 2);
        assert_eq!(budget.allow(&ann, 1, s(59)), 0);
        assert_eq!(budget.spent_for(&ann, s(59)), Some(Duration::from_secs(1)));
        assert_eq!(budget.spent_for(&ann, s(60)), None);
        assert_eq!(budget.spent_for(&bob, s(59)), None);
        assert_eq!(budget.allow(&bob, 1, s(59)), 1);
        assert_eq!(budget.allow(&ann, 1, s(60)), 1);
        assert_eq!(budget.allow(&ann, 5, s(61)), 1);
        budget.give_back(&ann, 1);
        assert_eq!(budget.allow(&ann, 5, s(62)), 1, "what was not taken");
        assert_eq!(ForceBudget::new(0, Duration::ZERO).allow(&ann, 9, s(0)), 9);
    }
}
