//! Keeps a flood of events from becoming a flood of log lines.
//!
//! A [`Throttle`] only says whether a line may be written and how many were held back since the
//! last one; the caller writes it, with its own fields and level. It counts nothing that anything
//! else relies on: a metric beside the line has the full number.
//!
//! ```
//! # use wastegate::observe::Throttle;
//! # use wastegate_core::types::Timestamp;
//! # let now = Timestamp::ZERO;
//! let refused = Throttle::new(std::time::Duration::from_secs(1));
//! if let Some(suppressed) = refused.pass(now, "user-limit") {
//!     tracing::warn!(reason = "user-limit", suppressed, "connections refused");
//! }
//! ```

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use parking_lot::Mutex;

use wastegate_core::types::Timestamp;

/// How many keys are told apart. Beyond it, all further keys share one line per interval.
pub(crate) const THROTTLE_KEYS_MAX: usize = 1_024;

/// Lets one line per key and interval pass. Keys are best members of a closed enum.
#[derive(Debug)]
pub struct Throttle<K> {
    interval: Duration,
    // A lock, because any task may have something to say; held for one look-up.
    state: Mutex<State<K>>,
}

#[derive(Debug)]
struct State<K> {
    keys: HashMap<K, Gate>,
    /// For the keys that found no place.
    others: Option<Gate>,
}

#[derive(Debug)]
struct Gate {
    passed: Timestamp,
    suppressed: u64,
}

impl<K: Eq + Hash> Throttle<K> {
    /// At most one line per key in that time.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self {
            interval,
            state: Mutex::new(State {
                keys: HashMap::new(),
                others: None,
            }),
        }
    }

    /// At most one line per key and second.
    #[must_use]
    pub(crate) fn every_second() -> Self {
        Self::new(Duration::from_secs(1))
    }

    /// Whether a line for `key` may be written now, and if so how many before it were not.
    pub fn pass(&self, now: Timestamp, key: K) -> Option<u64> {
        let mut state = self.state.lock();
        let State { keys, others } = &mut *state;
        if keys.len() >= THROTTLE_KEYS_MAX && !keys.contains_key(&key) {
            keys.retain(|_, gate| gate.suppressed > 0 || now.since(gate.passed) < self.interval);
        }
        let full = keys.len() >= THROTTLE_KEYS_MAX;
        let gate = match keys.get_mut(&key) {
            Some(gate) => Some(gate),
            None if full => others.as_mut(),
            None => None,
        };
        match gate {
            Some(gate) if now.since(gate.passed) < self.interval => {
                gate.suppressed = gate.suppressed.saturating_add(1);
                None
            }
            Some(gate) => {
                gate.passed = now;
                Some(std::mem::take(&mut gate.suppressed))
            }
            None => {
                let gate = Gate {
                    passed: now,
                    suppressed: 0,
                };
                if full {
                    *others = Some(gate);
                } else {
                    keys.insert(key, gate);
                }
                Some(0)
            }
        }
    }

    /// The keys whose flood has ended with lines held back, each with their number, so that a
    /// periodic caller can tell the rest. Their counts start again.
    pub fn overdue(&self, now: Timestamp) -> Vec<(K, u64)> {
        self.state
            .lock()
            .keys
            .extract_if(|_, gate| gate.suppressed > 0 && now.since(gate.passed) >= self.interval)
            .map(|(key, gate)| (key, gate.suppressed))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_flood_is_one_line_a_second_with_the_count_of_the_rest() {
        let throttle = Throttle::every_second();
        let lines: Vec<u64> = (0..2_500)
            .filter_map(|ms| throttle.pass(at(ms), "full"))
            .collect();
        assert_eq!(lines, [0, 999, 999]);
    }

    #[test]
    fn keys_do_not_silence_each_other() {
        let throttle = Throttle::every_second();
        assert_eq!(throttle.pass(at(0), "a"), Some(0));
        assert_eq!(throttle.pass(at(1), "b"), Some(0));
        assert_eq!(throttle.pass(at(2), "a"), None);
    }

    #[test]
    fn the_rest_of_a_flood_can_be_told_once() {
        let throttle = Throttle::every_second();
        for ms in 0..5 {
            throttle.pass(at(ms), "a");
        }
        assert_eq!(throttle.overdue(at(900)), []);
        assert_eq!(throttle.overdue(at(1_000)), [("a", 4)]);
        assert_eq!(throttle.overdue(at(2_000)), []);
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let throttle = Throttle::every_second();
        let lines = (0..10 * THROTTLE_KEYS_MAX).filter(|&key| throttle.pass(at(0), key).is_some());
        assert_eq!(lines.count(), THROTTLE_KEYS_MAX + 1);
        assert_eq!(
            throttle.pass(at(1_000), usize::MAX),
            Some(0),
            "old keys make room"
        );
    }
}
