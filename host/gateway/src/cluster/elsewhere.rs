//! How much users were last known to hold on other nodes: what an admission goes by while the engine is away.
//!
//! Two generations, so that it is bounded and the users that were asked for lately stay: the older one is dropped
//! when the newer one is full. A user that is not known counts as holding nothing elsewhere.

use std::collections::HashMap;

use parking_lot::Mutex;

use wastegate_core::types::UserId;

/// Users in one generation.
const GENERATION_MAX: usize = 50_000;

/// What users hold elsewhere.
#[derive(Debug, Default)]
pub(super) struct HeldElsewhere {
    // Held for a map operation.
    generations: Mutex<[HashMap<UserId, u32>; 2]>,
}

impl HeldElsewhere {
    /// Remembers it.
    pub(super) fn note(&self, user: &UserId, held: u32) {
        let mut generations = self.generations.lock();
        let [new, old] = &mut *generations;
        old.remove(user);
        if held == 0 {
            new.remove(user);
            return;
        }
        if new.len() >= GENERATION_MAX && !new.contains_key(user) {
            *old = std::mem::take(new);
        }
        new.insert(user.clone(), held);
    }

    /// What was remembered last; 0 if nothing was.
    pub(super) fn of(&self, user: &UserId) -> u32 {
        let generations = self.generations.lock();
        let mut known = generations.iter().filter_map(|it| it.get(user));
        known.next().copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_of_late_are_known_and_no_more_than_two_generations() {
        let held = HeldElsewhere::default();
        let user = |number: usize| UserId::new(&format!("u{number}")).unwrap();
        held.note(&user(0), 7);
        assert_eq!((held.of(&user(0)), held.of(&user(1))), (7, 0));
        held.note(&user(0), 0);
        assert_eq!(held.of(&user(0)), 0);
        for number in 0..=2 * GENERATION_MAX {
            held.note(&user(number), 3);
        }
        assert_eq!(held.of(&user(0)), 0, "the oldest are forgotten");
        assert_eq!(held.of(&user(2 * GENERATION_MAX)), 3);
        let kept: usize = held.generations.lock().iter().map(HashMap::len).sum();
        assert!(kept <= 2 * GENERATION_MAX);
    }
}
