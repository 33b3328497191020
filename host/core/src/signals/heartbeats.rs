//! Settings of heartbeats, probes and verdicts.

use std::time::Duration;

/// Heartbeats, probes and the thresholds of verdicts.
#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeats {
    /// Between two heartbeat pings on one connection. 25 s.
    pub ping_interval: Duration,
    /// How long a pong may take before the heartbeat counts as missed. 8 s, below the interval.
    pub pong_deadline: Duration,
    /// Missed heartbeats in a row from which on a peer is suspect. 2.
    pub suspect_after_misses: u32,
    /// Missed heartbeats in a row from which on it is half-open even without a probe. 4.
    pub half_open_after_misses: u32,
    /// How long a peer must have been silent in all for half-open to become dead. 60 s.
    pub dead_after: Duration,
    /// How long bytes may wait for a client that takes none of them before it counts as stalled.
    /// Taken is what its kernel acknowledges. 5 s.
    pub stalled_after: Duration,
    /// The deadline of one probe round, for any number of managers. 1 s.
    pub probe_deadline: Duration,
    /// A peer that was found silent is not asked again for this long. 5 s.
    pub evidence_age: Duration,
    /// Connections pinged in one probe round; the rest keeps what is known of it. 10,000.
    pub probe_connections_max: usize,
    /// The share of all managers that is drawn every hour and asked whether it is there, in [0, 1];
    /// 0 asks nobody. 0.01.
    pub audit_per_hour: f64,
    /// How long a drawn manager may take to answer before it counts as dead. 10 s.
    pub audit_deadline: Duration,
    /// A round trip from which on a connection counts as degraded. 200 ms.
    pub degraded_rtt: Duration,
    /// A round trip from which on a connection counts as poor. 500 ms.
    pub poor_rtt: Duration,
}

impl Default for Heartbeats {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            pong_deadline: Duration::from_secs(8),
            suspect_after_misses: 2,
            half_open_after_misses: 4,
            dead_after: Duration::from_secs(60),
            stalled_after: Duration::from_secs(5),
            probe_deadline: Duration::from_secs(1),
            evidence_age: Duration::from_secs(5),
            probe_connections_max: 10_000,
            audit_per_hour: 0.01,
            audit_deadline: Duration::from_secs(10),
            degraded_rtt: Duration::from_millis(200),
            poor_rtt: Duration::from_millis(500),
        }
    }
}
