//! How far an active policy and its shadow agree, over many questions: the share of managers that both
//! take ([`Disagreement::overlap`]), and beside it how alike their whole orders are.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use wastegate_core::decision::{Disagreement, Question, Ranking};
use wastegate_core::stats::rank::{kendall_of_orders, rank_biased_overlap};

/// How much the top counts in rank-biased overlap.
const RBO_P: f64 = 0.9;

/// Sums over decisions that both ranked, and in which there was something to choose: where every row goes, or
/// there is one, any two rankings agree.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Agreement {
    compared: u64,
    without_choice: u64,
    same_first: u64,
    overlap: Mean,
    tau: Mean,
    rbo: Mean,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Mean {
    sum: f64,
    of: u64,
}

/// The same as means, each with what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Agreed {
    /// Decisions that both ranked, and in which there was a choice.
    pub compared: u64,
    /// Decisions that both ranked in which there was none: as many rows as had to go, or fewer. They are in no
    /// figure here.
    pub without_choice: u64,
    /// Of those, with the same first choice.
    pub same_first: u64,
    /// The mean share of victims in common, of as many as were needed.
    pub overlap_at_needed: Option<f64>,
    /// Kendall's τ-b over rows that both ranked, and of how many decisions it is the mean.
    pub kendall_tau_b: Option<(f64, u64)>,
    /// Rank-biased overlap (p = 0.9), and of how many decisions it is the mean.
    pub rank_biased_overlap: Option<(f64, u64)>,
}

impl Mean {
    fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.sum += value;
            self.of += 1;
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 decisions are beyond anybody"
    )]
    fn get(self) -> Option<(f64, u64)> {
        (self.of > 0).then(|| (self.sum / self.of as f64, self.of))
    }
}

impl Agreement {
    /// Two orders of the same rows.
    pub(super) fn add(&mut self, live: &[u32], shadow: &[u32], needed: u32) {
        let needed = usize::try_from(needed).unwrap_or(usize::MAX).max(1);
        if live.len().max(shadow.len()) <= needed {
            self.without_choice += 1;
            return;
        }
        self.compared += 1;
        let first = Disagreement::of_rankings(live, shadow, 1);
        self.same_first += u64::from(first.is_none());
        let taken = Disagreement::of_rankings(live, shadow, needed);
        self.overlap.add(Some(taken.overlap()));
        self.tau.add(kendall_of_orders(live, shadow));
        self.rbo.add(rank_biased_overlap(
            live,
            shadow,
            RBO_P,
            live.len().min(shadow.len()),
        ));
    }

    pub(super) fn agreed(&self) -> Agreed {
        Agreed {
            compared: self.compared,
            without_choice: self.without_choice,
            same_first: self.same_first,
            overlap_at_needed: self.overlap.get().map(|(mean, _)| mean),
            kendall_tau_b: self.tau.get(),
            rank_biased_overlap: self.rbo.get(),
        }
    }
}

/// The rows of a ranking that exist, each once, in its order.
pub(super) fn order(ranking: &Ranking, question: &Question) -> Vec<u32> {
    let mut met = HashSet::new();
    let rows = ranking.choices.iter().map(|choice| choice.row);
    rows.filter(|&row| (row as usize) < question.rows.len() && met.insert(row))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// J21: with one candidate any two rankings agree, which says nothing of them.
    #[test]
    fn j21_agreement_is_counted_where_there_was_a_choice() {
        let mut agreement = Agreement::default();
        agreement.add(&[3], &[3], 1);
        agreement.add(&[3, 4], &[4, 3], 2);
        agreement.add(&[1, 2, 3], &[1, 3, 2], 1);
        agreement.add(&[1, 2, 3], &[2, 1, 3], 1);
        let agreed = agreement.agreed();
        assert_eq!((agreed.compared, agreed.without_choice), (2, 2));
        assert_eq!(
            (agreed.same_first, agreed.overlap_at_needed),
            (1, Some(0.5))
        );
    }
}
