//! Clients that come and go, over and over: a page that reloads itself, a client without a pause, a
//! stolen token. After too many short lives in a while they are told to stay away for a time that
//! grows with every ban.
//!
//! Counted by user, device and address together: a device that comes and goes does not keep its owner's
//! other devices out, and no client can have another one banned. What names no device is counted by its
//! manager's key, and what names neither by user and address. A life that
//! ended with a polite Close was meant to be short and does not count; nor does one that we ended.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use super::identity::Identity;
use super::peer::ClientNetwork;
use wastegate_core::types::time::doubled;
use wastegate_core::types::{CloseReason, DeviceId, ManagerKey, Timestamp, UserId};

/// Clients that are counted at once. Above it, those who are quiet are forgotten,
/// and then everybody: a bounded map matters more.
const FLAPPERS_MAX: usize = 100_000;

/// When a client is refused for a while because its connections end too soon and too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Short lives within `window` that are too many; 0 for no bans. 60.
    pub lives_max: u32,
    /// What counts as short. 5 s.
    pub short_life: Duration,
    /// The window of `lives_max`. 60 s.
    pub window: Duration,
    /// How long the first ban lasts; each next one twice as long. 10 s.
    pub ban: Duration,
    /// How long any ban lasts at most. 10 min.
    pub ban_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lives_max: 60,
            short_life: Duration::from_secs(5),
            window: Duration::from_secs(60),
            ban: Duration::from_secs(10),
            ban_max: Duration::from_secs(600),
        }
    }
}

/// What is counted as one client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Who {
    user: UserId,
    device: Option<DeviceId>,
    key: Option<ManagerKey>,
    from: ClientNetwork,
}

impl Who {
    /// The client of an identity at an address.
    #[must_use]
    pub fn new(identity: &Identity, from: ClientNetwork) -> Self {
        let Identity {
            user, key, device, ..
        } = identity;
        let device = (!device.is_unnamed()).then(|| device.clone());
        let key = (device.is_none() && !key.is_unnamed()).then(|| key.clone());
        Self {
            user: user.clone(),
            device,
            key,
            from,
        }
    }
}

impl Who {
    /// Whose client it is.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.user
    }

    /// What tells it from the user's others, the same on each node.
    #[must_use]
    pub fn description(&self) -> String {
        format!("{:?}", (&self.device, &self.key, self.from))
    }
}

#[derive(Debug)]
struct Flapper {
    since: Timestamp,
    lives: u32,
    bans: u32,
    banned_until: Timestamp,
}

impl Flapper {
    /// Whether it has been good for as long as the longest ban lasts.
    fn is_quiet(&self, config: &Config, now: Timestamp) -> bool {
        now.since(self.since) >= config.window && now.since(self.banned_until) >= config.ban_max
    }
}

/// Who comes and goes.
#[derive(Debug, Default)]
pub(crate) struct Flapping {
    // Held for a map operation, or for one clean-up of the whole map when it is full.
    flappers: Mutex<HashMap<Who, Flapper>>,
}

impl Flapping {
    /// For how long a client has to stay away, if it has to.
    #[must_use]
    pub(crate) fn banned(&self, who: &Who, now: Timestamp) -> Option<Duration> {
        let flappers = self.flappers.lock();
        let until = flappers.get(who)?.banned_until;
        Some(until.since(now)).filter(|left| !left.is_zero())
    }

