//! How often a user may attempt an upgrade: a fixed window per user.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use super::config::Config;
use wastegate_core::types::{Timestamp, UserId};

/// Counts attempts per user, one window after the other.
#[derive(Debug, Default)]
pub(super) struct Rate {
    // Held for a map operation, or for one clean-up of the whole map when it is full.
    attempts: Mutex<HashMap<UserId, Window>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    since: Timestamp,
    attempts: u32,
}

impl Rate {
    /// Counts an attempt. If it is one too many: how long until the window is over.
    pub(super) fn attempt(
        &self,
        user: &UserId,
        config: &Config,
        now: Timestamp,
    ) -> Result<(), Duration> {
        if config.rate_max == 0 {
            return Ok(());
        }
        let mut attempts = self.attempts.lock();
        if attempts.len() >= config.rate_users_max && !attempts.contains_key(user) {
            make_space(&mut attempts, config, now);
        }
        let window = attempts.entry(user.clone()).or_insert(Window {
            since: now,
            attempts: 0,
        });
        if now.since(window.since) >= config.rate_window {
            *window = Window {
                since: now,
                attempts: 0,
            };
        }
        if window.attempts >= config.rate_max {
            return Err(config.rate_window.saturating_sub(now.since(window.since)));
        }
        window.attempts += 1;
        Ok(())
    }
}

/// Forgets the windows that are over; if none is, the oldest half, for a bound must hold.
fn make_space(attempts: &mut HashMap<UserId, Window>, config: &Config, now: Timestamp) {
    attempts.retain(|_, window| now.since(window.since) < config.rate_window);
    if attempts.len() < config.rate_users_max {
        return;
    }
    let mut starts: Vec<Timestamp> = attempts.values().map(|window| window.since).collect();
    let middle = starts.len() / 2;
    let (_, median, _) = starts.select_nth_unstable(middle);
    let median = *median;
    attempts.retain(|_, window| window.since > median);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// L12: ten in a minute, the eleventh is told to wait, others are not affected.
    #[test]
    fn l12_the_eleventh_in_a_minute_waits() {
        let config = Config {
            rate_max: 10,
            ..Config::default()
        };
        let (rate, ann, bob) = (
            Rate::default(),
            UserId::new("ann").unwrap(),
            UserId::new("bob").unwrap(),
        );
        for second in 0..10 {
            assert_eq!(rate.attempt(&ann, &config, s(second)), Ok(()));
        }
        assert_eq!(
            rate.attempt(&ann, &config, s(20)),
            Err(Duration::from_secs(40))
        );
        assert_eq!(rate.attempt(&bob, &config, s(20)), Ok(()));
        assert_eq!(rate.attempt(&ann, &config, s(60)), Ok(()));
    }

    #[test]
    fn the_map_is_bounded() {
        let config = Config {
            rate_max: 1,
            rate_users_max: 8,
            ..Config::default()
        };
        let rate = Rate::default();
        for number in 0..100 {
            let user = UserId::new(&format!("u{number}")).unwrap();
            rate.attempt(&user, &config, Timestamp::from_millis(number))
                .unwrap();
            assert!(rate.attempts.lock().len() <= 8);
        }
    }
}
