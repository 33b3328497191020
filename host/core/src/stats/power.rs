//! How many users it takes to see an effect, and which effect the users so far would show.

use super::bounded::mixture;
use super::sequence::Sequence;
use super::special::{noncentral_t_cdf, normal_quantile, t_quantile};

/// Users per arm to see `effect` with probability `power` at level `alpha` (both sides), where V of
/// the two arms is `variance_a` and `variance_b`: (z_{1−α/2}+z_{1−β})²·(V_A+V_B)/Δ². Not a whole
/// number; infinite for no effect.
#[must_use]
pub fn users_per_arm(variance_a: f64, variance_b: f64, effect: f64, alpha: f64, power: f64) -> f64 {
    let z = reach(alpha, power);
    z * z * (variance_a + variance_b) / (effect * effect)
}

/// The smallest effect that arms of that size would show so often: the minimum detectable effect.
#[must_use]
pub fn detectable_effect(
    variance_a: f64,
    variance_b: f64,
    users_per_arm: f64,
    alpha: f64,
    power: f64,
) -> f64 {
    reach(alpha, power) * ((variance_a + variance_b) / users_per_arm).sqrt()
}

fn reach(alpha: f64, power: f64) -> f64 {
    normal_quantile(1.0 - alpha / 2.0) + normal_quantile(power)
}

/// By how many standard errors an estimate has to be beyond a bound so that it is with probability `power`.
#[must_use]
pub fn power_quantile(power: f64) -> f64 {
    normal_quantile(power)
}

/// The smallest effect that a sequence has shown, with probability `power`, by the time that `users` of both
/// arms have come, where the difference then has that standard error.
#[must_use]
pub fn sequence_effect(sequence: &Sequence, se: f64, users: f64, power: f64) -> f64 {
    se * (sequence.reach(users) + normal_quantile(power))
}

/// Users of both arms by whom a sequence has shown `effect` with probability `power`, where the difference has
/// the standard error `se` with `users` of them. Infinite for no effect.
#[must_use]
pub fn sequence_users(
    sequence: &Sequence,
    (se, users): (f64, f64),
    effect: f64,
    power: f64,
) -> f64 {
    if effect == 0.0 || users <= 0.0 {
        return f64::INFINITY;
    }
    let shows = |n: f64| {
        let se = se * (users / n).sqrt();
        sequence_effect(sequence, se, n, power) <= effect.abs()
    };
    first(shows)
}

/// Users of both arms by whom the sequence that is tuned for that very number has shown `effect` with probability
/// `power`: there the reach r does not depend on the number, so it is users·(SE·(r + z_power)/Δ)². Infinite for no
/// effect, none for an `alpha` that makes no sense.
#[must_use]
pub fn tuned_sequence_users(
    alpha: f64,
    (se, users): (f64, f64),
    effect: f64,
    power: f64,
) -> Option<f64> {
    // Tuned for one number, it reaches there as far as any other does at its own.
    let reach = Sequence::new(alpha, 1.0)?.reach(1.0);
    let ratio = se * (reach + normal_quantile(power)) / effect.abs();
    Some(if effect == 0.0 {
        f64::INFINITY
    } else {
        users * ratio * ratio
    })
}

/// Equal denominators in an arm by which the exact bound of two shares ([`mixture`], each arm at half of `alpha`)
/// shows with probability `power` that one is above the other by less than `margin`, where both are `share`. By the
/// normal approximation of the counts, with none at all where nothing happens. Infinite beyond any experiment.
#[must_use]
pub fn mixture_users(share: f64, margin: f64, alpha: f64, power: f64) -> f64 {
    let shows = |n: f64| {
        let (low, high) = mixture(share * n, n, alpha / 2.0);
        let se = (2.0 * share * (1.0 - share) / n).sqrt();
        high - low + normal_quantile(power) * se < margin
    };
    first(shows)
}

