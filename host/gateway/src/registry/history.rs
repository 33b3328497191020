//! What is remembered of managers that were evicted: bounded, and by hash, so that a key costs the
//! same however long it is.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use parking_lot::Mutex;

use wastegate_core::types::{ManagerKey, Timestamp, UserId};

/// What happened to earlier lives of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Past {
    /// How many were evicted.
    pub evictions: u32,
    /// How many times it came back after that.
    pub returns: u32,
    /// When the last one was evicted, as long as it has not come back.
    pub away_since: Option<Timestamp>,
}

/// The pasts of the keys that were evicted most recently.
#[derive(Debug)]
pub struct History {
    keys_max: usize,
    hasher: RandomState,
    // Touched on eviction and on creation of a manager; held for a map operation.
    pasts: Mutex<Pasts>,
}

#[derive(Debug, Default)]
struct Pasts {
    by_key: HashMap<u64, Past>,
    /// In the order of their first eviction; the first is forgotten first.
    order: VecDeque<u64>,
}

impl History {
    /// Remembers at most so many keys.
    #[must_use]
    pub fn new(keys_max: usize) -> Self {
        Self {
            keys_max,
            hasher: RandomState::new(),
            pasts: Mutex::default(),
        }
    }

    fn hash(&self, user: &UserId, key: &ManagerKey) -> u64 {
        self.hasher.hash_one((user, key))
    }

    /// A manager was evicted.
    pub fn evicted(&self, user: &UserId, key: &ManagerKey, now: Timestamp) {
        // What has no name cannot come back.
        if self.keys_max == 0 || key.is_unnamed() {
            return;
        }
        let hash = self.hash(user, key);
        let mut pasts = self.pasts.lock();
        if !pasts.by_key.contains_key(&hash) {
            if pasts.order.len() >= self.keys_max
                && let Some(oldest) = pasts.order.pop_front()
            {
                pasts.by_key.remove(&oldest);
            }
            pasts.order.push_back(hash);
        }
        let past = pasts.by_key.entry(hash).or_default();
        past.evictions = past.evictions.saturating_add(1);
        past.away_since = Some(now);
    }

    /// A manager was created. If its key had been evicted it is back: since when it was away.
    pub fn created(&self, user: &UserId, key: &ManagerKey) -> Option<Timestamp> {
        let hash = self.hash(user, key);
        let mut pasts = self.pasts.lock();
        let past = pasts.by_key.get_mut(&hash)?;
        let away_since = past.away_since.take()?;
        past.returns = past.returns.saturating_add(1);
        Some(away_since)
    }

    /// What is remembered of a key.
    #[must_use]
    pub fn of(&self, user: &UserId, key: &ManagerKey) -> Past {
        let hash = self.hash(user, key);
        self.pasts
            .lock()
            .by_key
            .get(&hash)
            .copied()
            .unwrap_or_default()
    }

    /// How many keys are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pasts.lock().order.len()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_returns_and_forgets_the_oldest() {
        let (history, ann) = (History::new(2), UserId::new("ann").unwrap());
        let key = |name: &str| ManagerKey::new(name).unwrap();
        let at = Timestamp::from_millis;
        assert_eq!(history.created(&ann, &key("a")), None);
        history.evicted(&ann, &key("a"), at(5));
        assert_eq!(history.created(&ann, &key("a")), Some(at(5)));
        assert_eq!(history.created(&ann, &key("a")), None, "counted once");
        history.evicted(&ann, &key("a"), at(9));
        let past = Past {
            evictions: 2,
            returns: 1,
            away_since: Some(at(9)),
        };
        assert_eq!(history.of(&ann, &key("a")), past);
        history.evicted(&ann, &key("b"), at(9));
        history.evicted(&ann, &key("c"), at(9));
        assert_eq!(
            (history.len(), history.of(&ann, &key("a"))),
            (2, Past::default())
        );
    }
}
