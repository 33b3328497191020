//! Sorting positions by keys of several components, within the means of the sandbox.
//!
//! Fuel counts instructions, so what is fast on a real processor may still be dear: a heap or a
//! merge spends some fifty on every element at every level, which at ten thousand rows is more than
//! a call has. So keys are sorted one component at a time, the next only among equals: few by
//! insertion, which is cheapest where there is order already (rows arrive nearly in it), many by
//! their digits, at a price for each that does not grow with their number. The tables of the digits
//! cost as much for fifty as for ten thousand, once for every digit in which values differ: where
//! that would be dearer, runs are merged. The sorts of the standard library would also make a small
//! policy half as large again. Everything is stable.

use std::ops::Range;

/// Up to this many pairs are sorted by insertion, and runs of so many are what is merged.
const FEW: usize = 16;

/// Fuel of a digit's table, and of a pair for each digit; as measured.
const TABLE_FUEL: usize = 3_500;
const DIGIT_FUEL: usize = 55;

/// Fuel of a pair in a run of a few, and for each time that runs are merged; as measured.
const RUN_FUEL: usize = 80;
const MERGE_FUEL: usize = 45;

/// Values are sorted by digits of so many bits.
const DIGIT_BITS: u32 = 8;

const DIGITS: usize = 1 << DIGIT_BITS;

/// A position and the component of its key that is being looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    value: i64,
    pub(super) position: u32,
}

/// The positions from 0 up to `len` with the largest key first, and in their own order where keys
/// are equal. `component(position, i)` is component `i` of a position's key.
pub(super) fn descending(
    len: usize,
    components: usize,
    component: impl Fn(u32, usize) -> i64,
) -> Vec<Pair> {
    let positions = 0..u32::try_from(len).unwrap_or(u32::MAX);
    let pair = |position| Pair {
        value: component(position, 0),
        position,
    };
    let mut pairs: Vec<_> = positions.map(pair).collect();
    let mut scratch = if len > FEW { pairs.clone() } else { Vec::new() };
    by_component(&mut pairs, &mut scratch, 1..components, &component);
    pairs
}

/// Sorts pairs by the component that they hold, and those that are equal in it by the `others`.
fn by_component(
    pairs: &mut [Pair],
    scratch: &mut [Pair],
    mut others: Range<usize>,
    component: &impl Fn(u32, usize) -> i64,
) {
    sort(pairs, scratch);
    let Some(at) = others.next() else {
        return;
    };
    for equals in pairs.chunk_by_mut(|a, b| a.value == b.value) {
        if equals.len() > 1 {
            for pair in &mut *equals {
                pair.value = component(pair.position, at);
            }
            by_component(equals, scratch, others.clone(), component);
        }
    }
}

fn sort(pairs: &mut [Pair], scratch: &mut [Pair]) {
    if pairs.is_sorted_by(|a, b| a.value >= b.value) {
        return;
    }
    match scratch.get_mut(..pairs.len()) {
        Some(scratch) if pairs.len() > FEW => {
            let differing = differing(pairs);
            if digits_pay(pairs.len(), differing) {
                by_digits(pairs, scratch, differing);
            } else {
                by_merging(pairs, scratch);
            }
        }
        _ => insert(pairs),
    }
}

#[expect(clippy::indexing_slicing, reason = "1 <= at <= end < pairs.len()")]
fn insert(pairs: &mut [Pair]) {
    for end in 1..pairs.len() {
        let moving = pairs[end];
        let mut at = end;
        while at > 0 && pairs[at - 1].value < moving.value {
            pairs[at] = pairs[at - 1];
            at -= 1;
        }
        pairs[at] = moving;
    }
}

/// Runs of a few, each in order, then two and two of them together until there is one.
fn by_merging<'a>(mut from: &'a mut [Pair], mut into: &'a mut [Pair]) {
    from.chunks_mut(FEW).for_each(insert);
    let mut swapped = false;
    let mut run = FEW;
    while run < from.len() {
        for (two, into) in from.chunks(2 * run).zip(into.chunks_mut(2 * run)) {
            let (first, second) = two.split_at(run.min(two.len()));
            merge(first, second, into);
        }
        (from, into, swapped) = (into, from, !swapped);
        run *= 2;
    }
    if swapped {
        into.copy_from_slice(from);
    }
}

