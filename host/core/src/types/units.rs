//! Sizes and lengths of time: what settings and their ranges are written in, and how people read them.
//!
//! Times are in milliseconds, the unit of every key that ends in `_ms`; sizes are in bytes.

use std::fmt::Write as _;

/// One second, ms.
pub const SECOND: u64 = 1_000;
/// One minute, ms.
pub const MINUTE: u64 = 60 * SECOND;
/// One hour, ms.
pub const HOUR: u64 = 60 * MINUTE;
/// One day of 24 hours, ms.
pub const DAY: u64 = 24 * HOUR;
/// One kibibyte: 1,024 bytes.
pub const KIB: u64 = 1_024;
/// One mebibyte: 1,024 KiB.
pub const MIB: u64 = 1_024 * KIB;
/// One gibibyte: 1,024 MiB.
pub const GIB: u64 = 1_024 * MIB;

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

/// A number of bytes in the unit that keeps it short.
#[must_use]
pub fn bytes(bytes: f64) -> String {
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
