//! Which signal tells two victims apart best.
//!
//! Values of different signals cannot be compared, places can: for each signal that either policy
//! reads, the rows that both were asked about are put in the order of that signal, and what counts
//! is how far apart the two victims stand in it, as a share of the whole: 1 is first and last, 0 is
//! side by side or equal. Equal values share a place; unknown ones stand below all others, as they
//! do for `top_k`. It is a pointer to where to look, not a proof: policies combine signals.

use crate::workbench::snapshot::RecordedSnapshot;
use wastegate_core::decision::Question;
use wastegate_core::types::Signal;

/// Signals that are told of one disagreement.
const REPORTED_MAX: usize = 3;

/// A signal in which two victims differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Because {
    /// The signal that differs between the two rows.
    pub signal: Signal,
    /// How far apart they stand, above 0 to 1.
    pub apart: f64,
    /// Its value for the first policy's victim; NaN is unknown.
    pub value_a: f64,
    /// The same for the second's.
    pub value_b: f64,
    /// Whether the first policy reads it, and whether the second does.
    pub read_by: [bool; 2],
}

/// The signals by which a pair of rows differs most, most first; among equals, one that only one of
/// the policies reads.
pub(super) fn because(
    snapshot: &RecordedSnapshot,
    question: &Question,
    reads: [&[Signal]; 2],
    (a, b): (usize, usize),
) -> Vec<Because> {
    let Some((row_a, row_b)) = snapshot.rows.get(a).zip(snapshot.rows.get(b)) else {
        return Vec::new();
    };
    let mut found: Vec<Because> = Signal::ALL
        .iter()
        .filter_map(|&signal| {
            let read_by = reads.map(|signals| signals.contains(&signal));
            let (value_a, value_b) = (row_a.signals[signal], row_b.signals[signal]);
            let apart = if read_by.contains(&true) {
                apart(question, signal, value_a, value_b)
            } else {
                0.0
            };
            (apart > 0.0).then_some(Because {
                signal,
                apart,
                value_a,
                value_b,
                read_by,
            })
        })
        .collect();
    let by_one = |because: &Because| because.read_by != [true; 2];
    found.sort_by(|x, y| {
        let first = y.apart.total_cmp(&x.apart);
        first.then_with(|| by_one(y).cmp(&by_one(x)))
    });
    found.truncate(REPORTED_MAX);
    found
}

/// How far apart two values stand among all rows of a question.
fn apart(question: &Question, signal: Signal, a: f64, b: f64) -> f64 {
    let [a, b] = [a, b].map(lowest_if_unknown);
    if a == b {
        return 0.0;
    }
    let values = || {
        question
            .rows
            .iter()
            .map(|row| lowest_if_unknown(row.signals[signal]))
    };
    // Equal values share the middle of their places.
    let place = |value: f64| {
        let (below, equal) = values().fold((0_u32, 0_u32), |(below, equal), other| {
            (
                below + u32::from(other < value),
                equal + u32::from(other == value),
            )
        });
        f64::from(below) + f64::from(equal.saturating_sub(1)) / 2.0
    };
    let last = u32::try_from(question.rows.len())
        .unwrap_or(u32::MAX)
        .saturating_sub(1);
    (place(a) - place(b)).abs() / f64::from(last.max(1))
}

const fn lowest_if_unknown(value: f64) -> f64 {
    if value.is_nan() {
        f64::NEG_INFINITY
    } else {
        value
    }
}