/// Two runs into one; among equals the first run goes first.
#[expect(
    clippy::indexing_slicing,
    reason = "i + j is below the length of `into`, which is that of both runs together"
)]
fn merge(first: &[Pair], second: &[Pair], into: &mut [Pair]) {
    let (mut i, mut j) = (0, 0);
    while i < first.len() && j < second.len() {
        let (a, b) = (first[i], second[j]);
        if a.value >= b.value {
            into[i + j] = a;
            i += 1;
        } else {
            into[i + j] = b;
            j += 1;
        }
    }
    let rest = &mut into[i + j..];
    if i < first.len() {
        rest.copy_from_slice(&first[i..]);
    } else {
        rest.copy_from_slice(&second[j..]);
    }
}

/// The bits in which any two values differ.
fn differing(pairs: &[Pair]) -> i64 {
    let first = pairs.first().map_or(0, |pair| pair.value);
    pairs
        .iter()
        .fold(0, |bits, pair| bits | (pair.value ^ first))
}

/// Whether so many pairs cost less by their digits than merged.
fn digits_pay(len: usize, differing: i64) -> bool {
    let digits = (0..i64::BITS)
        .step_by(DIGIT_BITS as usize)
        .filter(|shift| digit(differing, *shift) != 0)
        .count();
    let merges = (len / FEW).max(1).ilog2() as usize + 1;
    digits * (TABLE_FUEL + DIGIT_FUEL * len) < len * (RUN_FUEL + MERGE_FUEL * merges)
}

/// From the least digit in which any two values differ to the greatest; each pass keeps the order
/// of the passes before among equal digits.
fn by_digits<'a>(mut from: &'a mut [Pair], mut into: &'a mut [Pair], differing: i64) {
    let mut swapped = false;
    for shift in (0..i64::BITS).step_by(DIGIT_BITS as usize) {
        if digit(differing, shift) != 0 {
            by_digit(from, into, shift);
            (from, into, swapped) = (into, from, !swapped);
        }
    }
    if swapped {
        into.copy_from_slice(from);
    }
}

fn by_digit(from: &[Pair], into: &mut [Pair], shift: u32) {
    // The greatest digit holds the sign, which turns the order of its two halves round.
    let turn = if shift + DIGIT_BITS == i64::BITS {
        DIGITS / 2
    } else {
        0
    };
    let place = |pair: &Pair| (DIGITS - 1 - digit(pair.value, shift)) ^ turn;
    let mut next = [0_u32; DIGITS];
    for pair in from {
        if let Some(count) = next.get_mut(place(pair)) {
            *count += 1;
        }
    }
    let mut start = 0;
    for count in &mut next {
        start += std::mem::replace(count, start);
    }
    for pair in from {
        if let Some(at) = next.get_mut(place(pair)) {
            if let Some(slot) = into.get_mut(*at as usize) {
                *slot = *pair;
            }
            *at += 1;
        }
    }
}

fn digit(value: i64, shift: u32) -> usize {
    (value >> shift) as usize % DIGITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::mix;

    #[test]
    fn agrees_with_the_standard_library() {
        for len in [
            0, 1, 2, 7, 12, 13, 20, 24, 25, 48, 100, 299, 300, 301, 1_000, 4_099,
        ] {
            for distinct in [1, 2, 5, 40, 100_000, u64::MAX] {
                let keys: Vec<[i64; 3]> = (0..len)
                    .map(|i| [0, 1, 2].map(|c| (mix(c, i) % distinct).cast_signed() - 3))
                    .collect();
                let mut expected: Vec<u32> = (0..u32::try_from(len).unwrap()).collect();
                expected.sort_by(|a, b| keys[*b as usize].cmp(&keys[*a as usize]));
                let order = descending(keys.len(), 3, |at, c| keys[at as usize][c]);
                let order: Vec<_> = order.iter().map(|pair| pair.position).collect();
                assert_eq!(order, expected, "{len} keys of {distinct} values");
            }
        }
    }
}
