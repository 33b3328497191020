//! How something is spread over users: fairness, and quantiles.

/// Jain's index (Σx)²/(nΣx²): 1 where everybody bears the same, 1/n where one bears all. 1 where
/// nobody bears anything; none without anybody.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "2^53 users are beyond anybody")]
pub fn jain(x: &[f64]) -> Option<f64> {
    let (sum, squares) = x
        .iter()
        .fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
    if x.is_empty() {
        None
    } else if squares == 0.0 {
        Some(1.0)
    } else {
        Some(sum * sum / (x.len() as f64 * squares))
    }
}

/// The share of all that the first `share` of users bear, those with the most: of 200 users and
/// 0.01, the two with the most; at least one. None where there is nothing to bear.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of users, from 1 up"
)]
pub fn top_share(x: &[f64], share: f64) -> Option<f64> {
    let mut sorted = x.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let first = (x.len() as f64 * share).ceil().max(1.0) as usize;
    let all: f64 = sorted.iter().sum();
    let most: f64 = sorted.iter().take(first).sum();
    (all > 0.0).then(|| most / all)
}

/// The quantile at `q`, 0 to 1, of numbers in ascending order, interpolated as R's type 7 and
/// `numpy` do. None of none.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in a list"
)]
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let place = q.clamp(0.0, 1.0) * (sorted.len().checked_sub(1)?) as f64;
    let low = *sorted.get(place.floor() as usize)?;
    let high = *sorted.get(place.ceil() as usize)?;
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::testing::near;

    #[test]
    fn the_reference_index() {
        near(jain(&[1.0, 2.0, 3.0, 4.0]).unwrap(), 0.833_333_333, 1e-8);
        assert_eq!(jain(&[]), None);
        assert_eq!(jain(&[0.0, 0.0]), Some(1.0));
        near(jain(&[0.0, 0.0, 5.0, 0.0]).unwrap(), 0.25, 1e-12);
    }

    #[test]
    fn shares_of_the_top() {
        let mut x = vec![1.0; 199];
        x.push(101.0);
        near(top_share(&x, 0.01).unwrap(), 102.0 / 300.0, 1e-12);
        assert_eq!(top_share(&[0.0], 0.01), None);
    }

    #[test]
    fn quantiles_are_interpolated() {
        let x = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(quantile(&x, 0.0), Some(1.0));
        assert_eq!(quantile(&x, 0.5), Some(3.0));
        near(quantile(&x, 0.9).unwrap(), 6.8, 1e-12);
        assert_eq!(quantile(&x, 1.0), Some(8.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    proptest! {
        #[test]
        fn fairness_knows_no_order_and_no_unit(
            x in prop::collection::vec(0.0..1e6_f64, 1..30),
            unit in 0.001..1e3_f64,
        ) {
            let index = jain(&x).unwrap();
            let back: Vec<f64> = x.iter().rev().map(|x| x * unit).collect();
            near(jain(&back).unwrap(), index, 1e-9);
            prop_assert!(index <= 1.0 + 1e-12 && index * x.len() as f64 >= 1.0 - 1e-9);
        }
    }
}
