//! From rows to an order of victims, sorted no further than asked.
//!
//! A full sort of ten thousand rows is most of a call's cost while a decision needs a handful. So
//! [`top_k`] keeps a buffer of four times what was asked: once that is full it is put in
//! order, all but the best quarter goes, and the worst of that sets a bar. Nearly every later row is turned away
//! by one comparison with it.
//!
//! The order is total and the same everywhere: keys from the first component to the last, larger
//! first, and the lower row where all are equal. Nothing here knows what the numbers mean.

mod order;

use crate::{Reason, Row, Rows};

/// One proposed victim.
// Laid out as it crosses the boundary, so that a list of them becomes the answer in place.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// The row of the manager, from 0.
    pub row: u32,
    /// How good a victim it is, higher being better. Kept in the record and compared with nothing;
    /// a NaN strikes the choice.
    pub score: f64,
    /// Which of the declared reasons applies.
    pub reason: Reason,
}

/// What a row has to offer as a victim.
#[derive(Clone, Copy, Debug)]
pub struct Bid<const N: usize> {
    key: [f64; N],
    score: f64,
    reason: Reason,
}

impl<const N: usize> Bid<N> {
    /// A bid that is ordered by `key`: the first component decides, then the next, and larger is
    /// a better victim. A NaN counts as less than anything, so an unknown signal may go straight
    /// into a key. The score becomes the first component, or 0 where that is NaN.
    ///
    /// ```
    /// # use wastegate_policy::{Bid, Reason};
    /// # const SILENT: Reason = Reason::at(0);
    /// # let (silence_ms, idle_ms) = (f64::NAN, 5.0);
    /// // Silent for longest; among those of whom that is not known, idle for longest.
    /// let bid = Bid::new([silence_ms, idle_ms], SILENT).score(idle_ms);
    /// # let _ = bid;
    /// ```
    #[must_use]
    pub fn new(key: [f64; N], reason: Reason) -> Self {
        Self {
            key,
            score: 0.0,
            reason,
        }
        .score(key.first().copied().unwrap_or(0.0))
    }

    /// The same bid with another score for the record; a NaN becomes 0.
    #[must_use]
    pub fn score(mut self, score: f64) -> Self {
        self.score = if score.is_nan() { 0.0 } else { score };
        self
    }
}

/// Room for so many times the bids that are wanted: with more, worse bids are kept for longer, with
/// less, the buffer is put in order more often.
const BUFFERED: usize = 4;

