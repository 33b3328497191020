//! `[health]`: heartbeats, probes and the thresholds of verdicts.

use super::{DAY, HOUR, MANY, MINUTE, SECOND, Section};
use crate::config::shape::{SHARE, count, millis};

pub(super) fn sections() -> Vec<Section> {
    vec![
        Section::new(
            "health",
            "Heartbeats, probes and the thresholds of verdicts.",
        )
        .key(
            "ping_interval_ms",
            millis(100, HOUR),
            |d| &mut d.rooms.health.ping_interval,
            "Between two heartbeat pings on one connection.",
        )
        .key(
            "pong_deadline_ms",
            millis(10, HOUR),
            |d| &mut d.rooms.health.pong_deadline,
            "How long a pong may take before the heartbeat counts as missed.",
        )
        .key(
            "suspect_after_misses",
            count(1, 1_000),
            |d| &mut d.rooms.health.suspect_after_misses,
            "Missed heartbeats in a row from which on a peer is suspect.",
        )
        .key(
            "half_open_after_misses",
            count(2, 1_000),
            |d| &mut d.rooms.health.half_open_after_misses,
            "Missed heartbeats in a row from which on it is half-open even without a probe.",
        )
        .key(
            "dead_after_ms",
            millis(100, DAY),
            |d| &mut d.rooms.health.dead_after,
            "How long a peer must have been silent in all for half-open to become dead.",
        )
        .key(
            "stalled_after_ms",
            millis(10, HOUR),
            |d| &mut d.rooms.health.stalled_after,
            "How long bytes may wait for a client that takes none of them before it counts as stalled; taken is what its kernel acknowledges.",
        )
        .key(
            "probe_deadline_ms",
            millis(1, MINUTE),
            |d| &mut d.rooms.health.probe_deadline,
            "The deadline of one probe round, for any number of managers.",
        )
        .key(
            "evidence_age_ms",
            millis(0, HOUR),
            |d| &mut d.rooms.health.evidence_age,
            "Evidence younger than this is not asked for again.",
        )
        .key(
            "probe_connections_max",
            count(1, MANY),
            |d| &mut d.rooms.health.probe_connections_max,
            "Connections pinged in one probe round; the rest keeps what is known of it.",
        )
        .key(
            "audit_per_hour",
            SHARE,
            |d| &mut d.rooms.health.audit_per_hour,
            "The share of all managers that is drawn every hour and asked whether it is there, to know how many of the dead are missed; 0 asks nobody.",
        )
        .key(
            "audit_deadline_ms",
            millis(100, MINUTE),
            |d| &mut d.rooms.health.audit_deadline,
            "How long a drawn manager may take to answer before it counts as dead.",
        )
        .key(
            "degraded_rtt_ms",
            millis(1, 60 * SECOND),
            |d| &mut d.rooms.health.degraded_rtt,
            "A round trip from which on a connection counts as degraded.",
        )
        .key(
            "poor_rtt_ms",
            millis(1, 60 * SECOND),
            |d| &mut d.rooms.health.poor_rtt,
            "A round trip from which on a connection counts as poor.",
        ),
    ]
}
