//! How much may be logged in a second: lines and bytes, counted down and refilled by the clock.

use wastegate_core::types::Timestamp;

/// Refilled as finely as the clock counts, so nothing is lost to rounding.
const MICROS_PER_SECOND: u64 = 1_000_000;

/// Lines and bytes a second, both with a burst of one second's worth.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    lines: Tokens,
    bytes: Tokens,
    at: Timestamp,
}

/// One number that is taken from, in millionths.
#[derive(Debug, Clone)]
struct Tokens {
    per_second: u64,
    millionths: u64,
}

impl Bucket {
    /// A full one.
    pub(super) const fn new(lines_per_second: u64, bytes_per_second: u64) -> Self {
        Self {
            lines: Tokens::full(lines_per_second),
            bytes: Tokens::full(bytes_per_second),
            at: Timestamp::ZERO,
        }
    }

    /// Takes a line of so many bytes, or nothing if there is too little of either.
    pub(super) fn take(&mut self, bytes: usize, now: Timestamp) -> bool {
        let elapsed = now.since(self.at).as_micros();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        self.at = self.at.max(now);
        self.lines.refill(elapsed);
        self.bytes.refill(elapsed);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let fits = self.lines.has(1) && self.bytes.has(bytes);
        if fits {
            self.lines.take(1);
            self.bytes.take(bytes);
        }
        fits
    }
}

impl Tokens {
    const fn full(per_second: u64) -> Self {
        Self {
            per_second,
            millionths: per_second.saturating_mul(MICROS_PER_SECOND),
        }
    }

    fn refill(&mut self, micros: u64) {
        let most = self.per_second.saturating_mul(MICROS_PER_SECOND);
        let more = self.per_second.saturating_mul(micros);
        self.millionths = self.millionths.saturating_add(more).min(most);
    }

    const fn has(&self, count: u64) -> bool {
        self.millionths >= count.saturating_mul(MICROS_PER_SECOND)
    }

    const fn take(&mut self, count: u64) {
        let taken = count.saturating_mul(MICROS_PER_SECOND);
        self.millionths = self.millionths.saturating_sub(taken);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_burst_is_a_seconds_worth_and_comes_back_evenly() {
        let mut bucket = Bucket::new(10, 1_000);
        let taken = |bucket: &mut Bucket, now| (0..100).filter(|_| bucket.take(1, now)).count();
        assert_eq!(taken(&mut bucket, at(0)), 10);
        assert_eq!(taken(&mut bucket, at(99)), 0);
        assert_eq!(taken(&mut bucket, at(100)), 1);
        assert_eq!(taken(&mut bucket, at(60_000)), 10, "and no more than that");
        // Bytes are short before lines are.
        assert!(bucket.take(900, at(70_000)));
        assert!(!bucket.take(101, at(70_000)));
        assert!(bucket.take(100, at(70_000)), "a shorter one still fits");
        assert!(!Bucket::new(0, 1_000).take(0, at(9)), "none is none");
    }

    proptest! {
        /// In any span no more than a burst and what flowed in.
        #[test]
        fn never_more_than_was_allowed(
            lines in 0..50_u64,
            per_second in 1..5_000_u64,
            asked in prop::collection::vec((0..200_u64, 0..600_usize), 1..300),
        ) {
            let mut bucket = Bucket::new(lines, per_second);
            let (mut now, mut taken, mut bytes_taken) = (0, 0, 0);
            for (pause, bytes) in asked {
                now += pause;
                if bucket.take(bytes, at(now)) {
                    taken += 1;
                    bytes_taken += bytes as u64;
                }
                let allowed = |rate: u64| rate * 1_000 + rate * now;
                prop_assert!(taken * 1_000 <= allowed(lines));
                prop_assert!(bytes_taken * 1_000 <= allowed(per_second));
            }
        }
    }
}