    /// Takes note of a life that is over. For how long the client has to stay away, if it was one too many.
    pub(crate) fn ended(
        &self,
        who: &Who,
        reason: CloseReason,
        lasted: Duration,
        config: &Config,
        now: Timestamp,
    ) -> Option<Duration> {
        let counts = matches!(
            reason,
            CloseReason::ClientGone | CloseReason::ClientLeft | CloseReason::ProtocolError
        );
        if config.lives_max == 0 || !counts || lasted >= config.short_life {
            return None;
        }
        let mut flappers = self.flappers.lock();
        if flappers.len() >= FLAPPERS_MAX {
            flappers.retain(|_, flapper| !flapper.is_quiet(config, now));
        }
        if flappers.len() >= FLAPPERS_MAX {
            flappers.clear();
        }
        let fresh = || Flapper {
            since: now,
            lives: 0,
            bans: 0,
            banned_until: Timestamp::ZERO,
        };
        let flapper = flappers.entry(who.clone()).or_insert_with(fresh);
        if flapper.is_quiet(config, now) {
            *flapper = fresh();
        }
        if now.since(flapper.since) >= config.window {
            (flapper.since, flapper.lives) = (now, 0);
        }
        flapper.lives += 1;
        if flapper.lives < config.lives_max {
            return None;
        }
        let ban = doubled(config.ban, flapper.bans, config.ban_max);
        flapper.banned_until = now.after(ban);
        flapper.bans += 1;
        (flapper.since, flapper.lives) = (now, 0);
        Some(ban)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn config() -> Config {
        Config {
            lives_max: 3,
            ..Config::default()
        }
    }

    fn live(flapping: &Flapping, user: &str, reason: CloseReason, lasted: u64, now: u64) -> bool {
        let lasted = Duration::from_secs(lasted);
        flapping
            .ended(
                &who(user, "d", "192.0.2.1"),
                reason,
                lasted,
                &config(),
                at(now),
            )
            .is_some()
    }

    fn who(user: &str, device: &str, address: &str) -> Who {
        let from = ClientNetwork::from(address.parse::<IpAddr>().unwrap());
        let key = ManagerKey::new("k").unwrap();
        let device = DeviceId::new(device).unwrap();
        Who::new(
            &Identity::new(UserId::new(user).unwrap(), key, device),
            from,
        )
    }

    fn banned(flapping: &Flapping, user: &str, address: &str, now: u64) -> Option<u64> {
        let left = flapping.banned(&who(user, "d", address), at(now));
        left.map(|left| left.as_secs())
    }

    #[test]
    fn bans_grow_and_hit_that_device_of_that_user_at_that_address_only() {
        let flapping = Flapping::default();
        let gone = CloseReason::ClientGone;
        let thrice = |now| (0..3).map(|_| live(&flapping, "ann", gone, 1, now)).last();
        assert_eq!(thrice(0), Some(true));
        assert_eq!(banned(&flapping, "ann", "192.0.2.1", 4), Some(6));
        assert_eq!(banned(&flapping, "ann", "192.0.2.2", 4), None);
        assert_eq!(banned(&flapping, "bob", "192.0.2.1", 4), None);
        let other_device = flapping.banned(&who("ann", "e", "192.0.2.1"), at(4));
        assert_eq!(other_device, None, "its owner's other devices may come");
        assert_eq!(banned(&flapping, "ann", "192.0.2.1", 10), None);
        assert_eq!(thrice(11), Some(true));
        assert_eq!(banned(&flapping, "ann", "192.0.2.1", 11), Some(20));
        for now in [40, 200, 500, 1_200, 2_000, 3_000] {
            thrice(now);
        }
        assert_eq!(banned(&flapping, "ann", "192.0.2.1", 3_000), Some(600));
        // Good for as long as the longest ban: forgotten.
        thrice(10_000);
        assert_eq!(banned(&flapping, "ann", "192.0.2.1", 10_000), Some(10));
    }

    #[test]
    fn long_polite_and_evicted_lives_do_not_count() {
        let flapping = Flapping::default();
        for _ in 0..9 {
            assert!(!live(&flapping, "ann", CloseReason::ClientGone, 5, 0));
            assert!(!live(&flapping, "ann", CloseReason::ClientClosed, 1, 0));
            assert!(!live(&flapping, "ann", CloseReason::Shutdown, 1, 0));
        }
        // Nor do a few in each window.
        for now in [0, 0, 61, 61, 122] {
            assert!(!live(&flapping, "ann", CloseReason::ClientGone, 1, now));
        }
    }
}
