//! Moments as people read them, in UTC.

use chrono::DateTime;

/// A moment for a person, to the second: `2026-11-23 20:44:15Z`.
#[must_use]
pub fn utc(unix_ms: u64) -> String {
    formatted(unix_ms, "%Y-%m-%d %H:%M:%SZ")
}

/// The time of day of a moment: `20:44:15Z`.
#[must_use]
pub fn time_of_day(unix_ms: u64) -> String {
    formatted(unix_ms, "%H:%M:%SZ")
}

/// A moment as warehouses read it: `2026-11-27 20:08:24.123`, without the zone.
#[must_use]
pub fn timestamp(unix_ms: u64) -> String {
    formatted(unix_ms, "%Y-%m-%d %H:%M:%S%.3f")
}

/// The milliseconds themselves where the calendar does not reach.
fn formatted(unix_ms: u64, format: &str) -> String {
    i64::try_from(unix_ms)
        .ok()
        .and_then(DateTime::from_timestamp_millis)
        .map_or_else(
            || unix_ms.to_string(),
            |moment| moment.format(format).to_string(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        // As `date -u -d @…` prints them.
        for (ms, day, time, fraction) in [
            (0, "1970-01-01", "00:00:00", "000"),
            (951_782_399_001, "2000-02-28", "23:59:59", "001"),
            (951_782_400_000, "2000-02-29", "00:00:00", "000"),
            (1_709_251_199_999, "2024-02-29", "23:59:59", "999"),
            (1_795_466_655_000, "2026-11-23", "20:44:15", "000"),
            (4_107_542_400_000, "2100-03-01", "00:00:00", "000"),
        ] {
            assert_eq!(utc(ms), format!("{day} {time}Z"));
            assert_eq!(time_of_day(ms), format!("{time}Z"));
            assert_eq!(timestamp(ms), format!("{day} {time}.{fraction}"));
        }
        assert_eq!(utc(u64::MAX), u64::MAX.to_string());
    }
}