/// The number from which on something holds, if it holds from some number on; infinite beyond any experiment.
#[must_use]
pub fn first(holds: impl Fn(f64) -> bool) -> f64 {
    let mut high = 2.0;
    while !holds(high) {
        high *= 2.0;
        if high > USERS_BEYOND {
            return f64::INFINITY;
        }
    }
    let mut low = high / 2.0;
    // Sixty halvings leave nothing of any width.
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// Users that no experiment has.
const USERS_BEYOND: f64 = 1e12;

/// Cohen's h: the distance of two shares on the scale where their variance is the same everywhere.
#[must_use]
pub fn cohens_h(a: f64, b: f64) -> f64 {
    2.0 * a.sqrt().asin() - 2.0 * b.sqrt().asin()
}

/// Users per arm to tell two shares apart, by Cohen's h.
#[must_use]
pub fn users_per_arm_for_shares(a: f64, b: f64, alpha: f64, power: f64) -> f64 {
    let (z, h) = (reach(alpha, power), cohens_h(a, b));
    2.0 * z * z / (h * h)
}

/// Users per arm for a t test of a standardised effect `d`: exact, by the noncentral t, for few
/// users. Infinite for no effect.
#[must_use]
pub fn users_per_arm_for_t(d: f64, alpha: f64, power: f64) -> f64 {
    if d == 0.0 {
        return f64::INFINITY;
    }
    let reached = |n: f64| {
        let (df, shift) = (2.0 * n - 2.0, d.abs() * (n / 2.0).sqrt());
        let critical = t_quantile(1.0 - alpha / 2.0, df);
        1.0 - noncentral_t_cdf(critical, df, shift) + noncentral_t_cdf(-critical, df, shift)
    };
    let normal = users_per_arm(1.0, 1.0, d, alpha, power);
    let (mut low, mut high) = (2.0, normal + 10.0);
    // Sixty halvings leave nothing of any width.
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if reached(middle) < power {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::near;

    #[test]
    fn the_reference_sizes() {
        let share = |p: f64| p * (1.0 - p);
        let unpooled = users_per_arm(share(0.05), share(0.03), 0.02, 0.05, 0.8);
        near(unpooled, 1_503.06, 1e-5);
        near(cohens_h(0.05, 0.03), 0.102_860_790_5, 1e-9);
        let by_h = users_per_arm_for_shares(0.05, 0.03, 0.05, 0.8);
        near(by_h, 1_483.67, 1e-5);
        near(users_per_arm_for_t(0.2, 0.05, 0.8), 393.405_7, 1e-6);
        assert!(users_per_arm_for_t(0.0, 0.05, 0.8).is_infinite());
    }

    /// J17: what is planned is planned for the test that is used.
    #[test]
    fn j17_a_sequence_wants_more_users_than_one_look() {
        let sequence = Sequence::new(0.05, 5_000.0).unwrap();
        let se = |users: f64| (4.0 * 2.5 / users).sqrt();
        let effect = sequence_effect(&sequence, se(2_000.0), 2_000.0, 0.8);
        let users = sequence_users(&sequence, (se(700.0), 700.0), effect, 0.8);
        near(users, 2_000.0, 1e-6);
        let fixed = 2.0 * users_per_arm(2.5, 2.5, effect, 0.05, 0.8);
        assert!(fixed < 0.7 * users, "{fixed} at one look, {users} at all");
        assert!(sequence_users(&sequence, (1.0, 100.0), 0.0, 0.8).is_infinite());
        assert!(sequence_users(&sequence, (1.0, 100.0), 1e-9, 0.8).is_infinite());
    }

    /// Tuned for the number that it takes, a sequence takes no more than any other does.
    #[test]
    fn j17_the_best_tuned_sequence_is_the_one_for_the_number_that_it_takes() {
        let at = (0.05, 1_000.0);
        let tuned = tuned_sequence_users(0.05, at, 0.1, 0.8).unwrap();
        let itself = Sequence::new(0.05, tuned).unwrap();
        near(sequence_users(&itself, at, 0.1, 0.8), tuned, 1e-9);
        for planned in [tuned / 10.0, tuned / 2.0, tuned * 2.0, tuned * 10.0] {
            let other = Sequence::new(0.05, planned).unwrap();
            assert!(sequence_users(&other, at, 0.1, 0.8) > tuned, "{planned}");
        }
        assert!(
            tuned_sequence_users(0.05, at, 0.0, 0.8)
                .unwrap()
                .is_infinite()
        );
        assert_eq!(tuned_sequence_users(0.0, at, 0.1, 0.8), None);
    }

    /// J17: of no event at all the exact bound has a closed form, which gives the number.
    #[test]
    fn j17_a_margin_takes_users_even_where_nothing_happens() {
        let users = mixture_users(0.0, 0.005, 0.05, 0.8);
        let (_, high) = mixture(0.0, users, 0.025);
        near(high, 0.005, 1e-6);
        assert!((1_000.0..3_000.0).contains(&users), "{users}");
        // What happens now and then takes more.
        assert!(mixture_users(0.01, 0.005, 0.05, 0.8) > 3.0 * users);
        assert!(mixture_users(0.5, 1e-9, 0.05, 0.8).is_infinite());
    }

    #[test]
    fn size_and_effect_undo_each_other() {
        let n = users_per_arm(2.0, 3.0, 0.4, 0.05, 0.8);
        near(detectable_effect(2.0, 3.0, n, 0.05, 0.8), 0.4, 1e-9);
    }
}
