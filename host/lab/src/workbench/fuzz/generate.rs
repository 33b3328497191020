//! Questions at random: about two in five as a node could ask them, the others of any values at all.

use super::dice::Dice;
use wastegate_core::types::{Scope, Signal, Tier};
use wastegate_engine::policy::call::Input;
use wastegate_engine::policy::kit::{self, RowKind};
use wastegate_engine::policy::{Manifest, Parameter};

/// Up to so many rows any number of them may be needed. Beyond, no more than the acceptance kit
/// asks for: to put everything in order is not held against a policy there either.
const NEEDED_FREELY_ROWS_MAX: u32 = 64;

/// Whole numbers up to here are exact.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// What a policy is asked, and with which parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    pub(super) input: Input,
    pub(super) params: Vec<f64>,
}

/// A question for a policy with that manifest.
pub(super) fn question(dice: &mut Dice, manifest: &Manifest, params: &[f64]) -> Question {
    let rows = rows(dice);
    let plausible = dice.percent(40);
    let scope = match manifest.scopes.split_first() {
        Some((first, others)) => dice.pick(*first, others),
        None => Scope::User,
    };
    let [first, others @ ..] = Tier::ALL;
    let tier = dice.pick(first, &others);
    let columns = manifest.signals.iter().map(|&signal| {
        if plausible {
            measured(dice, signal, rows)
        } else {
            anything(dice, signal, rows)
        }
    });
    let columns = columns.collect();
    let limits = [rows.max(20), 0, 1, u32::MAX];
    let input = Input {
        tier,
        scope,
        needed: needed(dice, rows),
        limit: dice.pick(rows, &limits),
        held: dice.pick(rows, &limits),
        now_ms: dice.next() >> 14,
        seed: dice.next(),
        rows,
        columns,
    };
    let params = manifest.parameters.iter().zip(params);
    let params = params.map(|(parameter, &value)| setting(dice, parameter, value));
    Question {
        params: params.collect(),
        input,
    }
}

/// How the answer to an input may be judged: whole numbers that are distinct from row to row, as the
/// kit's are, leave no room for ties.
pub(super) fn kind(input: &Input, signals: &[Signal]) -> RowKind {
    let tells_apart = |(signal, column): (&Signal, &Vec<f64>)| {
        let whole = |value: &f64| value.abs() <= EXACT_MAX && value.trunc() == *value;
        if !column.iter().all(whole) {
            return false;
        }
        if codes(*signal).is_some() {
            return true;
        }
        let mut sorted = column.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.windows(2).all(|pair| pair.first() != pair.last())
    };
    if signals.iter().zip(&input.columns).all(tells_apart) {
        RowKind::Ordinary
    } else {
        RowKind::Generated
    }
}

fn rows(dice: &mut Dice) -> u32 {
    match dice.below(100) {
        0..5 => 0,
        5..10 => 1,
        10..60 => dice.between(2, 20),
        60..80 => dice.between(21, 64),
        80..92 => dice.between(65, 300),
        92..99 => dice.between(301, 3_000),
        _ => dice.between(3_001, 10_000),
    }
}

fn needed(dice: &mut Dice, rows: u32) -> u32 {
    if rows <= NEEDED_FREELY_ROWS_MAX {
        dice.pick(1, &[0, rows, rows.saturating_mul(2), rows / 2])
    } else {
        dice.between(0, kit::needed(Tier::Force, rows))
    }
}

fn setting(dice: &mut Dice, parameter: &Parameter, value: f64) -> f64 {
    let Parameter { min, max, .. } = *parameter;
    match dice.below(5) {
        0 => min,
        1 => max,
        2 => (min + dice.unit() * (max - min)).clamp(min, max),
        _ => value,
    }
}

/// How many codes a signal has, if it is one of codes.
const fn codes(signal: Signal) -> Option<u64> {
    match signal {
        Signal::Health => Some(7),
        Signal::Protection => Some(3),
        Signal::TakenOver | Signal::Visibility => Some(2),
        Signal::DeviceClass => Some(4),
        _ => None,
    }
}

