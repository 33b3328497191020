//! Many tests at once: p-values adjusted so that the whole list keeps its promise.

/// Benjamini and Hochberg's: compared with α they bound the share of false discoveries.
#[must_use]
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    adjusted(p, |place, of| of / place, Direction::FromLargest)
}

/// Holm's: compared with α they bound the chance of any false discovery.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    adjusted(p, |place, of| of - place + 1.0, Direction::FromSmallest)
}

/// From which end the adjusted values are kept in order.
#[derive(Clone, Copy, PartialEq)]
enum Direction {
    FromSmallest,
    FromLargest,
}

#[expect(clippy::cast_precision_loss, reason = "tests are few")]
fn adjusted(p: &[f64], factor: impl Fn(f64, f64) -> f64, direction: Direction) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = p.iter().copied().enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let of = p.len() as f64;
    let mut scaled: Vec<(usize, f64)> = (1_u32..)
        .zip(order)
        .map(|(place, (at, p))| (at, (p * factor(f64::from(place), of)).min(1.0)))
        .collect();
    let mut bound: Option<f64> = None;
    let mut keep = |value: &mut f64, pick: fn(f64, f64) -> f64| {
        *value = bound.map_or(*value, |bound| pick(bound, *value));
        bound = Some(*value);
    };
    match direction {
        Direction::FromSmallest => scaled.iter_mut().for_each(|(_, p)| keep(p, f64::max)),
        Direction::FromLargest => scaled.iter_mut().rev().for_each(|(_, p)| keep(p, f64::min)),
    }
    scaled.sort_by_key(|(at, _)| *at);
    scaled.into_iter().map(|(_, p)| p).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::near;

    #[test]
    fn the_reference_list() {
        let p = [0.001, 0.04, 0.03, 0.2];
        for (found, expected) in
            benjamini_hochberg(&p)
                .into_iter()
                .zip([0.004, 0.053_333_333, 0.053_333_333, 0.2])
        {
            near(found, expected, 1e-8);
        }
        for (found, expected) in holm(&p).into_iter().zip([0.004, 0.09, 0.09, 0.2]) {
            near(found, expected, 1e-9);
        }
        assert_eq!(holm(&[]), Vec::<f64>::new());
        assert_eq!(benjamini_hochberg(&[0.7]), [0.7]);
    }
}
