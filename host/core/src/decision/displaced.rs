//! Managers that were evicted while they answered, and for how long none of them may displace another
//! one in return.
//!
//! Without this rule one client too many rotates all others for ever: each that is evicted connects
//! again and evicts the next. The clients cannot be trusted to stop, so the end of the rotation is
//! decided here. A manager that was displaced may come back into a free slot at any time; for a *hold*
//! it may not displace another one. Each time a manager that comes back does displace another one
//! after its hold, the user's next holds are twice as long, up to a maximum, and so is the wait of all
//! others of the user that were displaced. With the defaults (60 s, doubling to 10 min) returning
//! managers displace at most ten others of a user in an hour, however many they are. Temporary
//! slots are not lent to a manager that was displaced within the hour, since at the end of the loan one
//! that answers would go for it.
//!
//! Managers without a name of their own cannot be told apart, so they share one hold.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::types::time::doubled;
use crate::types::{ManagerKey, Timestamp, UserId};

/// Users that are remembered at once. Above it, those whose holds are over are forgotten, and then all:
/// a bounded map matters more, and the ration of `force` still holds.
const USERS_MAX: usize = 10_000;
/// Keys of one user that are remembered at once. Above it the oldest is forgotten.
const KEYS_MAX: usize = 256;
/// For how long after its last one a user's returns lengthen its holds.
const STRIKES_FOR: Duration = Duration::from_secs(3_600);
/// The shortest wait that makes sense to a client.
const WAIT_MIN: Duration = Duration::from_secs(1);

/// How long a hold lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// The first one; zero for no holds at all.
    pub first: Duration,
    /// The longest one.
    pub max: Duration,
}

impl Hold {
    /// No manager is ever on hold: every duration is zero.
    pub const OFF: Self = Self {
        first: Duration::ZERO,
        max: Duration::ZERO,
    };
}

/// Who was displaced.
#[derive(Debug)]
pub struct Displaced {
    hold: Hold,
    // Touched when a manager that answers is evicted, and by admissions that could evict one; held for
    // a map operation.
    users: Mutex<HashMap<UserId, OfUser>>,
}

#[derive(Debug, Default)]
struct OfUser {
    /// By key; none stands for all managers without a name.
    keys: HashMap<Option<ManagerKey>, Entry>,
    strikes: u32,
    struck_at: Timestamp,
    /// Until then none that was displaced may displace another one.
    until: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    at: Timestamp,
    until: Timestamp,
    refusals: u32,
}

impl Entry {
    /// For how long it is held, where all of its user's wait until `until`.
    fn left(&self, until: Timestamp, now: Timestamp) -> Duration {
        self.until.max(until).since(now)
    }
}

impl OfUser {
    fn strikes(&self, now: Timestamp) -> u32 {
        if now.since(self.struck_at) < STRIKES_FOR {
            self.strikes
        } else {
            0
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.strikes(now) == 0 && self.keys.values().all(|entry| entry.until <= now)
    }
}

/// What a key is remembered by.
fn name(key: &ManagerKey) -> Option<ManagerKey> {
    (!key.is_unnamed()).then(|| key.clone())
}

impl Displaced {
    /// Nobody was displaced yet.
    #[must_use]
    pub fn new(hold: Hold) -> Self {
        Self {
            hold,
            users: Mutex::default(),
        }
    }

    /// Whether there are holds at all.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        !self.hold.first.is_zero()
    }

