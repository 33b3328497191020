//! Made-up calls: every quantity distinct, as nearly all are on a real node, and every code within
//! its table. The same on every machine and in every version.

use std::collections::HashSet;

use crate::policy::call::Input;
use wastegate_core::decision::Ranking;
use wastegate_core::types::{Scope, Signal, SplitMix64, Tier};

/// A prime above the largest number of rows: multiplying by anything permutes the rows.
const PRIME: u64 = 10_007;

/// By how much clocks are shifted, ms: a day and a bit.
const SHIFT_MS: u64 = 86_400_123;

/// A call of so many rows, least recently active first, as the kit makes them.
#[must_use]
pub fn ordinary(signals: &[Signal], scope: Scope, tier: Tier, rows: u32) -> Input {
    let columns = signals
        .iter()
        .map(|&signal| (0..rows).map(|row| value(signal, row, rows)).collect());
    Input {
        tier,
        scope,
        needed: needed(tier, rows),
        limit: rows.max(1),
        held: rows,
        now_ms: 1_000_000_000,
        seed: 0x5EED,
        rows,
        columns: columns.collect(),
    }
}

/// What a tier would take of so many rows: all of them in the background, else a twentieth, and
/// half of a few.
#[must_use]
pub fn needed(tier: Tier, rows: u32) -> u32 {
    match tier {
        Tier::Proactive => rows,
        Tier::Conservative | Tier::Moderate | Tier::Aggressive | Tier::Force => {
            (rows / 20).max(10).min(rows.div_ceil(2))
        }
    }
}

/// The same at another time.
pub(super) fn later(input: &Input) -> Input {
    Input {
        now_ms: input.now_ms.wrapping_add(SHIFT_MS),
        ..input.clone()
    }
}

/// The same in another order, and which row each was before.
pub(super) fn shuffled(input: &Input) -> (Input, Vec<u32>) {
    let mut order: Vec<u32> = (0..input.rows).collect();
    order.sort_by_key(|&row| SplitMix64::nth(u64::from(row), 1));
    (reordered(input, &order), order)
}

/// The same rows in the order of a ranking turned round: those that it left out, then its last, and its
/// best at the end. Each row is a better victim than all before it, which is hard for a helper that keeps
/// the best so far.
pub(super) fn rising(input: &Input, ranking: &Ranking) -> Input {
    let mut order: Vec<u32> = ranking.choices.iter().map(|choice| choice.row).collect();
    let named: HashSet<u32> = order.iter().copied().collect();
    order.extend((0..input.rows).filter(|row| !named.contains(row)));
    order.reverse();
    reordered(input, &order)
}

/// The rows of an input in an order of their places.
fn reordered(input: &Input, order: &[u32]) -> Input {
    let reorder = |column: &Vec<f64>| {
        order
            .iter()
            .filter_map(|&row| column.get(row as usize).copied())
            .collect()
    };
    Input {
        columns: input.columns.iter().map(reorder).collect(),
        ..input.clone()
    }
}

/// The value of a signal in a row of so many.
#[expect(
    clippy::cast_precision_loss,
    reason = "values are far below 2^53, where f64 is exact"
)]
#[must_use]
pub fn value(signal: Signal, row: u32, rows: u32) -> f64 {
    let place = u64::from(row);
    let mixed = (place + 1) * (17 + 2 * signal as u64) % PRIME;
    let number = match signal {
        // Least recently active first is part of the contract.
        Signal::IdleMs => u64::from(rows - row) * 1_000,
        Signal::Health => mixed % 7,
        Signal::TakenOver | Signal::Protection | Signal::Visibility => mixed % 2,
        Signal::DeviceClass => mixed % 4,
        _ => mixed * 13 + 5,
    };
    number as f64
}

#[cfg(test)]
mod tests {
    use wastegate_core::decision::Choice;

    use super::*;

    #[test]
    fn rising_is_a_ranking_turned_round() {
        let input = ordinary(&[Signal::IdleMs], Scope::User, Tier::Force, 4);
        let choice = |row| Choice {
            row,
            score: 0.0,
            reason: 0,
        };
        let ranking = Ranking {
            choices: vec![choice(2), choice(0)],
        };
        let rising = rising(&input, &ranking);
        let of = |row: usize| input.columns[0][row];
        assert_eq!(rising.columns[0], [of(3), of(1), of(0), of(2)]);
        assert_eq!(rising.rows, 4);
    }

    #[test]
    fn quantities_are_distinct_and_codes_within_their_tables() {
        let input = ordinary(Signal::ALL, Scope::User, Tier::Force, 10_000);
        for (signal, column) in Signal::ALL.iter().zip(&input.columns) {
            let distinct: HashSet<u64> = column.iter().map(|value| value.to_bits()).collect();
            match signal {
                Signal::Health => assert_eq!(distinct.len(), 7),
                Signal::DeviceClass => assert_eq!(distinct.len(), 4),
                Signal::TakenOver | Signal::Protection | Signal::Visibility => {
                    assert_eq!(distinct.len(), 2);
                }
                _ => assert_eq!(distinct.len(), 10_000, "{signal:?}"),
            }
        }
    }

    #[test]
    fn another_order_is_another_order_of_the_same_rows() {
        let input = ordinary(&[Signal::IdleMs], Scope::User, Tier::Force, 20);
        let (shuffled, order) = shuffled(&input);
        assert_ne!(shuffled.columns, input.columns);
        assert_ne!(order[0], 0);
        for (place, &row) in order.iter().enumerate() {
            assert_eq!(shuffled.columns[0][place], input.columns[0][row as usize]);
        }
    }
}
