//! `[health]`: heartbeats, probes and the thresholds of verdicts.

use super::Section;
use crate::config::shape::RANGED;

pub(super) fn sections() -> Vec<Section> {
    vec![section! {
        |d| "health", "Heartbeats, probes and the thresholds of verdicts.";

        /// Time between two heartbeat pings on one connection.
        restart ping_interval_ms: RANGED => d.rooms.health.ping_interval;

        /// How long a pong may take before the heartbeat counts as missed.
        restart pong_deadline_ms: RANGED => d.rooms.health.pong_deadline;

        /// Missed heartbeats in a row from which on a peer is suspect.
        restart suspect_after_misses: RANGED => d.rooms.health.suspect_after_misses;

        /// Missed heartbeats in a row from which on it is half-open even without a probe.
        restart half_open_after_misses: RANGED
            => d.rooms.health.half_open_after_misses;

        /// How long a peer must have been silent in all for half-open to become dead.
        restart dead_after_ms: RANGED => d.rooms.health.dead_after;

        /// How long bytes may wait for a client that takes none of them before it counts as
        /// stalled; taken is what its kernel acknowledges.
        restart stalled_after_ms: RANGED => d.rooms.health.stalled_after;

        /// The deadline of one probe round, for any number of managers.
        restart probe_deadline_ms: RANGED => d.rooms.health.probe_deadline;

        /// A probe is not repeated while its result is younger than this.
        restart evidence_age_ms: RANGED => d.rooms.health.evidence_age;

        /// Connections pinged in one probe round; the rest keeps what is known of it.
        restart probe_connections_max: RANGED => d.rooms.health.probe_connections_max;

        /// The share of all managers that is chosen at random every hour and probed, to measure how
        /// many dead ones are missed; 0 for none.
        restart audit_per_hour: RANGED => d.rooms.health.audit_per_hour;

        /// How long a chosen manager may take to answer before it counts as dead.
        restart audit_deadline_ms: RANGED => d.rooms.health.audit_deadline;

        /// A round trip from which on a connection counts as degraded.
        restart degraded_rtt_ms: RANGED => d.rooms.health.degraded_rtt;

        /// A round trip from which on a connection counts as poor.
        restart poor_rtt_ms: RANGED => d.rooms.health.poor_rtt;
    }]
}
