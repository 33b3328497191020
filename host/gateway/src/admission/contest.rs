//! Two clients that take each other's place as the same device, over and over.
//!
//! A newer connection of a device takes over its older one. Two clients with one device name, each
//! connecting again as soon as it was taken over, would do so for ever. The first takeovers in a while
//! are free, since a client that changes its network needs one; each further one has to wait twice as
//! long. What does not answer is taken over at any time.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use super::config::Config;
use wastegate_core::types::time::doubled;
use wastegate_core::types::{DeviceId, ManagerKey, Timestamp, UserId};

/// Devices that are counted at once. Above it, those that are quiet are forgotten, and then all: a
/// bounded map matters more.
const DEVICES_MAX: usize = 10_000;
/// The first wait; each next one is twice as long.
const WAIT_FIRST: Duration = Duration::from_secs(1);

type Device = (UserId, ManagerKey, DeviceId);

/// How often connections of one device replaced each other.
#[derive(Debug, Default)]
pub(super) struct Contests {
    // Held for a map operation; only takeovers of connections that answer come here.
    devices: Mutex<HashMap<Device, Contest>>,
}

#[derive(Debug, Clone, Copy)]
struct Contest {
    takeovers: u32,
    last: Timestamp,
    until: Timestamp,
    refusals: u32,
}

impl Contests {
    /// Counts a takeover of a connection that answers, unless it comes too soon: then how long the
    /// newcomer has to wait.
    pub(super) fn take_over(
        &self,
        device: Device,
        config: &Config,
        now: Timestamp,
    ) -> Result<(), Duration> {
        if config.takeovers_max == 0 {
            return Ok(());
        }
        let quiet = |contest: &Contest| {
            now.since(contest.last) >= config.takeover_window && contest.until <= now
        };
        let mut devices = self.devices.lock();
        if devices.len() >= DEVICES_MAX && !devices.contains_key(&device) {
            devices.retain(|_, contest| !quiet(contest));
            if devices.len() >= DEVICES_MAX {
                devices.clear();
            }
        }
        let fresh = Contest {
            takeovers: 0,
            last: now,
            until: now,
            refusals: 0,
        };
        let contest = devices.entry(device).or_insert(fresh);
        if quiet(contest) {
            *contest = fresh;
        }
        let wait = |times: u32| doubled(WAIT_FIRST, times, config.takeover_window);
        let left = contest.until.since(now);
        if !left.is_zero() {
            let wait = wait(contest.refusals).max(left);
            contest.refusals = contest.refusals.saturating_add(1);
            return Err(wait);
        }
        contest.takeovers = contest.takeovers.saturating_add(1);
        contest.last = now;
        if let Some(more) = contest.takeovers.checked_sub(config.takeovers_max) {
            contest.until = now.after(wait(more));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn device(name: &str) -> Device {
        (
            UserId::new("ann").unwrap(),
            ManagerKey::new("k").unwrap(),
            DeviceId::new(name).unwrap(),
        )
    }

    /// Two that fight for a minute, every ten milliseconds: a handful of takeovers.
    #[test]
    fn a_fight_slows_down_whatever_the_clients_do() {
        let (contests, config) = (Contests::default(), Config::default());
        let mut taken = Vec::new();
        for ms in (0..60_000).step_by(10) {
            if contests.take_over(device("d"), &config, at(ms)).is_ok() {
                taken.push(ms);
            }
        }
        assert_eq!(
            taken,
            [0, 10, 20, 30, 40, 1_040, 3_040, 7_040, 15_040, 31_040]
        );
        assert_eq!(contests.take_over(device("e"), &config, at(60_000)), Ok(()));
        // Quiet for a window after its last wait: as at first.
        assert_eq!(
            contests.take_over(device("d"), &config, at(300_000)),
            Ok(())
        );
        assert_eq!(
            contests.take_over(device("d"), &config, at(300_010)),
            Ok(())
        );
    }

    #[test]
    fn waits_grow_and_a_limit_of_zero_is_none() {
        let config = Config {
            takeovers_max: 1,
            ..Config::default()
        };
        let contests = Contests::default();
        contests.take_over(device("d"), &config, at(0)).unwrap();
        let waits: Vec<u64> = (0..4)
            .map(|_| contests.take_over(device("d"), &config, at(0)).unwrap_err())
            .map(|wait| wait.as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8]);
        let off = Config {
            takeovers_max: 0,
            ..Config::default()
        };
        assert!((0..100).all(|_| contests.take_over(device("f"), &off, at(0)).is_ok()));
    }
}
