//! What was said about a manager, by whom: hints of its client, pins of the application and of
//! operators. Hints never make it untouchable; pins do, and expire.

use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

use super::lifetimes::Lifetimes;
use crate::types::{Protection, ProtectionReason, Timestamp};

/// What kind of machine a client runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DeviceClass {
    /// The client did not report a class.
    #[default]
    Unknown,
    /// A desktop or laptop.
    Desktop,
    /// A phone or tablet; it may be suspended without notice.
    Mobile,
    /// The client is another server.
    Server,
}

impl DeviceClass {
    /// Its code in the `device-class` signal.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Desktop => 1,
            Self::Mobile => 2,
            Self::Server => 3,
        }
    }
}

/// A pin: until when nothing may evict the manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// It holds until then.
    pub until: Timestamp,
}

const HIDDEN: u8 = 0;
const VISIBLE: u8 = 1;
const UNSAID: u8 = 2;

/// What was said about one manager. Plain cells: each is one independent number.
#[derive(Debug)]
pub struct Hints {
    priority: AtomicI32,
    visibility: AtomicU8,
    device_class: AtomicU8,
    in_flight: AtomicU32,
    pinned_until: AtomicU64,
    protected_class: AtomicU8,
}

impl Default for Hints {
    fn default() -> Self {
        Self {
            priority: AtomicI32::new(0),
            visibility: AtomicU8::new(UNSAID),
            device_class: AtomicU8::new(0),
            in_flight: AtomicU32::new(0),
            pinned_until: AtomicU64::new(0),
            protected_class: AtomicU8::new(0),
        }
    }
}

impl Hints {
    /// Higher is more important; 0 by default.
    pub fn set_priority(&self, priority: i32) {
        self.priority.store(priority, Relaxed);
    }

    /// The hinted priority.
    #[must_use]
    pub fn priority(&self) -> i32 {
        self.priority.load(Relaxed)
    }

    /// Whether the user can see it.
    pub fn set_visible(&self, visible: bool) {
        self.visibility
            .store(if visible { VISIBLE } else { HIDDEN }, Relaxed);
    }

    /// Whether the user can see it; none if the client never said.
    #[must_use]
    pub fn visible(&self) -> Option<bool> {
        match self.visibility.load(Relaxed) {
            HIDDEN => Some(false),
            VISIBLE => Some(true),
            _ => None,
        }
    }

    /// What its client runs on.
    pub fn set_device_class(&self, class: DeviceClass) {
        self.device_class.store(class.code(), Relaxed);
    }

    /// The code of what its client runs on.
    #[must_use]
    pub fn device_class_code(&self) -> u8 {
        self.device_class.load(Relaxed)
    }

    /// Sets the number of units of work in flight.
    pub fn set_in_flight(&self, units: u32) {
        self.in_flight.store(units, Relaxed);
    }

    /// One unit more; how many there were before.
    pub fn begin_work(&self) -> u32 {
        self.in_flight.fetch_add(1, Relaxed)
    }

    /// One unit less; how many there were before. None if there was none: a client may have set the number
    /// meanwhile.
    pub fn end_work(&self) -> Option<u32> {
        let fewer = |units: u32| units.checked_sub(1);
        self.in_flight.fetch_update(Relaxed, Relaxed, fewer).ok()
    }

    /// Units of work in flight.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// Its user belongs to a protected class, as the identity says.
    pub fn set_protected_class(&self, protected: bool) {
        self.protected_class.store(u8::from(protected), Relaxed);
    }

    /// Whether its user belongs to a protected class.
    #[must_use]
    pub fn is_protected_class(&self) -> bool {
        self.protected_class.load(Relaxed) > 0
    }

    /// Pins it, at most for `pin_max`. The registry checks the user's budget before it calls this.
    pub fn pin(&self, pin: Pin) {
        self.pinned_until.store(pin.until.micros(), Relaxed);
    }

    /// Takes a pin away.
    pub fn unpin(&self) {
        self.pinned_until.store(0, Relaxed);
    }

    /// Until when it is pinned, or was last.
    #[must_use]
    pub fn pinned_until(&self) -> Timestamp {
        Timestamp::from_micros(self.pinned_until.load(Relaxed))
    }

    /// Whether a pin holds now.
    #[must_use]
    pub fn is_pinned(&self, now: Timestamp) -> bool {
        self.pinned_until.load(Relaxed) > now.micros()
    }

    /// How strongly the manager is held now.
    #[must_use]
    pub fn protection(
        &self,
        config: &Lifetimes,
        active: Option<Timestamp>,
        now: Timestamp,
    ) -> Protection {
        let recent = !config.recently_active.is_zero()
            && active.is_some_and(|active| now.since(active) < config.recently_active);
        if self.is_pinned(now) {
            Protection::Pinned
        } else if config.trust_hints && self.in_flight() > 0 {
            Protection::Protected(ProtectionReason::InFlight)
        } else if self.protected_class.load(Relaxed) > 0 {
            Protection::Protected(ProtectionReason::UserClass)
        } else if recent {
            Protection::Protected(ProtectionReason::RecentlyActive)
        } else {
            Protection::Evictable
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn pins_outrank_hints_and_expire() {
        let (hints, config) = (Hints::default(), Lifetimes::default());
        let at = Timestamp::from_millis;
        assert_eq!(
            hints.protection(&config, None, at(0)),
            Protection::Evictable
        );
        hints.set_in_flight(1);
        let in_flight = Protection::Protected(ProtectionReason::InFlight);
        assert_eq!(hints.protection(&config, None, at(0)), in_flight);
        hints.pin(Pin { until: at(10) });
        assert_eq!(hints.protection(&config, None, at(9)), Protection::Pinned);
        assert_eq!(hints.protection(&config, None, at(10)), in_flight);
        let untrusting = Lifetimes {
            trust_hints: false,
            ..config
        };
        assert_eq!(
            hints.protection(&untrusting, None, at(10)),
            Protection::Evictable
        );
    }

    #[test]
    fn recent_activity_protects_for_its_window_only() {
        let config = Lifetimes {
            recently_active: Duration::from_millis(5),
            ..Lifetimes::default()
        };
        let (hints, at) = (Hints::default(), Timestamp::from_millis);
        let recent = Protection::Protected(ProtectionReason::RecentlyActive);
        assert_eq!(hints.protection(&config, Some(at(1)), at(5)), recent);
        assert_eq!(
            hints.protection(&config, Some(at(1)), at(6)),
            Protection::Evictable
        );
        assert_eq!(
            hints.protection(&config, None, at(0)),
            Protection::Evictable,
            "never active"
        );
    }
}
