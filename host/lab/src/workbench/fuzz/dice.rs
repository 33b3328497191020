//! Chance that can be repeated: a seed gives the same throws on every machine.

/// A sequence of throws (splitmix64).
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// The throws of one run of a seed.
    pub(super) const fn new(seed: u64, run: u64) -> Self {
        // Two steps between seed and run, so that neighbouring seeds share no runs.
        let mut dice = Self(seed);
        let mixed = dice.next();
        let mut dice = Self(mixed ^ run.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        dice.next();
        dice
    }

    /// The next number, uniform over all of them.
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// A number from 0 up to `end`, which it does not reach; 0 if there is none.
    pub(super) const fn below(&mut self, end: u64) -> u64 {
        let thrown = self.next();
        if end == 0 { 0 } else { thrown % end }
    }

    /// The same for small numbers, both ends included.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        let span = u64::from(high.saturating_sub(low)) + 1;
        low + u32::try_from(self.below(span)).unwrap_or(0)
    }

    /// True so many times in a hundred.
    pub(super) const fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// One of these.
    pub(super) fn pick<T: Copy>(&mut self, first: T, others: &[T]) -> T {
        let end = others.len() as u64 + 1;
        match usize::try_from(self.below(end)).unwrap_or(0).checked_sub(1) {
            None => first,
            Some(index) => others.get(index).copied().unwrap_or(first),
        }
    }

    /// From 0 up to 1, which it does not reach.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds")]
    pub(super) const fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The numbers from 0 up to `end` in some order.
    pub(super) fn permutation(&mut self, end: u32) -> Vec<u32> {
        let mut order: Vec<(u64, u32)> = (0..end).map(|number| (self.next(), number)).collect();
        order.sort_unstable();
        order.into_iter().map(|(_, number)| number).collect()
    }
}
