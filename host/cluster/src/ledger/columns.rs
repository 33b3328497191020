//! Signals as they are published: only those that a policy reads, three bytes each.
//!
//! A value keeps the sign, the exponent and seven binary digits behind the point (the upper half of an `f32`): it
//! is off by at most one part in 256, and order is kept. Unknown ones are left out.

use wastegate_core::types::{Signal, SignalRow};

/// How many signals a part may have: their bytes must fit one byte of length.
pub const COLUMNS_MAX: usize = 85;
/// Bytes of one signal: which, and its value.
const COLUMN_BYTES: usize = 3;

/// Signals that count from a moment: they grow while nobody publishes.
const SINCE: [Signal; 8] = [
    Signal::AgeMs,
    Signal::IdleMs,
    Signal::SecondLastIdleMs,
    Signal::SilenceMs,
    Signal::PongAgeMs,
    Signal::ProbeAgeMs,
    Signal::DetachedMs,
    Signal::QueueHeadAgeMs,
];

/// Some signals of one part, quantised.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns(Vec<u8>);

impl Columns {
    /// Of a row, those of `wanted` that are known: the first [`COLUMNS_MAX`].
    #[must_use]
    pub fn of(row: &SignalRow, wanted: &[Signal]) -> Self {
        let known = wanted.iter().filter(|signal| !row[**signal].is_nan());
        let mut bytes = Vec::with_capacity(wanted.len() * COLUMN_BYTES);
        for signal in known.take(COLUMNS_MAX) {
            bytes.push(*signal as u8);
            bytes.extend(quantised(row[*signal]).to_be_bytes());
        }
        Self(bytes)
    }

    /// As the engine keeps them.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// As the engine keeps them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As a row, so many milliseconds after they were published. A signal of a newer node that this one does
    /// not know is left out.
    #[must_use]
    pub fn aged(&self, by_ms: u64) -> SignalRow {
        let mut row = SignalRow::default();
        let (columns, _) = self.0.as_chunks::<COLUMN_BYTES>();
        for [which, high, low] in columns {
            let Some(&signal) = Signal::ALL.get(usize::from(*which)) else {
                continue;
            };
            let value = f32::from_bits(u32::from(u16::from_be_bytes([*high, *low])) << 16);
            #[expect(clippy::cast_precision_loss, reason = "2^53 ms are 285,000 years")]
            let grown = if SINCE.contains(&signal) {
                by_ms as f64
            } else {
                0.0
            };
            row[signal] = f64::from(value) + grown;
        }
        row
    }
}

/// The upper half of the nearest `f32`.
fn quantised(value: f64) -> u16 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "quantised on purpose; beyond its range it is infinite, which keeps the order"
    )]
    let bits = (value as f32).to_bits();
    let rounded = bits.saturating_add(0x7fff + (bits >> 16 & 1)) >> 16;
    u16::try_from(rounded).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two versions of the gateway run side by side during an update, so a number never changes its signal.
    #[test]
    fn the_numbers_of_signals_are_part_of_what_nodes_share() {
        let first: Vec<&str> = Signal::ALL.iter().map(|signal| signal.name()).collect();
        let text = first.join(" ");
        assert!(
            text.starts_with(
                "age-ms idle-ms second-last-idle-ms activity-count activity-rate-1m activity-decayed-1h \
                 silence-ms pong-age-ms rtt-ms missed-pongs phi health probe-age-ms connections \
                 connections-alive detached-ms taken-over queued-bytes queue-head-age-ms buffered-bytes \
                 bytes-in bytes-out bytes-growth-1m in-flight errors reconnects evictions-before \
                 returns-before protection priority visibility device-class user-held user-limit"
            ),
            "a signal goes behind the others: {text}"
        );
        const { assert!(Signal::COUNT <= COLUMNS_MAX, "all fit at once") };
        assert_eq!(
            SINCE.len(),
            Signal::ALL
                .iter()
                .filter(|signal| signal.name().ends_with("-ms") && **signal != Signal::RttMs)
                .count(),
            "what counts from a moment ends in -ms, and the round trip is the one that does not"
        );
    }

    #[test]
    fn what_counts_from_a_moment_grows_and_the_rest_stays() {
        let mut row = SignalRow::default();
        row[Signal::IdleMs] = 1_024.0;
        row[Signal::RttMs] = 12.5;
        let wanted = [Signal::IdleMs, Signal::RttMs, Signal::Phi];
        let columns = Columns::of(&row, &wanted);
        assert_eq!(columns.as_bytes().len(), 2 * COLUMN_BYTES);
        let aged = columns.aged(500);
        assert_eq!((aged[Signal::IdleMs], aged[Signal::RttMs]), (1_524.0, 12.5));
        assert!(aged[Signal::Phi].is_nan());
    }

    proptest! {
        #[test]
        fn a_value_is_off_by_at_most_one_part_in_256_and_keeps_its_order(a in -1e30f64..1e30, b in -1e30f64..1e30) {
            let back = |value: f64| {
                let mut row = SignalRow::default();
                row[Signal::BytesGrowth1m] = value;
                Columns::of(&row, &[Signal::BytesGrowth1m]).aged(0)[Signal::BytesGrowth1m]
            };
            prop_assert!((back(a) - a).abs() <= a.abs() / 256.0 + f64::from(f32::MIN_POSITIVE));
            prop_assert_eq!(a < b || back(a) >= back(b), true);
            prop_assert_eq!(a > b || back(a) <= back(b), true);
        }
    }
}
