//! Times as files have them: in which unit, and whether that can be.
//!
//! A unit is what `--time-unit` gives, else what the name of the column says, else seconds in a
//! message log and milliseconds elsewhere. A time that lies nowhere near our own under that unit, and
//! does under another, is refused: the reader could only guess.

use std::str::FromStr;

use super::builder::FUTURE_MS;
use super::error::{Implausible, LineProblem};

/// When activity that other programs recorded is from: 1990 to 2100, ms.
const OUR_TIME_MS: std::ops::Range<u64> = 631_152_000_000..4_102_444_800_000;
/// Where times of our own time lie that were taken for a unit a thousand times as small, ms: from
/// 2001 on, so that what counts from its own beginning is in there for five weeks only.
const TOO_FINE_MS: std::ops::Range<u64> = 1_000_000_000..4_102_444_800;
/// Digits of a whole number that fits into 64 bits whatever it is.
const DIGITS_MAX: usize = 19;

/// What a number of a file counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
}

impl FromStr for TimeUnit {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|unit| unit.short() == name);
        known.ok_or_else(|| format!("`{name}` is no unit; there are `s`, `ms`, `us` and `ns`"))
    }
}

impl TimeUnit {
    /// Every one, the coarsest first.
    pub const ALL: [Self; 4] = [
        Self::Seconds,
        Self::Milliseconds,
        Self::Microseconds,
        Self::Nanoseconds,
    ];

    /// The word for it in options and sentences, such as `milliseconds`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
            Self::Nanoseconds => "nanoseconds",
        }
    }

    /// Its name on the command line, and behind the names of columns.
    #[must_use]
    pub const fn short(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::Nanoseconds => "ns",
        }
    }

    /// A number of them in milliseconds, to the nearest; none of what is no number, below zero, or
    /// written with an exponent, which as a rule has lost digits.
    fn ms(self, text: &str) -> Option<u64> {
        let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
        if is_whole && text.len() <= DIGITS_MAX {
            let number: u64 = text.parse().ok()?;
            return Some(match self {
                Self::Seconds => number.saturating_mul(1_000),
                Self::Milliseconds => number,
                Self::Microseconds => number.saturating_add(500) / 1_000,
                Self::Nanoseconds => number.saturating_add(500_000) / 1_000_000,
            });
        }
        let is_plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+');
        let number: f64 = text.parse().ok().filter(|_| text.bytes().all(is_plain))?;
        let ms = match self {
            Self::Seconds => number * 1e3,
            Self::Milliseconds => number,
            Self::Microseconds => number / 1e3,
            Self::Nanoseconds => number / 1e6,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and what is far in the future is refused"
        )]
        (ms >= 0.0).then_some(ms.round() as u64)
    }
}

/// How the times of one file are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clock {
    /// What they count.
    pub(super) unit: TimeUnit,
    /// `--time-unit` says so, so nothing else has to.
    pub(super) is_given: bool,
    /// What the times are called in a sentence.
    pub(super) field: String,
}

impl Clock {
    /// A time of the file in milliseconds. `is_first` for the first of a trace, which says where the
    /// others lie.
    pub(super) fn read(&self, text: &str, is_first: bool) -> Result<u64, LineProblem> {
        let ms = self.unit.ms(text).filter(|_| self.takes(text));
        let ms = ms.ok_or_else(|| self.is_no_time(text))?;
        let far = ms >= FUTURE_MS || is_first && TOO_FINE_MS.contains(&ms);
        if far && !self.is_given {
            self.plausible(text, ms)?;
        }
        Ok(ms)
    }

    /// Milliseconds are whole, unless `--time-unit` says that these are not.
    fn takes(&self, text: &str) -> bool {
        self.is_given
            || self.unit != TimeUnit::Milliseconds
            || text.bytes().all(|byte| byte.is_ascii_digit())
    }

    fn is_no_time(&self, text: &str) -> LineProblem {
        let expected = match self.unit {
            TimeUnit::Seconds => "seconds since 1970".to_owned(),
            TimeUnit::Milliseconds if !self.is_given => {
                "a whole number that is not negative".to_owned()
            }
            unit => format!("{} since 1970", unit.name()),
        };
        LineProblem::Field {
            field: self.field.clone(),
            found: text.chars().take(40).collect(),
            expected,
        }
    }

    fn plausible(&self, text: &str, ms: u64) -> Result<(), LineProblem> {
        let fits = |unit: &TimeUnit| unit.ms(text).is_some_and(|ms| OUR_TIME_MS.contains(&ms));
        let Some(better) = TimeUnit::ALL.into_iter().find(fits) else {
            return Ok(());
        };
        Err(LineProblem::Unit(Box::new(Implausible {
            field: self.field.clone(),
            found: text.to_owned(),
            taken: self.unit.name(),
            taken_date: date(ms),
            better: better.name(),
            better_date: better.ms(text).map(date).unwrap_or_default(),
            option: better.short(),
            keep: self.unit.short(),
        })))
    }
}

/// The day of a moment, as in `2004-04-15`.
#[must_use]
pub fn date(ms: u64) -> String {
    let moment = i64::try_from(ms)
        .ok()
        .and_then(chrono::DateTime::from_timestamp_millis);
    moment.map_or("beyond any calendar".to_owned(), |moment| {
        moment.format("%Y-%m-%d").to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_milliseconds_to_the_nearest() {
        let read = |unit: &str, text: &str| unit.parse::<TimeUnit>().unwrap().ms(text);
        for (unit, text, ms) in [
            ("s", "1082040961", 1_082_040_961_000),
            ("s", "1082040961.5", 1_082_040_961_500),
            ("s", "0", 0),
            ("ms", "1082040961000", 1_082_040_961_000),
            ("us", "1082040961000499", 1_082_040_961_000),
            ("us", "1082040961000500", 1_082_040_961_001),
            ("ns", "1082040961000600000", 1_082_040_961_001),
        ] {
            assert_eq!(read(unit, text), Some(ms), "{text} {unit}");
        }
        for text in [
            "", "-1", "1e9", "inf", "nan", "0x10", "soon", "1.2.3", "1 000",
        ] {
            assert_eq!(read("s", text), None, "{text}");
        }
        assert!("m".parse::<TimeUnit>().is_err());
    }
}