/// The `k` best bids, the best first; equal ones in the order of their rows.
///
/// `bid` is asked once for each row; a row for which it has none is left out.
///
/// ```
/// # use wastegate_policy::prelude::*;
/// # manifest! {
/// #     name: "doc", version: "1.0.0", summary: "Doc.", scopes: [User],
/// #     signals: { IDLE: IdleMs, AGE: AgeMs }, parameters: {}, reasons: { OLD: "old" },
/// # }
/// # fn rank(call: &Call, rows: &Rows<'_>) -> Vec<Choice> {
/// // Idle for longest, then oldest; nobody who was active within the last second.
/// top_k(rows, call.enough(rows), |row| {
///     let idle = row.get(IDLE).filter(|idle| *idle > 1_000.0)?;
///     Some(Bid::new([idle, row.value(AGE)], OLD))
/// })
/// # }
/// ```
#[must_use]
pub fn top_k<const N: usize>(
    rows: &Rows<'_>,
    k: usize,
    mut bid: impl FnMut(Row<'_>) -> Option<Bid<N>>,
) -> Vec<Choice> {
    let k = k.min(rows.len());
    if k == 0 {
        return Vec::new();
    }
    let room = k.saturating_mul(BUFFERED).min(rows.len());
    let mut best: Vec<Entry<N>> = Vec::with_capacity(room);
    let mut bar: Option<[i64; N]> = None;
    for row in rows.iter() {
        let Some(Bid { key, score, reason }) = bid(row) else {
            continue;
        };
        let key = key.map(comparable);
        // A later row loses a tie, so it has to be better than the bar, not as good.
        if bar.is_some_and(|bar| key <= bar) {
            continue;
        }
        if best.len() == room {
            best = in_order(&best, k, |entry| *entry);
            best.reserve_exact(room - k);
            bar = best.last().map(|worst| worst.key);
        }
        let choice = Choice {
            row: row.index(),
            score,
            reason,
        };
        best.push(Entry { key, choice });
    }
    in_order(&best, k, |entry| entry.choice)
}

/// The `k` best of bids for rows by number, the best first; equal ones in the order in which they come.
pub(crate) fn best_of<const N: usize>(
    bids: impl Iterator<Item = (u32, Bid<N>)>,
    k: usize,
) -> Vec<Choice> {
    let entry = |(row, Bid { key, score, reason })| Entry {
        key: key.map(comparable),
        choice: Choice { row, score, reason },
    };
    let entries: Vec<Entry<N>> = bids.map(entry).collect();
    in_order(&entries, k, |entry| entry.choice)
}

/// A bid that is in the running.
#[derive(Clone, Copy)]
struct Entry<const N: usize> {
    key: [i64; N],
    choice: Choice,
}

/// Something of each of the `k` best entries, the best first and equal ones in the order in which
/// they came: what was kept of earlier rows before later rows.
fn in_order<const N: usize, T>(
    entries: &[Entry<N>],
    k: usize,
    of: impl Fn(&Entry<N>) -> T,
) -> Vec<T> {
    let order = order::descending(entries.len(), N, |position, component| {
        let entry = entries.get(position as usize);
        entry
            .and_then(|entry| entry.key.get(component))
            .copied()
            .unwrap_or(i64::MIN)
    });
    let mut best = Vec::with_capacity(k.min(order.len()));
    let entry = |at: &order::Pair| entries.get(at.position as usize);
    best.extend(order.iter().take(k).filter_map(entry).map(of));
    best
}

/// An integer that orders as people expect the number to: NaN is below everything and the two zeros
/// are one. Negative numbers become negative magnitudes, so that bits which no number has stay away
/// and need not be sorted by.
fn comparable(value: f64) -> i64 {
    if value.is_nan() {
        return i64::MIN;
    }
    let bits = value.to_bits().cast_signed();
    let magnitude = bits & i64::MAX;
    // All ones for a negative number: turned round and one more is its two's complement.
    let negative = bits >> (i64::BITS - 1);
    (magnitude ^ negative) - negative
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, random};

    const REASON: Reason = Reason::at(0);

    fn ranked(values: &[f64], k: usize) -> Vec<u32> {
        let columns = [values];
        let rows = Rows::new(&columns, 1).unwrap();
        let choices = top_k(&rows, k, |row| {
            Some(Bid::new([row.value(Column::at(0))], REASON))
        });
        choices.iter().map(|choice| choice.row).collect()
    }

    #[test]
    fn larger_first_and_the_lower_row_on_ties() {
        assert_eq!(ranked(&[1.0, 3.0, 2.0, 3.0], 9), [1, 3, 2, 0]);
        assert_eq!(ranked(&[0.0, -0.0, 0.0], 9), [0, 1, 2]);
        assert_eq!(
            ranked(&[5.0, f64::NAN, f64::INFINITY, -f64::NAN, -1.0], 9),
            [2, 0, 4, 1, 3]
        );
        assert_eq!(ranked(&[1.0, 2.0], 0), []);
        assert_eq!(ranked(&[], 4), []);
    }

    #[test]
    fn selecting_is_sorting_cut_short() {
        for len in [1, 2, 3, 17, 64, 257, 1_000] {
            let values: Vec<f64> = (0..len)
                .map(|i| (random::mix(7, i) % 50) as f64)
                .map(|value| if value == 13.0 { f64::NAN } else { value })
                .collect();
            let mut sorted: Vec<u32> = (0..len as u32).collect();
            sorted.sort_by(|a, b| {
                comparable(values[*b as usize]).cmp(&comparable(values[*a as usize]))
            });
            for k in [1, 2, 7, 16, 100, 999, 5_000] {
                let expected = &sorted[..k.min(sorted.len())];
                assert_eq!(ranked(&values, k), expected, "{k} of {len}");
            }
        }
    }

    #[test]
    fn ascending_input_is_the_worst_case_and_still_right() {
        let values: Vec<f64> = (0..10_000).map(f64::from).collect();
        assert_eq!(ranked(&values, 3), [9_999, 9_998, 9_997]);
    }

    #[test]
    fn later_components_decide_among_equals_and_rows_without_a_bid_stay_out() {
        let columns: [&[f64]; 2] = [&[1.0, 1.0, 0.0, 1.0], &[5.0, 9.0, 99.0, 7.0]];
        let rows = Rows::new(&columns, 2).unwrap();
        let choices = top_k(&rows, 4, |row| {
            let bid = Bid::new([row.value(Column::at(0)), row.value(Column::at(1))], REASON);
            (row.index() != 3).then_some(bid)
        });
        assert_eq!(
            choices.iter().map(|choice| choice.row).collect::<Vec<_>>(),
            [1, 0, 2]
        );
    }

    #[test]
    fn a_score_is_never_nan() {
        assert_eq!(Bid::new([f64::NAN, 1.0], REASON).score, 0.0);
        assert_eq!(Bid::new([1.0], REASON).score(f64::NAN).score, 0.0);
        assert_eq!(Bid::new([1.0], REASON).score(2.0).score, 2.0);
    }
}