/// As a node could measure it: distinct whole numbers, least recently active first.
fn measured(dice: &mut Dice, signal: Signal, rows: u32) -> Vec<f64> {
    if let Some(codes) = codes(signal) {
        return (0..rows).map(|_| whole(dice.below(codes))).collect();
    }
    let step = 1 + dice.below(100_000);
    let offset = dice.below(1_000_000);
    let mut places = dice.permutation(rows);
    if signal == Signal::IdleMs {
        places.sort_unstable_by_key(|place| std::cmp::Reverse(*place));
    }
    let value = |place: u32| whole(offset + step * u64::from(place) + dice.below(step));
    places.into_iter().map(value).collect()
}

/// Values of one character, likely or not; the least recently active come first all the same, which
/// the contract promises.
fn anything(dice: &mut Dice, signal: Signal, rows: u32) -> Vec<f64> {
    let mut column = values(dice, signal, rows);
    if signal == Signal::IdleMs {
        column.sort_by(|a, b| b.total_cmp(a));
    }
    column
}

fn values(dice: &mut Dice, signal: Signal, rows: u32) -> Vec<f64> {
    let rows_of = |value: &mut dyn FnMut() -> f64| (0..rows).map(|_| value()).collect();
    match dice.below(7) {
        0 => rows_of(&mut || f64::NAN),
        1 => {
            let one = extreme(dice);
            rows_of(&mut || one)
        }
        2 => {
            let few = [extreme(dice), whole(dice.below(10)), f64::NAN];
            rows_of(&mut || dice.pick(0.0, &few))
        }
        3 => rows_of(&mut || extreme(dice)),
        4 => rows_of(&mut || f64::from_bits(dice.next())),
        5 => rows_of(&mut || -whole(dice.below(1_000_000))),
        _ => {
            let mut column = measured(dice, signal, rows);
            let unknown = dice.below(100);
            for value in &mut column {
                if dice.percent(unknown) {
                    *value = f64::NAN;
                }
            }
            column
        }
    }
}

fn extreme(dice: &mut Dice) -> f64 {
    let others = [
        -0.0,
        1.0,
        -1.0,
        0.5,
        6.0,
        7.0,
        255.0,
        f64::from(u32::MAX),
        EXACT_MAX,
        1e300,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        f64::from_bits(1),
        f64::EPSILON,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
    ];
    dice.pick(0.0, &others)
}

#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
const fn whole(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use wastegate_engine::policy::testing::Guest;

    #[test]
    fn questions_are_of_both_kinds_of_every_size_and_repeatable() {
        let program = Guest::default().program();
        let make = |run| question(&mut Dice::new(7, run), program.manifest(), &[0.5]);
        let (mut ordinary, mut sizes) = (0, [0_u32; 3]);
        let (mut infinite, mut bounds) = (0, 0);
        for run in 0..500 {
            let made = make(run);
            assert_eq!(format!("{made:?}"), format!("{:?}", make(run)));
            let Question { input, params } = made;
            assert!(input.columns.iter().all(|c| c.len() == input.rows as usize));
            let place = match input.rows {
                0 | 1 => 0,
                2..=64 => 1,
                _ => 2,
            };
            sizes[place] += 1;
            let at_random = kind(&input, program.signals()) == RowKind::Ordinary;
            ordinary += u32::from(at_random && input.rows > 1);
            infinite += u32::from(input.columns[0].contains(&f64::INFINITY));
            assert!((0.0..=1.0).contains(&params[0]));
            bounds += u32::from(params[0] == 0.0 || params[0] == 1.0);
        }
        assert!(ordinary > 100, "{ordinary}");
        assert!(sizes.iter().all(|count| *count > 20), "{sizes:?}");
        assert!(infinite > 10 && bounds > 100, "{infinite}, {bounds}");
    }
}
