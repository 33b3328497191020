//! Random draws: with what chance which of several comes first, and drawing them so that the draw can be
//! repeated.

use std::cmp::Ordering;

/// The chances of ε-greedy among `candidates`: the greedy one first, then any other. (1, 0) of one.
#[must_use]
pub fn epsilon_greedy(candidates: u32, epsilon: f64) -> (f64, f64) {
    if candidates <= 1 {
        return (1.0, 0.0);
    }
    let each = epsilon / f64::from(candidates);
    (1.0 - epsilon + each, each)
}

/// The chances of a softmax over scores at a temperature above zero: equal scores equal chances, and
/// the larger the temperature the more alike. Scores that are no numbers get none.
#[must_use]
pub fn softmax(scores: &[f64], temperature: f64) -> Vec<f64> {
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weight = |score: &f64| {
        if score.is_nan() {
            0.0
        } else if best.is_infinite() {
            f64::from(u8::from(*score == best))
        } else {
            ((score - best) / temperature).exp()
        }
    };
    let weights: Vec<f64> = scores.iter().map(weight).collect();
    let sum: f64 = weights.iter().sum();
    if sum > 0.0 {
        weights.iter().map(|weight| weight / sum).collect()
    } else {
        weights
    }
}

/// Scores less their mean, over their deviation, so that a temperature means the same for every
/// policy; all zero where they are all alike.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "rows are few")]
pub fn standardised(scores: &[f64]) -> Vec<f64> {
    let n = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / n;
    let variance = scores
        .iter()
        .map(|score| (score - mean).powi(2))
        .sum::<f64>()
        / n;
    let deviation = variance.sqrt();
    let of = |score: &f64| {
        if deviation > 0.0 {
            (score - mean) / deviation
        } else {
            0.0
        }
    };
    scores.iter().map(of).collect()
}

/// A number in [0, 1) of the upper 53 bits of a hash.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
pub const fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// Draws an order of `most` at a time, each next one by softmax among those left (Plackett and
/// Luce), by adding Gumbel noise and sorting. `uniform` gives numbers in [0, 1). Returns places in
/// `scores`.
#[must_use]
pub fn draw(
    scores: &[f64],
    temperature: f64,
    most: usize,
    mut uniform: impl FnMut() -> f64,
) -> Vec<usize> {
    let mut noisy: Vec<(usize, f64)> = scores
        .iter()
        .map(|score| {
            let u = uniform().max(f64::MIN_POSITIVE);
            score / temperature - (-u.ln()).ln()
        })
        .enumerate()
        .filter(|(_, noisy)| !noisy.is_nan())
        .collect();
    noisy.sort_by(|a, b| match b.1.total_cmp(&a.1) {
        Ordering::Equal => a.0.cmp(&b.0),
        order => order,
    });
    noisy.truncate(most);
    noisy.into_iter().map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::testing::{Uniform, near};

    #[test]
    fn the_reference_chances() {
        let (greedy, other) = epsilon_greedy(5, 0.1);
        near(greedy, 0.92, 1e-12);
        near(other, 0.02, 1e-12);
        assert_eq!(epsilon_greedy(1, 0.1), (1.0, 0.0));
        let chances = softmax(&[2.0, 1.0, 0.0], 1.0);
        for (chance, expected) in
            chances
                .into_iter()
                .zip([0.665_240_955_8, 0.244_728_471_1, 0.090_030_573_2])
        {
            near(chance, expected, 1e-9);
        }
    }

    #[test]
    fn drawn_as_often_as_they_should_be() {
        let scores = [2.0, 1.0, 0.0];
        let mut uniform = Uniform(5);
        let mut first = [0_u32; 3];
        for _ in 0..30_000 {
            let order = draw(&scores, 1.0, 2, || uniform.next());
            assert_eq!(order.len(), 2);
            first[order[0]] += 1;
        }
        for (count, chance) in first.into_iter().zip(softmax(&scores, 1.0)) {
            let expected = 30_000.0 * chance;
            let error = (expected * (1.0 - chance)).sqrt();
            assert!(
                (f64::from(count) - expected).abs() < 4.0 * error,
                "{first:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn chances_sum_to_one_whatever_the_scores(
            scores in prop::collection::vec(-1e9..1e9_f64, 1..20),
            temperature in 0.01..100.0_f64,
        ) {
            let chances = softmax(&standardised(&scores), temperature);
            near(chances.iter().sum(), 1.0, 1e-9);
            let (greedy, other) = epsilon_greedy(scores.len() as u32, 0.3);
            near(greedy + other * (scores.len() - 1) as f64, 1.0, 1e-9);
        }
    }
}
