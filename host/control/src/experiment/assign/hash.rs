//! GrowthBook's hashes: 32-bit FNV-1a over UTF-16 code units.
//!
//! Over code units and not over UTF-8 bytes, because its SDKs began in JavaScript and the others
//! copied that. For ASCII ids it is the same.

/// Which of GrowthBook's two hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashVersion {
    /// In thousandths, unit before seed; biased for two experiments of the same seed. For layers.
    V1,
    /// In ten-thousandths, hashed twice.
    V2,
}

/// Where a unit is in [0, 1) under a seed.
#[must_use]
pub fn place(version: HashVersion, seed: &str, unit: &str) -> f64 {
    match version {
        HashVersion::V1 => {
            let hash = fnv1a32(unit.encode_utf16().chain(seed.encode_utf16()));
            f64::from(hash % 1_000) / 1_000.0
        }
        HashVersion::V2 => {
            let once = fnv1a32(seed.encode_utf16().chain(unit.encode_utf16()));
            let twice = fnv1a32(once.to_string().encode_utf16());
            f64::from(twice % 10_000) / 10_000.0
        }
    }
}

/// FNV-1a in 32 bits: offset 0x811c9dc5, prime 0x01000193.
fn fnv1a32(units: impl Iterator<Item = u16>) -> u32 {
    units.fold(0x811c_9dc5, |hash, unit| {
        (hash ^ u32::from(unit)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_cases() {
        for (seed, unit, expected) in [
            ("seed", "a", 0.0505),
            ("seed", "b", 0.2696),
            ("foo", "ab", 0.2575),
            ("foo", "def", 0.2019),
            ("89123klj", "8952klfjas09ujkasdf", 0.124),
            ("90850943850283058242805", "123", 0.7516),
            ("evict-exp-1", "user-0", 4_042.0 / 1e4),
            ("evict-exp-1", "user-1", 0.644),
            ("evict-exp-1", "user-2", 0.3036),
            ("evict-exp-1", "user-3", 0.0517),
            ("evict-exp-1", "user-4", 4_082.0 / 1e4),
            ("evict-exp-2", "user-0", 0.8263),
            ("", "", 0.2305),
            ("evict-exp-1", "用户", 0.0986),
        ] {
            assert_eq!(
                place(HashVersion::V2, seed, unit),
                expected,
                "{seed} {unit}"
            );
        }
        for (seed, unit, expected) in [
            ("", "a", 0.22),
            ("", "b", 0.077),
            ("b", "a", 0.946),
            ("ef", "d", 0.652),
            ("", "123", 0.011),
        ] {
            assert_eq!(
                place(HashVersion::V1, seed, unit),
                expected,
                "{seed} {unit}"
            );
        }
    }

    /// A hundred thousand users, recomputed with the PyPI package.
    #[test]
    fn users_are_spread_evenly_and_seeds_are_independent() {
        let mut deciles = [0_u32; 10];
        let mut table = [[0_u32; 2]; 2];
        for user in 0..100_000 {
            let unit = format!("user-{user}");
            let one = place(HashVersion::V2, "evict-exp-1", &unit);
            let two = place(HashVersion::V2, "evict-exp-2", &unit);
            deciles[(1..10)
                .filter(|tenth| one >= f64::from(*tenth) * 0.1)
                .count()] += 1;
            table[usize::from(one >= 0.5)][usize::from(two >= 0.5)] += 1;
        }
        assert_eq!(
            deciles,
            [
                9957, 10191, 9969, 9872, 10095, 10122, 9905, 10104, 9896, 9889
            ]
        );
        assert_eq!(table, [[25_262, 24_822], [25_017, 24_899]]);
    }
}
