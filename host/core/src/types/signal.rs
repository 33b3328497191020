//! The measurements that a policy may ask for, by name.
//!
//! The contract grows here and nowhere else: a new signal is a new name, and no compiled policy
//! ever breaks. All are measured by the host; none is taken from the client on trust but the hints.

use super::spelling;
use std::ops::{Index, IndexMut};

use serde::{Serialize, Serializer, ser::SerializeSeq};

macro_rules! signals {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// One measurement of one manager at one moment.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Signal {
            $($(#[$doc])* $variant,)*
        }

        impl Signal {
            /// Every signal, in the order of their indices.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in the contract.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The signal of that name, if there is one.
            #[must_use]
            pub fn by_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

signals! {
    /// Since the manager was created, ms.
    AgeMs = "age-ms",
    /// Since the last user activity (an application frame from the client), ms; since creation if
    /// there was none.
    IdleMs = "idle-ms",
    /// Since the last but one user activity, ms; unknown before the second.
    SecondLastIdleMs = "second-last-idle-ms",
    /// User activities so far.
    ActivityCount = "activity-count",
    /// User activities per minute, exponentially decayed with a time constant of one minute.
    ActivityRate1m = "activity-rate-1m",
    /// User activities, each halved in weight every hour.
    ActivityDecayed1h = "activity-decayed-1h",
    /// Since any byte came from the peer, ms; unknown while nobody is attached.
    SilenceMs = "silence-ms",
    /// Since the last pong to one of our pings, ms; unknown before the first.
    PongAgeMs = "pong-age-ms",
    /// The last ping's round trip, ms; unknown before the first.
    RttMs = "rtt-ms",
    /// Heartbeats in a row without an answer; unknown while nobody is attached.
    MissedPongs = "missed-pongs",
    /// Suspicion by the phi accrual detector over pong delays; unknown until it has a sample.
    Phi = "phi",
    /// The verdict, by code.
    Health = "health",
    /// How old the verdict is, ms; unknown if never probed.
    ProbeAgeMs = "probe-age-ms",
    /// How many connections are attached to the manager.
    Connections = "connections",
    /// Those of them not known to be gone, superseded or closing.
    ConnectionsAlive = "connections-alive",
    /// Since the last connection left, ms; unknown while one is attached.
    DetachedMs = "detached-ms",
    /// 1 if a newer connection of the same device took over the only one, else 0.
    TakenOver = "taken-over",
    /// Waiting in the outbox, bytes.
    QueuedBytes = "queued-bytes",
    /// How long the head of the outbox has waited, ms; unknown while it is empty.
    QueueHeadAgeMs = "queue-head-age-ms",
    /// Held for it elsewhere in the process (mailbox, partial messages), bytes.
    BufferedBytes = "buffered-bytes",
    /// Received from the client in all, bytes of payload.
    BytesIn = "bytes-in",
    /// Sent to the client in all, bytes of payload.
    BytesOut = "bytes-out",
    /// Queued and buffered bytes now less their decayed average of one minute; unknown in the first
    /// minute.
    BytesGrowth1m = "bytes-growth-1m",
    /// Units of work in flight for it, as the application tells.
    InFlight = "in-flight",
    /// Errors on its connections so far.
    Errors = "errors",
    /// Times that a connection came back to it.
    Reconnects = "reconnects",
    /// Times that a manager of this user and key was evicted before.
    EvictionsBefore = "evictions-before",
    /// Times that it came back after an eviction.
    ReturnsBefore = "returns-before",
    /// Evictable 0, protected 1, pinned 2.
    Protection = "protection",
    /// The hinted priority, higher is more important; 0 by default.
    Priority = "priority",
    /// Hidden 0, visible 1; unknown if the client never said.
    Visibility = "visibility",
    /// Unknown 0, desktop 1, mobile 2, server 3.
    DeviceClass = "device-class",
    /// How many managers its user holds. At node scope only.
    UserHeld = "user-held",
    /// The limit its user is held to. At node scope only.
    UserLimit = "user-limit",
}

impl Signal {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The nearest name to a mistyped one, for an error that says what was meant.
    #[must_use]
    pub fn nearest(name: &str) -> &'static str {
        spelling::closest(name, Self::ALL.iter().map(|signal| signal.name())).unwrap_or("age-ms")
    }
}

/// One value for every signal; unknown ones are NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalRow([f64; Signal::COUNT]);

impl Default for SignalRow {
    fn default() -> Self {
        Self([f64::NAN; Signal::COUNT])
    }
}

impl Index<Signal> for SignalRow {
    type Output = f64;

    #[expect(
        clippy::indexing_slicing,
        reason = "a signal's index is below COUNT by construction"
    )]
    fn index(&self, signal: Signal) -> &f64 {
        &self.0[signal as usize]
    }
}

impl IndexMut<Signal> for SignalRow {
    #[expect(
        clippy::indexing_slicing,
        reason = "a signal's index is below COUNT by construction"
    )]
    fn index_mut(&mut self, signal: Signal) -> &mut f64 {
        &mut self.0[signal as usize]
    }
}

/// As a list in the order of [`Signal::ALL`]; unknown ones are null.
impl Serialize for SignalRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(Signal::COUNT))?;
        for value in &self.0 {
            list.serialize_element(&(!value.is_nan()).then_some(value))?;
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_signals_are_one_to_one() {
        for &signal in Signal::ALL {
            assert_eq!(Signal::by_name(signal.name()), Some(signal));
        }
        assert_eq!(Signal::by_name("idle"), None);
    }

    #[test]
    fn a_typo_finds_what_was_meant() {
        assert_eq!(Signal::nearest("idle-mss"), "idle-ms");
        assert_eq!(Signal::nearest("queue-bytes"), "queued-bytes");
    }

    #[test]
    fn unknown_until_set() {
        let mut row = SignalRow::default();
        assert!(row[Signal::RttMs].is_nan());
        row[Signal::RttMs] = 12.5;
        assert_eq!(row[Signal::RttMs], 12.5);
    }
}