    /// A manager was evicted while it answered.
    pub fn record(&self, user: &UserId, key: &ManagerKey, now: Timestamp) {
        if !self.is_on() {
            return;
        }
        let mut users = self.users.lock();
        if users.len() >= USERS_MAX && !users.contains_key(user) {
            users.retain(|_, of| !of.is_over(now));
            if users.len() >= USERS_MAX {
                users.clear();
            }
        }
        let of = users.entry(user.clone()).or_default();
        let lasting = doubled(self.hold.first, of.strikes(now), self.hold.max);
        let name = name(key);
        if of.keys.len() >= KEYS_MAX && !of.keys.contains_key(&name) {
            let oldest = of.keys.iter().min_by_key(|(_, entry)| entry.at);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                of.keys.remove(&oldest);
            }
        }
        let entry = Entry {
            at: now,
            until: now.after(lasting),
            refusals: 0,
        };
        of.keys.insert(name, entry);
    }

    /// For how long a manager of that key may not displace another one.
    #[must_use]
    pub fn held_for(&self, user: &UserId, key: &ManagerKey, now: Timestamp) -> Option<Duration> {
        let users = self.users.lock();
        let of = users.get(user)?;
        let entry = of.keys.get(&name(key))?;
        Some(entry.left(of.until, now)).filter(|left| !left.is_zero())
    }

    /// Whether a manager of that key was displaced within the hour and has not displaced another one since.
    #[must_use]
    pub fn is_away(&self, user: &UserId, key: &ManagerKey, now: Timestamp) -> bool {
        let users = self.users.lock();
        let entry = users.get(user).and_then(|of| of.keys.get(&name(key)));
        entry.is_some_and(|entry| now.since(entry.at) < STRIKES_FOR)
    }

    /// Counts a refusal for that reason. Returns when another try makes sense: twice as long after each
    /// refusal, and no later than the hold ends.
    pub fn refuse(
        &self,
        user: &UserId,
        key: &ManagerKey,
        first: Duration,
        now: Timestamp,
    ) -> Duration {
        let mut users = self.users.lock();
        let Some(of) = users.get_mut(user) else {
            return first;
        };
        let until = of.until;
        let Some(entry) = of.keys.get_mut(&name(key)) else {
            return first;
        };
        let left = entry.left(until, now);
        let wait = doubled(first, entry.refusals, left).min(left);
        entry.refusals = entry.refusals.saturating_add(1);
        wait.max(WAIT_MIN)
    }

    /// A manager of that key displaced another one. If it had been displaced itself, the user's next
    /// holds are longer, and the others that were displaced wait for as long. True if it had been.
    pub fn returned(&self, user: &UserId, key: &ManagerKey, now: Timestamp) -> bool {
        let mut users = self.users.lock();
        let Some(of) = users.get_mut(user) else {
            return false;
        };
        let was_displaced = of.keys.remove(&name(key)).is_some();
        if was_displaced {
            of.strikes = of.strikes(now).saturating_add(1);
            of.struck_at = now;
            of.until = now.after(doubled(self.hold.first, of.strikes, self.hold.max));
        }
        was_displaced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn displaced() -> (Displaced, UserId, impl Fn(&str) -> ManagerKey) {
        let hold = Hold {
            first: Duration::from_secs(60),
            max: Duration::from_secs(600),
        };
        let key = |name: &str| ManagerKey::new(name).unwrap();
        (Displaced::new(hold), UserId::new("ann").unwrap(), key)
    }

    #[test]
    fn a_hold_is_a_keys_own_and_ends() {
        let (displaced, ann, key) = displaced();
        assert_eq!(displaced.held_for(&ann, &key("a"), s(0)), None);
        displaced.record(&ann, &key("a"), s(0));
        let left = |name: &str, now| displaced.held_for(&ann, &key(name), s(now));
        assert_eq!(left("a", 20), Some(Duration::from_secs(40)));
        assert_eq!((left("b", 20), left("a", 60)), (None, None));
        let bob = UserId::new("bob").unwrap();
        assert_eq!(displaced.held_for(&bob, &key("a"), s(20)), None);
    }

    /// Beyond its hold, and until it has displaced another one.
    #[test]
    fn who_was_displaced_is_away_for_an_hour() {
        let (displaced, ann, key) = displaced();
        displaced.record(&ann, &key("a"), s(0));
        let away = |name: &str, now| displaced.is_away(&ann, &key(name), s(now));
        assert!(away("a", 61) && away("a", 3_599));
        assert!(!away("a", 3_600) && !away("b", 61));
        displaced.returned(&ann, &key("a"), s(62));
        assert!(!displaced.is_away(&ann, &key("a"), s(63)));
    }

    #[test]
    fn retries_grow_and_end_with_the_hold() {
        let (displaced, ann, key) = displaced();
        displaced.record(&ann, &key("a"), s(0));
        let first = Duration::from_secs(5);
        let waits: Vec<u64> = [0, 1, 2, 3, 50]
            .map(|now| displaced.refuse(&ann, &key("a"), first, s(now)).as_secs())
            .into();
        assert_eq!(waits, [5, 10, 20, 40, 10]);
    }

    /// Twenty-one that connect again at once: in an hour the returning ones displace at most ten.
    #[test]
    fn rotation_slows_down_whatever_the_clients_do() {
        let (displaced, ann, key) = displaced();
        let mut away = 20;
        let mut evictions = vec![0];
        displaced.record(&ann, &key("k20"), s(0));
        for now in 1..3_600 {
            let newcomer = key(&format!("k{away}"));
            if displaced.held_for(&ann, &newcomer, s(now)).is_none() {
                displaced.returned(&ann, &newcomer, s(now));
                away = (away + 1) % 21;
                displaced.record(&ann, &key(&format!("k{away}")), s(now));
                evictions.push(now);
            }
        }
        assert_eq!(
            evictions,
            [0, 60, 180, 420, 900, 1_500, 2_100, 2_700, 3_300]
        );
    }

    /// Several that come back at once do not make it faster.
    #[test]
    fn returning_managers_wait_for_each_other() {
        let (displaced, ann, key) = displaced();
        for name in ["a", "b", "c"] {
            displaced.record(&ann, &key(name), s(0));
        }
        displaced.returned(&ann, &key("a"), s(60));
        let left = displaced.held_for(&ann, &key("b"), s(60));
        assert_eq!(left, Some(Duration::from_secs(120)));
        displaced.returned(&ann, &key("b"), s(180));
        let wait = displaced.refuse(&ann, &key("c"), Duration::from_secs(500), s(180));
        assert_eq!(wait, Duration::from_secs(240));
        assert_eq!(displaced.held_for(&ann, &key("d"), s(180)), None);
    }

    /// Keys without a name share one hold.
    #[test]
    fn what_has_no_name_is_held_together() {
        let (displaced, ann, key) = displaced();
        displaced.record(&ann, &ManagerKey::unnamed(), s(0));
        assert!(
            displaced
                .held_for(&ann, &ManagerKey::unnamed(), s(1))
                .is_some()
        );
        assert!(displaced.held_for(&ann, &key("a"), s(1)).is_none());
    }

    #[test]
    fn the_maps_are_bounded() {
        let (displaced, ann, key) = displaced();
        for number in 0..3 * KEYS_MAX {
            displaced.record(&ann, &key(&format!("k{number}")), s(0));
        }
        for number in 0..USERS_MAX + 5 {
            let user = UserId::new(&format!("u{number}")).unwrap();
            displaced.record(&user, &key("k"), s(0));
        }
        let users = displaced.users.lock();
        assert!(users.len() <= USERS_MAX);
        assert!(users.values().all(|of| of.keys.len() <= KEYS_MAX));
    }
}
