//! The signals of version 1: what the host can tell a policy about a manager.
//!
//! Names never change and never change their meaning; new facts arrive as new names. Everything
//! is measured by the host, and "unknown" always reaches a policy as NaN, which
//! [`Row::get`](crate::Row::get) turns into `None`. User activity (an application frame from the
//! client) and transport liveness (any byte or pong) are two clocks and never mixed.

/// What a signal's number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// A duration that ends now, in milliseconds.
    Milliseconds,
    /// A size in bytes.
    Bytes,
    /// How many of something.
    Count,
    /// How many of something a minute.
    PerMinute,
    /// A code, with its own table.
    Code,
    /// A number with a scale of its own.
    Scale,
}

macro_rules! signals {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $unit:ident;)*) => {
        /// A fact about a manager that a policy can ask for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Signal {
            $($(#[doc = $doc])+ $variant,)*
        }

        impl Signal {
            /// Every signal of this version, in the order of the guide's table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in the contract.
            ///
            /// ```
            /// use wastegate_policy::Signal;
            ///
            /// assert_eq!(Signal::ActivityDecayed1h.name(), "activity-decayed-1h");
            /// ```
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The signal of that name in the contract, if this version has one.
            ///
            /// ```
            /// use wastegate_policy::Signal;
            ///
            /// assert_eq!(Signal::by_name("idle-ms"), Some(Signal::IdleMs));
            /// assert_eq!(Signal::by_name("idle_ms"), None);
            /// ```
            #[must_use]
            pub fn by_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|signal| signal.name() == name)
            }

            /// What the number counts.
            ///
            /// ```
            /// use wastegate_policy::{Signal, Unit};
            ///
            /// assert_eq!(Signal::QueuedBytes.unit(), Unit::Bytes);
            /// ```
            #[must_use]
            pub const fn unit(self) -> Unit {
                match self {
                    $(Self::$variant => Unit::$unit,)*
                }
            }
        }
    };
}

signals! {
    /// Since the manager was created. Always known.
    AgeMs = "age-ms", Milliseconds;
    /// Since the last user activity, or since creation where there was none. Always known.
    IdleMs = "idle-ms", Milliseconds;
    /// Since the last user activity but one. Unknown before the second.
    SecondLastIdleMs = "second-last-idle-ms", Milliseconds;
    /// User activities since creation. Always known.
    ActivityCount = "activity-count", Count;
    /// User activities a minute, over about the last minute. Always known.
    ActivityRate1m = "activity-rate-1m", PerMinute;
    /// User activities, each counting half as much for every hour it is old. Always known.
    ActivityDecayed1h = "activity-decayed-1h", Count;
    /// Since any byte or pong from the peer. Unknown while nobody is connected.
    SilenceMs = "silence-ms", Milliseconds;
    /// Since the last pong. Unknown before the first.
    PongAgeMs = "pong-age-ms", Milliseconds;
    /// The last round trip of a ping. Unknown before the first pong.
    RttMs = "rtt-ms", Milliseconds;
    /// Pings in a row that were not answered in time. Unknown while nobody is connected.
    MissedPongs = "missed-pongs", Count;
    /// How overdue the pong is (phi accrual: 1 is one chance in ten of an innocent delay, 2 one in
    /// a hundred). Unknown until enough pongs were seen.
    Phi = "phi", Scale;
    /// What the evidence says: see [`Health`](crate::Health). Always known, if only as "unknown".
    Health = "health", Code;
    /// Since the evidence was gathered. Unknown where there is none.
    ProbeAgeMs = "probe-age-ms", Milliseconds;
    /// Connections attached. Always known.
    Connections = "connections", Count;
    /// Connections attached that are not known to be gone. Always known.
    ConnectionsAlive = "connections-alive", Count;
    /// Since the last connection left. Unknown while one is attached.
    DetachedMs = "detached-ms", Milliseconds;
    /// 1 if a newer connection of the same user, key and device has replaced this one, else 0.
    /// Always known.
    TakenOver = "taken-over", Code;
    /// Waiting in the outbox. Always known.
    QueuedBytes = "queued-bytes", Bytes;
    /// Since the first frame in the outbox was put there. Unknown while the outbox is empty.
    QueueHeadAgeMs = "queue-head-age-ms", Milliseconds;
    /// Held beside the outbox: frames half read or half written. Always known.
    BufferedBytes = "buffered-bytes", Bytes;
    /// Received from the client since creation. Always known.
    BytesIn = "bytes-in", Bytes;
    /// Sent to the client since creation. Always known.
    BytesOut = "bytes-out", Bytes;
    /// How much queued and buffered bytes grew over about the last minute; negative where they
    /// shrank. Unknown in the first minute.
    BytesGrowth1m = "bytes-growth-1m", Bytes;
    /// Exchanges begun and not finished, such as a streamed answer. Unknown where the host cannot
    /// tell.
    InFlight = "in-flight", Count;
    /// Errors of the upstream or the application since creation. Always known.
    Errors = "errors", Count;
    /// How often a client came back to this manager. Always known.
    Reconnects = "reconnects", Count;
    /// How often this user's manager of this key was evicted before. Always known.
    EvictionsBefore = "evictions-before", Count;
    /// How often its user came back after such an eviction. Always known.
    ReturnsBefore = "returns-before", Count;
    /// How far the host protects it: see [`Protection`](crate::Protection). Always known.
    Protection = "protection", Code;
    /// A whole number that the application or the operator set: higher is more important, 0 is
    /// ordinary. Always known.
    Priority = "priority", Scale;
    /// Whether it is on screen: see [`Visibility`](crate::Visibility). Unknown unless the client
    /// said so.
    Visibility = "visibility", Code;
    /// What the client runs on: see [`DeviceClass`](crate::DeviceClass). Always known, if only as
    /// "unknown".
    DeviceClass = "device-class", Code;
    /// Managers that its user holds. Node scope only, unknown at user scope.
    UserHeld = "user-held", Count;
    /// Managers that its user may hold. Node scope only, unknown at user scope.
    UserLimit = "user-limit", Count;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_say_their_unit() {
        for (i, signal) in Signal::ALL.iter().enumerate() {
            let name = signal.name();
            assert!(
                Signal::ALL
                    .iter()
                    .skip(i + 1)
                    .all(|other| other.name() != name),
                "{name}"
            );
            assert_eq!(Signal::by_name(name), Some(*signal));
            assert_eq!(
                name.ends_with("-ms"),
                signal.unit() == Unit::Milliseconds,
                "{name}"
            );
        }
        assert_eq!(Signal::ALL.len(), 34);
    }
}
