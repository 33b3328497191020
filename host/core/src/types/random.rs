//! Numbers that look random and are the same for the same seed, on every machine and in every
//! version: `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
//! OOPSLA 2014).
//!
//! For decisions, demonstrations and made-up inputs, which have to be repeatable. Never for what
//! nobody may guess.

/// The odd constant that the state moves on by: the golden ratio in 64 bits.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of numbers from a seed.
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The stream of that seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The number at a place of a seed's stream, from 1, without those before it.
    #[must_use]
    pub const fn nth(seed: u64, place: u64) -> u64 {
        mix(seed.wrapping_add(place.wrapping_mul(GAMMA)))
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }
}

/// Neighbours end up far apart, and no two numbers in the same place.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs of the reference implementation for the seed 1234567.
    #[test]
    fn it_is_the_published_generator() {
        let mut stream = SplitMix64::new(1_234_567);
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        for (place, expected) in (1..).zip(published) {
            assert_eq!(stream.next(), expected);
            assert_eq!(SplitMix64::nth(1_234_567, place), expected);
        }
    }
}
