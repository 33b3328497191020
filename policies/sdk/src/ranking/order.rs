//! Sorting positions by keys of several components, within the means of the sandbox.
//!
//! Fuel counts instructions, so what is fast on a real processor may still be dear. Keys are sorted
//! one component at a time, the next only among equals. Few are sorted by insertion, which is
//! cheapest where there is order already (rows arrive nearly in it). Many are sorted by their digits,
//! at a price that does not grow with their number, while a merge would spend more on every further
//! level than ten thousand rows have. In between, the tables of digits are dearer than the few levels
//! of a merge. The sorts of the standard library would make a small policy half as large again.
//! Everything is stable.

use std::ops::Range;

/// Up to this many pairs are sorted by insertion, which needs no second place for them.
const FEW: usize = 16;

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
            if merging_is_cheaper(pairs.len(), differing) {
                by_merging(pairs, scratch);
            } else {
                by_digits(pairs, scratch, differing);
            }
        }
        _ => insert(pairs),
    }
}

/// The bits in which any two values differ.
fn differing(pairs: &[Pair]) -> i64 {
    let first = pairs.first().map_or(0, |pair| pair.value);
    pairs
        .iter()
        .fold(0, |bits, pair| bits | (pair.value ^ first))
}

fn shifts() -> impl Iterator<Item = u32> {
    (0..i64::BITS).step_by(DIGIT_BITS as usize)
}

/// Fitted to measurements, in units of some 30 of fuel for each pair: a level of merging is one and
/// the runs before it are seven; a pass over a digit is two, and 280 for its table.
fn merging_is_cheaper(pairs: usize, differing: i64) -> bool {
    let levels = (pairs / FEW).max(1).ilog2() as usize + 1;
    let passes = shifts()
        .filter(|shift| digit(differing, *shift) != 0)
        .count();
    pairs * (7 + levels) < passes * (2 * pairs + 280)
}

/// Short runs by insertion, then two and two of them into one.
fn by_merging<'a>(mut from: &'a mut [Pair], mut into: &'a mut [Pair]) {
    from.chunks_mut(FEW).for_each(insert);
    let mut run = FEW;
    let mut swapped = false;
    while run < from.len() {
        for (two, one) in from.chunks(2 * run).zip(into.chunks_mut(2 * run)) {
            merge(two, run, one);
        }
        (from, into, swapped) = (into, from, !swapped);
        run *= 2;
    }
    if swapped {
        into.copy_from_slice(from);
    }
}

/// The first `run` pairs and the others, each in order, into one order.
fn merge(two: &[Pair], run: usize, one: &mut [Pair]) {
    let Some((a, b)) = two.split_at_checked(run) else {
        return one.copy_from_slice(two);
    };
    let (mut a, mut b) = (a.iter(), b.iter());
    let (mut x, mut y) = (a.next(), b.next());
    for slot in one {
        // Of equals the earlier one comes first.
        match (x, y) {
            (Some(pair), Some(other)) if pair.value >= other.value => {
                *slot = *pair;
                x = a.next();
            }
            (_, Some(pair)) => {
                *slot = *pair;
                y = b.next();
            }
            (Some(pair), None) => {
                *slot = *pair;
                x = a.next();
            }
            (None, None) => {}
        }
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

/// From the least digit in which any two values differ to the greatest; each pass keeps the order
/// of the passes before among equal digits.
fn by_digits<'a>(mut from: &'a mut [Pair], mut into: &'a mut [Pair], differing: i64) {
    let mut swapped = false;
    for shift in shifts() {
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
    // All bits turned round put the largest first. The greatest digit holds the sign, which turns the
    // order of its two halves round once more.
    let turn = if shift + DIGIT_BITS == i64::BITS {
        DIGITS / 2 - 1
    } else {
        DIGITS - 1
    };
    let place = |pair: &Pair| ((pair.value >> shift) as usize ^ turn) % DIGITS;
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
        for len in [0, 1, 2, 7, 16, 17, 32, 33, 48, 100, 511, 512, 1_000, 4_099] {
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
