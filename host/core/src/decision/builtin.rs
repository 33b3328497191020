//! The host's own ranking: what decides when no policy does.
//!
//! Lexicographic, as kubelet and Android's low memory killer rank (class first, then how little it
//! would be missed): class, protection, whether it answers, hinted priority, visibility, idle time. The order of rows
//! breaks ties, and rows come least recently active first, so the whole order is total.

use std::cmp::Ordering;
use std::sync::Arc;

use super::question::Question;
use super::ranker::{Answer, Choice, PolicyRef, Ranked, Ranker, Ranking};
use super::snapshot::{Class, Row};
use crate::types::{Protection, Signal};

/// What the built-in ranking says of every victim; the index is the class's place in [`Class::ALL`].
pub const REASONS: [&str; 9] = [
    "its peer is gone",
    "its device opened a newer connection",
    "nobody came back to it",
    "it does not take commands",
    "it was probed and stayed silent",
    "it does not read what it is sent",
    "it missed a heartbeat",
    "nobody is attached to it",
    "the one missed least",
];

/// The built-in ranking as a [`Ranker`]: the fallback, and the baseline of every benchmark.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuiltIn;

impl Ranker for BuiltIn {
    fn rank(&self, question: &Arc<Question>) -> Answer {
        let choices = best(question, question.most);
        Answer::Ready(Ranked {
            reasons: REASONS.iter().map(|&reason| reason.to_owned()).collect(),
            ..Ranked::of(PolicyRef::builtin(), Ok(Ranking { choices }))
        })
    }
}

/// The best `most` victims of a question, best first. Sorts no further than that.
#[must_use]
pub fn best(question: &Question, most: u32) -> Vec<Choice> {
    let mut order: Vec<(Key, u32)> = question
        .rows
        .iter()
        .zip(0_u32..)
        .map(|(row, index)| (Key::of(row), index))
        .collect();
    let most = (most as usize).min(order.len());
    if most == 0 {
        return Vec::new();
    }
    let compare = |a: &(Key, u32), b: &(Key, u32)| a.0.compare(&b.0).then(a.1.cmp(&b.1));
    if most < order.len() {
        order.select_nth_unstable_by(most - 1, compare);
        order.truncate(most);
    }
    order.sort_unstable_by(compare);
    order
        .into_iter()
        .map(|(key, row)| key.choice(row))
        .collect()
}

/// Every row of a question, best victim first.
#[must_use]
pub fn order(question: &Question) -> Vec<Choice> {
    best(question, u32::MAX)
}

/// What a row is ranked by; the smallest goes first.
#[derive(Debug, Clone, Copy)]
struct Key {
    class: Class,
    protected: bool,
    proven: bool,
    priority: f64,
    visible: bool,
    idle_ms: f64,
}

impl Key {
    fn of(row: &Row) -> Self {
        let or_zero = |value: f64| if value.is_nan() { 0.0 } else { value };
        Self {
            // A newborn has no class and is never in a question; last is where it would do no harm.
            class: row.class().unwrap_or(Class::Responsive),
            protected: row.protection != Protection::Evictable,
            proven: !row.is_unproven(),
            priority: or_zero(row.signals[Signal::Priority]),
            visible: row.signals[Signal::Visibility] > 0.5,
            idle_ms: or_zero(row.idle_ms()),
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        (self.class, self.protected, self.proven)
            .cmp(&(other.class, other.protected, other.proven))
            .then(self.priority.total_cmp(&other.priority))
            .then(self.visible.cmp(&other.visible))
            .then(other.idle_ms.total_cmp(&self.idle_ms))
    }

    fn choice(&self, row: u32) -> Choice {
        Choice {
            row,
            score: self.idle_ms,
            reason: self.class as u16,
        }
    }
}
