//! What one setting may be: the ranges that hold for a program with a file of settings and for a server that
//! embeds the gateway.
//!
//! A range calls its setting by the key in the file, and the file's table takes it from here. Not here: rules
//! between settings ([`rules`](super::rules)), and settings whose type cannot be out of range.

use std::time::Duration;

use wastegate_core::types::units::{DAY, GIB, HOUR, KIB, MIB, MINUTE, SECOND};

use super::{Settings, SettingsFault};

/// For numbers of things that the node holds: above it no machine would hold them.
const MANY: u64 = 100_000_000;

/// The unit of a setting's range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// A number of things, whole.
    Count,
    /// A number of bytes, whole.
    Bytes,
    /// A time in milliseconds.
    Millis,
    /// A share of a whole, not necessarily a whole number.
    Share,
}

impl Unit {
    /// What follows "a whole number": nothing, ` of bytes`, ` of milliseconds`.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Count | Self::Share => "",
            Self::Bytes => " of bytes",
            Self::Millis => " of milliseconds",
        }
    }
}

/// The range of a setting, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingRange {
    /// The setting, as a file names it.
    pub key: &'static str,
    /// The unit of `min` and `max`.
    pub unit: Unit,
    /// The smallest value.
    pub min: u64,
    /// The largest value.
    pub max: u64,
}

impl SettingRange {
    /// The fault of a value, if it is out of the range.
    fn fault(&self, value: f64) -> Option<SettingsFault> {
        let &Self {
            key,
            unit,
            min,
            max,
        } = self;
        let (least, most) = (min.measure(), max.measure());
        let reason = if value < least {
            format!("{value} is below {min}")
        } else if value > most {
            format!("{value} is above {max}")
        } else if value.is_nan() {
            "it is not a number".to_owned()
        } else {
            return None;
        };
        let number = match unit {
            Unit::Share => "a number",
            Unit::Count | Unit::Bytes | Unit::Millis => "a whole number",
        };
        Some(SettingsFault {
            keys: vec![key.to_owned()],
            reason,
            remedy: format!("give {number}{} from {min} to {max}", unit.words()),
        })
    }
}

/// A value in the unit of its range.
trait Measure {
    fn measure(&self) -> f64;
}

impl Measure for f64 {
    fn measure(&self) -> f64 {
        *self
    }
}

impl Measure for u64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "no range goes beyond 2^53, and a value that is rounded there is out of range either way"
    )]
    fn measure(&self) -> f64 {
        *self as f64
    }
}

impl Measure for u32 {
    fn measure(&self) -> f64 {
        f64::from(*self)
    }
}

impl Measure for usize {
    fn measure(&self) -> f64 {
        (*self as u64).measure()
    }
}

impl Measure for Duration {
    fn measure(&self) -> f64 {
        self.as_secs_f64() * 1e3
    }
}

/// A range with the value in the settings; none where it is left open.
struct Ranged {
    range: SettingRange,
    of: fn(&Settings) -> Option<f64>,
}

