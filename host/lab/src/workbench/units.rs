//! Signals for people: what their numbers are counted in, and the words that codes stand for, as
//! `policies/README.md` lists them.

use std::fmt::Write as _;

use wastegate_core::types::Signal;

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

/// A duration in the unit that keeps it short.
#[must_use]
pub fn milliseconds(ms: f64) -> String {
    const STEPS: [(f64, f64, &str); 4] = [
        (1_000.0, 1.0, "ms"),
        (120_000.0, 1e3, "s"),
        (7_200_000.0, 60e3, "min"),
        (172_800_000.0, 3_600e3, "h"),
    ];
    let size = ms.abs();
    let step = STEPS.iter().find(|(below, _, _)| size < *below);
    let (_, divisor, unit) = step.copied().unwrap_or((0.0, 86_400e3, "d"));
    format!("{} {unit}", short(ms / divisor))
}

fn bytes(bytes: f64) -> String {
    const STEPS: [(f64, f64, &str); 3] = [
        (1_024.0, 1.0, "B"),
        (1_048_576.0, 1_024.0, "KiB"),
        (1_073_741_824.0, 1_048_576.0, "MiB"),
    ];
    let size = bytes.abs();
    let step = STEPS.iter().find(|(below, _, _)| size < *below);
    let (_, divisor, unit) = step.copied().unwrap_or((0.0, 1_073_741_824.0, "GiB"));
    format!("{} {unit}", short(bytes / divisor))
}

/// A number with at most three digits behind the point, and none that say nothing; one that is too
/// large or too small for that in powers of ten.
#[must_use]
pub fn plain(number: f64) -> String {
    let size = number.abs();
    if number != 0.0 && !(1e-3..1e15).contains(&size) {
        return format!("{number:.3e}");
    }
    trimmed(number, if size < 10.0 { 3 } else { 1 })
}

/// A number in a unit that keeps it short.
fn short(number: f64) -> String {
    trimmed(number, if number.abs() < 10.0 { 2 } else { 1 })
}

fn trimmed(number: f64, digits: usize) -> String {
    let mut text = format!("{number:.digits$}");
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    text
}

/// A whole number with its thousands apart.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{digit}");
    }
    text
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
