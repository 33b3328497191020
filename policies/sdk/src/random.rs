//! Pseudo-randomness from the decision's seed: the only randomness a policy has.
//!
//! Hash the seed with what a row *says* (its age, its bytes), never with its position: a policy
//! has to give the same answer when the host lists the same managers in another order. This is a
//! mixer for shuffling, not cryptography.

/// The gap of Steele, Lea and Flood's `SplitMix64` (2014).
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes a seed with a value; every bit of either changes about half of the result's bits.
///
/// ```
/// use wastegate_policy::random;
///
/// // A lot for each manager, drawn from its age and not from its place in the list.
/// let lot = |seed: u64, age_ms: f64| random::mix(seed, age_ms.to_bits());
/// assert_eq!(lot(7, 90_000.0), lot(7, 90_000.0));
/// assert_ne!(lot(7, 90_000.0), lot(8, 90_000.0));
/// assert_ne!(lot(7, 90_000.0), lot(7, 90_001.0));
/// ```
#[must_use]
pub const fn mix(seed: u64, value: u64) -> u64 {
    scramble(
        scramble(seed.wrapping_add(GAMMA))
            .wrapping_add(value)
            .wrapping_add(GAMMA),
    )
}

/// A number from 0 up to, but not including, 1, all 53 bits of it taken from `bits`.
///
/// ```
/// use wastegate_policy::random;
///
/// assert_eq!(random::unit(0), 0.0);
/// assert_eq!(random::unit(1 << 63), 0.5);
/// assert!((0.0..1.0).contains(&random::unit(random::mix(7, 42))));
/// ```
#[must_use]
pub fn unit(bits: u64) -> f64 {
    const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
    (bits >> 11) as f64 * STEP
}

/// The finaliser of `SplitMix64`.
const fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finaliser_is_the_published_one() {
        // The first outputs of SplitMix64 seeded with 0.
        assert_eq!(scramble(GAMMA), 0xe220_a839_7b1d_cdaf);
        assert_eq!(scramble(GAMMA.wrapping_mul(2)), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn seed_and_value_both_matter() {
        assert_ne!(mix(1, 2), mix(2, 1));
        assert_ne!(mix(0, 0), mix(0, 1));
        assert_ne!(mix(0, 0), mix(1, 0));
    }

    #[test]
    fn units_spread_evenly_over_the_interval() {
        let mut tenths = [0_u32; 10];
        for i in 0..10_000 {
            let value = unit(mix(42, i));
            assert!((0.0..1.0).contains(&value));
            tenths[(value * 10.0) as usize] += 1;
        }
        assert!(
            tenths.iter().all(|count| (900..1_100).contains(count)),
            "{tenths:?}"
        );
        assert!(unit(u64::MAX) < 1.0);
    }
}