macro_rules! ranges {
    ($($(#[$when:meta])* $key:literal: $unit:ident $min:expr, $max:expr
        => $($field:ident).+ $(@ $optional:tt)?;)*) => {
        &[$($(#[$when])* Ranged {
            range: SettingRange { key: $key, unit: Unit::$unit, min: $min, max: $max },
            of: |it| ranges!(@value it.$($field).+ $(, $optional)?),
        }),*]
    };
    (@value $value:expr, optional) => { $value.map(|value| value.measure()) };
    (@value $value:expr) => { Some($value.measure()) };
}

/// Every range of the gateway's settings.
const RANGES: &[Ranged] = ranges! {
    "limits.managers_per_user": Count 1, 1_000_000 => limits.managers_per_user;
    "limits.managers_total": Count 1, MANY => limits.managers_total;
    "limits.connections_total": Count 1, MANY => limits.connections_total;
    "limits.history_keys_max": Count 0, MANY => limits.history_keys_max;
    "limits.temporary_slots.count": Count 0, 1_000_000 => limits.temporary_slots;
    "limits.temporary_slots.for_ms": Millis SECOND, DAY => limits.temporary_slots_for;
    "limits.temporary_slots.cool_down_ms": Millis 0, DAY => limits.temporary_slots_cool_down;
    "limits.traffic.messages_per_s": Count 0, 1_000_000 => budget.messages_per_s;
    "limits.traffic.bytes_per_s": Count 0, 100 * GIB => budget.bytes_per_s;
    "limits.traffic.burst_ms": Millis 10, HOUR => budget.burst;
    "admission.budget_ms": Millis 10, MINUTE => admission.budget;
    "admission.rate_max": Count 0, 1_000_000 => admission.rate_max;
    "admission.rate_window_ms": Millis 100, DAY => admission.rate_window;
    "admission.rate_users_max": Count 1, MANY => admission.rate_users_max;
    "admission.retry_after_ms": Millis 0, HOUR => admission.retry_after;
    "admission.takeovers_max": Count 0, 1_000_000 => admission.takeovers_max;
    "admission.takeover_window_ms": Millis 100, DAY => admission.takeover_window;
    "admission.queue.length_max": Count 0, 10_000 => admission.queue_length_max;
    "admission.queue.wait_ms": Millis 1, HOUR => admission.queue_wait;
    "manager.attach_grace_ms": Millis 1, HOUR => manager.attach_grace;
    "manager.reconnect_grace_ms": Millis 0, DAY => manager.reconnect_grace;
    "manager.connections_max": Count 1, 10_000 => manager.connections_max;
    "manager.mailbox_messages_max": Count 1, 65_536 => manager.mailbox_messages_max;
    "manager.stuck_after_ms": Millis 100, HOUR => manager.stuck_after;
    "manager.recently_active_ms": Millis 0, DAY => manager.recently_active;
    "manager.pins_per_user_max": Count 0, 1_000_000 => manager.pins_per_user_max;
    "manager.pin_max_ms": Millis 1, 30 * DAY => manager.pin_max;
    "health.ping_interval_ms": Millis 100, HOUR => health.ping_interval;
    "health.pong_deadline_ms": Millis 10, HOUR => health.pong_deadline;
    "health.suspect_after_misses": Count 1, 1_000 => health.suspect_after_misses;
    "health.half_open_after_misses": Count 2, 1_000 => health.half_open_after_misses;
    "health.dead_after_ms": Millis 100, DAY => health.dead_after;
    "health.stalled_after_ms": Millis 10, HOUR => health.stalled_after;
    "health.probe_deadline_ms": Millis 1, MINUTE => health.probe_deadline;
    "health.evidence_age_ms": Millis 0, HOUR => health.evidence_age;
    "health.probe_connections_max": Count 1, MANY => health.probe_connections_max;
    "health.audit_per_hour": Share 0, 1 => health.audit_per_hour;
    "health.audit_deadline_ms": Millis 100, MINUTE => health.audit_deadline;
    "health.degraded_rtt_ms": Millis 0, 60 * SECOND => health.degraded_rtt;
    "health.poor_rtt_ms": Millis 0, 60 * SECOND => health.poor_rtt;
    "connection.frame_bytes_max": Bytes 125, GIB => connection.frame_bytes_max @ optional;
    "connection.message_bytes_max": Bytes 125, GIB => connection.message_bytes_max;
    "connection.fragments_max": Count 1, 100_000_000 => connection.fragments_max;
    "connection.read_buffer_bytes": Bytes KIB, MIB => connection.read_buffer_bytes;
    "connection.outbox_bytes_max": Bytes 125, GIB => connection.outbox_bytes_max;
    "connection.stall_max_ms": Millis 10, HOUR => connection.stall_max;
    "connection.close_deadline_ms": Millis 1, MINUTE => connection.close_deadline;
    #[cfg(feature = "upstream")]
    "connection.backend_close_ms": Millis 1, HOUR => connection.backend_close;
    "connection.control_frames_per_s_max": Count 1, 1_000_000 => connection.control_frames_per_s_max;
    "cleanup.reserve": Count 0, 1_000 => cleanup.table.reserve;
    "cleanup.proactive_from": Share 0, 1_000 => cleanup.proactive_from;
    "cleanup.sweep_interval_ms": Millis 10, HOUR => cleanup.sweep_interval;
    "cleanup.sweep_users_max": Count 1, MANY => cleanup.sweep_users_max;
    "cleanup.force_per_user_max": Count 0, 1_000_000 => cleanup.force_per_user_max;
    "cleanup.force_window_ms": Millis 100, DAY => cleanup.force_window;
    "cleanup.displaced_hold_ms": Millis 0, DAY => cleanup.displaced.first;
    "cleanup.displaced_hold_max_ms": Millis 0, DAY => cleanup.displaced.max;
    "cleanup.dead_for_ms": Millis 0, DAY => cleanup.dead_for;
    "cleanup.close_deadline_ms": Millis 1, MINUTE => cleanup.close_deadline;
    "cleanup.node.memory_bytes_max": Bytes 0, 1 << 50 => cleanup.memory_bytes_max;
    "cleanup.node.reserve": Share 0, 1 => cleanup.node_reserve;
    "gateway.header_timeout_ms": Millis 10, MINUTE => gateway.header_timeout;
    "gateway.header_bytes_max": Bytes 8 * KIB, MIB => gateway.header_bytes_max;
    "gateway.headers_max": Count 16, 1_000 => gateway.headers_max;
    #[cfg(feature = "upstream")]
    "gateway.http_head_timeout_ms": Millis 10, DAY => gateway.http.head_timeout;
    #[cfg(feature = "upstream")]
    "gateway.http_idle_ms": Millis 10, DAY => gateway.http.idle;
    #[cfg(feature = "upstream")]
    "gateway.http_requests_max": Count 0, MANY => gateway.http.requests_max;
    #[cfg(feature = "upstream")]
    "gateway.http_requests_per_address_max": Count 0, MANY => gateway.http.requests_per_address_max;
    #[cfg(feature = "upstream")]
    "gateway.http_requests_per_s_max": Count 0, MANY => gateway.http.requests_per_s_max;
    #[cfg(feature = "upstream")]
    "gateway.http_requests_per_address_per_s_max": Count 0, MANY => gateway.http.requests_per_address_per_s_max;
    #[cfg(feature = "upstream")]
    "gateway.http_connections_max": Count 0, MANY => gateway.http.connections_max;
    #[cfg(feature = "upstream")]
    "gateway.http_connections_per_address_max": Count 0, MANY => gateway.http.connections_per_address_max;
    #[cfg(feature = "upstream")]
    "gateway.http_rest_ms": Millis 10, MINUTE => gateway.http.rest;
    #[cfg(feature = "upstream")]
    "gateway.upstream_grace_ms": Millis 0, HOUR => gateway.upstream_grace;
    #[cfg(feature = "upstream")]
    "gateway.upstream_held_bytes_max": Bytes KIB, GIB => gateway.upstream_held_bytes_max;
    #[cfg(feature = "upstream")]
    "gateway.upstream_check_ms": Millis 0, HOUR => gateway.upstream_check;
    #[cfg(feature = "upstream")]
    "gateway.upstream_timeout_ms": Millis 10, MINUTE => gateway.upstream_timeout;
    #[cfg(feature = "upstream")]
    "gateway.upstream_hedges_max": Count 0, MANY => gateway.upstream_hedges_max;
    "gateway.drain_spread_ms": Millis 0, HOUR => gateway.drain_spread;
    "gateway.drain_ms": Millis 0, HOUR => gateway.drain;
    "gateway.drain_readyz_ms": Millis 0, HOUR => gateway.drain_readyz;
    #[cfg(feature = "tls")]
    "gateway.tls.rescan_ms": Millis 100, DAY => gateway.tls.rescan;
    "gateway.caps.half_open_max": Count 0, MANY => gateway.caps.half_open_max;
    "gateway.caps.half_open_per_address_max": Count 0, MANY => gateway.caps.half_open_per_address_max;
    "gateway.caps.half_open_lifetime_ms": Millis 100, HOUR => gateway.caps.half_open_lifetime;
    "gateway.caps.per_s_max": Count 0, MANY => gateway.caps.per_s_max;
    "gateway.caps.per_address_per_s_max": Count 0, MANY => gateway.caps.per_address_per_s_max;
    "gateway.flap.lives_max": Count 0, 1_000_000 => gateway.flap.lives_max;
    "gateway.flap.short_life_ms": Millis 1, HOUR => gateway.flap.short_life;
    "gateway.flap.window_ms": Millis SECOND, DAY => gateway.flap.window;
    "gateway.flap.ban_ms": Millis 100, DAY => gateway.flap.ban;
    "gateway.flap.ban_max_ms": Millis 100, DAY => gateway.flap.ban_max;
};

/// The range of the setting that a file calls so; none where the type of the setting says it all.
#[must_use]
pub fn range(key: &str) -> Option<SettingRange> {
    let mut ranges = RANGES.iter().map(|ranged| ranged.range);
    ranges.find(|range| range.key == key)
}

/// Settings that are out of their range.
pub(super) fn faults(settings: &Settings) -> impl Iterator<Item = SettingsFault> {
    RANGES.iter().filter_map(|ranged| {
        let value = (ranged.of)(settings)?;
        ranged.range.fault(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_setting_has_two_ranges_and_none_is_empty() {
        let mut keys: Vec<_> = RANGES.iter().map(|ranged| ranged.range.key).collect();
        keys.sort_unstable();
        let count = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), count);
        for Ranged { range, .. } in RANGES {
            assert!(range.min < range.max, "{range:?}");
        }
    }

    #[test]
    fn a_value_out_of_its_range_is_told_with_the_remedy() {
        let mut settings = Settings::default();
        settings.health.ping_interval = Duration::from_micros(99_500);
        settings.cleanup.node_reserve = f64::NAN;
        settings.connection.frame_bytes_max = Some(0);
        settings.manager.connections_max = usize::MAX;
        let faults: Vec<_> = faults(&settings).map(|fault| fault.to_string()).collect();
        assert_eq!(
            faults,
            [
                "`manager.connections_max`: 18446744073709552000 is above 10000; give a whole number from 1 to 10000",
                "`health.ping_interval_ms`: 99.5 is below 100; give a whole number of milliseconds from 100 to 3600000",
                "`connection.frame_bytes_max`: 0 is below 125; give a whole number of bytes from 125 to 1073741824",
                "`cleanup.node.reserve`: it is not a number; give a number from 0 to 1",
            ]
        );
    }
}
