//! Signals for people: what their numbers are counted in, and the words that codes stand for, as
//! `policies/README.md` lists them.

use wastegate_core::types::Signal;
pub use wastegate_core::types::units::{bytes, milliseconds, plain, thousands};

/// The words of `protection`, by code.
const PROTECTION: [&str; 3] = ["evictable", "protected", "pinned"];
/// The words of `visibility`, by code.
const VISIBILITY: [&str; 2] = ["hidden", "visible"];
/// The words of `device-class`, by code.
const DEVICE_CLASS: [&str; 4] = ["unknown", "desktop", "mobile", "server"];
/// The words of `taken-over`, by code.
const TAKEN_OVER: [&str; 2] = ["no", "yes"];
/// The words of `health`, by code.
const HEALTH: [&str; 7] = [
    "unknown",
    "alive",
    "suspect",
    "stalled",
    "stuck",
    "half-open",
    "dead",
];

/// The words that a signal's codes stand for, the code being the place; none for a quantity.
#[must_use]
pub fn words(signal: Signal) -> Option<&'static [&'static str]> {
    Some(match signal {
        Signal::Health => &HEALTH,
        Signal::Protection => &PROTECTION,
        Signal::Visibility => &VISIBILITY,
        Signal::DeviceClass => &DEVICE_CLASS,
        Signal::TakenOver => &TAKEN_OVER,
        _ => return None,
    })
}

/// Whether a signal may be below zero.
#[must_use]
pub(crate) const fn may_be_negative(signal: Signal) -> bool {
    matches!(signal, Signal::Priority | Signal::BytesGrowth1m)
}

/// A value as a person reads it: `93 s`, `1.5 KiB`, `half-open`, and `?` where it is unknown.
#[must_use]
pub fn readable(signal: Signal, value: f64) -> String {
    if value.is_nan() {
        return "?".to_owned();
    }
    if let Some(word) = word(signal, value) {
        return word.to_owned();
    }
    let name = signal.name();
    if name.ends_with("-ms") {
        milliseconds(value)
    } else if name.starts_with("bytes") && signal != Signal::BytesGrowth1m
        || name.ends_with("-bytes")
    {
        bytes(value)
    } else {
        plain(value)
    }
}

/// The word that a code of a signal stands for; none for a quantity, and for a code beyond the table.
#[must_use]
pub fn word(signal: Signal, code: f64) -> Option<&'static str> {
    let mut words = words(signal)?.iter().zip(0_u8..);
    words
        .find(|(_, place)| f64::from(*place) == code)
        .map(|(word, _)| *word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wastegate_core::types::Health;

    #[test]
    fn values_are_read_with_their_units() {
        let cases = [
            (Signal::IdleMs, 93_000.0, "93 s"),
            (Signal::IdleMs, 12.0, "12 ms"),
            (Signal::AgeMs, 180_000.0, "3 min"),
            (Signal::RttMs, 1.25, "1.25 ms"),
            (Signal::QueuedBytes, 1_536.0, "1.5 KiB"),
            (Signal::BytesIn, 12.0, "12 B"),
            (Signal::BytesGrowth1m, -3.5, "-3.5"),
            (Signal::Health, 5.0, "half-open"),
            (Signal::Health, 17.0, "17"),
            (Signal::TakenOver, 1.0, "yes"),
            (Signal::Phi, f64::NAN, "?"),
            (Signal::ActivityCount, 30.0, "30"),
        ];
        for (signal, value, expected) in cases {
            assert_eq!(readable(signal, value), expected, "{signal:?}");
        }
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(123), "123");
        assert_eq!(plain(1e-9), "1.000e-9");
    }

    #[test]
    fn the_words_are_the_codes_of_their_types() {
        for health in Health::ALL {
            assert_eq!(readable(Signal::Health, health.code()), health.name());
        }
        let readme = include_str!("../../../../policies/README.md");
        for signal in Signal::ALL {
            let Some(words) = words(*signal) else {
                continue;
            };
            if *signal == Signal::TakenOver {
                continue;
            }
            let listed: Vec<String> = (0..)
                .zip(words)
                .map(|(code, word)| format!("{code} {word}"))
                .collect();
            let row = format!("| `{}` | {} |", signal.name(), listed.join(", "));
            assert!(readme.contains(&row), "policies/README.md has no row {row}");
        }
    }
}
