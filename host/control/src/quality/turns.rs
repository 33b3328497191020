//! Two keys of a user that make each other go by turns: two devices that fight for one slot.

use std::hash::BuildHasher;

use wastegate_core::types::ManagerKey;

/// A run of so many is a fight: the first came back, and made the other go again.
pub(super) const PING_PONG_FROM: u32 = 3;

/// What is counted of one user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OfUser {
    pub(super) evictions: u64,
    pub(super) refused: u64,
    pub(super) turns: Turns,
}

/// The last victims of a user, as hashes, and how long they have gone by turns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Turns {
    last: Option<u64>,
    before: Option<u64>,
    run: u32,
    /// The longest run so far; 1 is no run.
    pub(super) deepest: u32,
}

impl Turns {
    pub(super) fn evicted(&mut self, key: &ManagerKey, hasher: &impl BuildHasher) {
        let key = hasher.hash_one(key);
        self.run = match (self.last, self.before) {
            (Some(last), _) if last == key => 1,
            (Some(_), Some(before)) if before == key => self.run.saturating_add(1),
            (Some(_), _) => 2,
            (None, _) => 1,
        };
        self.before = self.last.replace(key);
        self.deepest = self.deepest.max(self.run);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deepest(victims: &str) -> u32 {
        let (mut turns, hasher) = (Turns::default(), std::hash::RandomState::new());
        for victim in victims.chars() {
            let key = ManagerKey::new(&victim.to_string()).unwrap();
            turns.evicted(&key, &hasher);
        }
        turns.deepest
    }

    #[test]
    fn a_run_is_of_two_keys_by_turns() {
        let cases = [
            ("", 0),
            ("A", 1),
            ("AA", 1),
            ("AB", 2),
            ("ABA", 3),
            ("ABABAB", 6),
            ("ABCABC", 2),
            ("ABABCBCB", 5),
            ("AABB", 2),
        ];
        for (victims, depth) in cases {
            assert_eq!(deepest(victims), depth, "{victims}");
        }
    }
}
