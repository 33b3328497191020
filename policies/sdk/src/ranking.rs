//! From rows to an order of victims, sorted no further than asked.
//!
//! A full sort of ten thousand rows is most of a call's cost while a decision needs a handful. So
//! [`top_k`] keeps the best so far in a heap with the worst of them on top: nearly every row is
//! turned away by one comparison with that. The work grows with the rows, the memory only with the
//! answer. A heap also compiles to a fifth of the code of a selection and a sort, and every byte of
//! a policy is compiled when it is loaded.
//!
//! The order is total and the same everywhere: keys from the first component to the last, larger
//! first, and the lower row where all are equal. It knows nothing of what the numbers mean.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::{Reason, Row, Rows};

/// One proposed victim.
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
    let mut best: BinaryHeap<Entry<N>> = BinaryHeap::with_capacity(k);
    for row in rows.iter() {
        let Some(Bid { key, score, reason }) = bid(row) else {
            continue;
        };
        let choice = Choice {
            row: row.index(),
            score,
            reason,
        };
        let entry = Entry {
            key: key.map(comparable),
            choice,
        };
        if best.len() < k {
            best.push(entry);
        } else if let Some(mut worst) = best.peek_mut()
            && entry < *worst
        {
            *worst = entry;
        }
    }
    best.into_sorted_vec()
        .into_iter()
        .map(|entry| entry.choice)
        .collect()
}

/// A bid that is in the running. The better of two is the lesser, so that a heap has its worst on
/// top and a sort puts the best first.
struct Entry<const N: usize> {
    key: [f64; N],
    choice: Choice,
}

impl<const N: usize> Ord for Entry<N> {
    fn cmp(&self, other: &Self) -> Ordering {
        for (a, b) in self.key.iter().zip(&other.key) {
            let larger_first = b.total_cmp(a);
            if larger_first != Ordering::Equal {
                return larger_first;
            }
        }
        self.choice.row.cmp(&other.choice.row)
    }
}

impl<const N: usize> PartialOrd for Entry<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> Eq for Entry<N> {}

impl<const N: usize> PartialEq for Entry<N> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

/// A number whose total order is the one people expect: NaN is below everything and the two zeros
/// are one (adding zero turns the negative into the positive one).
fn comparable(value: f64) -> f64 {
    if value.is_nan() {
        f64::NEG_INFINITY
    } else {
        value + 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, random};

    const REASON: Reason = Reason::at(0);

    fn ranked(values: &[f64], k: usize) -> Vec<u32> {
        let columns = [values.to_vec()];
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
                comparable(values[*b as usize]).total_cmp(&comparable(values[*a as usize]))
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
        let columns = [vec![1.0, 1.0, 0.0, 1.0], vec![5.0, 9.0, 99.0, 7.0]];
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
