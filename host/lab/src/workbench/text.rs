//! How figures and errors are put into words, the same in every report of this room.

pub use wastegate_core::types::chain;
use wastegate_core::types::units::{KIB, MIB};

/// A whole number with its thousands apart: `1,048,576`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes, in the unit that one would say them in.
#[must_use]
pub fn bytes(number: u64) -> String {
    match number {
        0..KIB => format!("{number} bytes"),
        KIB..MIB => format!("{} KiB", number.div_ceil(KIB)),
        _ => format!("{}.{} MiB", number / MIB, number % MIB * 10 / MIB),
    }
}

/// A text with every line but the first indented by so many spaces.
#[must_use]
pub fn hanging(text: &str, indent: usize) -> String {
    text.replace('\n', &format!("\n{}", " ".repeat(indent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        let texts = [0, 12, 999, 1_000, 48_200, 1_048_576].map(grouped);
        assert_eq!(texts, ["0", "12", "999", "1,000", "48,200", "1,048,576"]);
        let texts = [0, 1_023, 1_024, 18_000, 2 << 20, (2 << 20) + (1 << 19)].map(bytes);
        assert_eq!(
            texts,
            [
                "0 bytes",
                "1023 bytes",
                "1 KiB",
                "18 KiB",
                "2.0 MiB",
                "2.5 MiB"
            ]
        );
    }
}
