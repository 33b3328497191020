//! Moments as people read them: `2026-11-23 20:44:15Z`.

const SECONDS_PER_DAY: u64 = 86_400;
/// Of 400 years, after which the calendar repeats itself.
const DAYS_PER_ERA: u64 = 146_097;
/// From 1 March of year 0, where an era begins, to the Unix epoch.
const DAYS_BEFORE_EPOCH: u64 = 719_468;

/// A moment in UTC, from milliseconds since the Unix epoch.
///
/// The date is worked out as in Howard Hinnant's `civil_from_days`: years that begin in March, so
/// that the leap day is the last one.
pub(in crate::cli) fn utc(unix_ms: u64) -> String {
    let seconds = unix_ms / 1_000;
    let (days, second) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
    let days = days + DAYS_BEFORE_EPOCH;
    let (era, day) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // As `date -u -d @…` prints them.
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_399, "2000-02-28 23:59:59Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (1_709_251_199, "2024-02-29 23:59:59Z"),
            (1_795_466_655, "2026-11-23 20:44:15Z"),
            (4_107_542_400, "2100-03-01 00:00:00Z"),
        ] {
            assert_eq!(utc(seconds * 1_000), expected);
        }
    }
}
