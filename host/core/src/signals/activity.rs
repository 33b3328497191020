//! User activity and what is derived from it. Only application frames from the client count:
//! pings, pongs, pushes, probes and reads of statistics never touch these numbers.

use std::time::Duration;

use crate::types::Timestamp;

/// The time constant of the decayed rate.
const RATE_TIME_CONSTANT: Duration = Duration::from_secs(60);
/// The half-life of the decayed count.
const COUNT_HALF_LIFE: Duration = Duration::from_secs(3_600);
/// The time constant of the average of held bytes.
const HELD_TIME_CONSTANT: Duration = Duration::from_secs(60);

/// When and how often a user was active in a manager.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Activity {
    last: Timestamp,
    second_last: Option<Timestamp>,
    count: u64,
    rate_1m: f64,
    decayed_1h: f64,
}

impl Activity {
    /// No activity yet. Until there is some, a manager counts as active when it was created.
    #[must_use]
    pub const fn new(created: Timestamp) -> Self {
        Self {
            last: created,
            second_last: None,
            count: 0,
            rate_1m: 0.0,
            decayed_1h: 0.0,
        }
    }

    /// Counts one application frame from the client.
    pub fn touch(&mut self, now: Timestamp) {
        self.rate_1m = self.rate_1m(now) + 1.0;
        self.decayed_1h = self.decayed_1h(now) + 1.0;
        if self.count > 0 {
            self.second_last = Some(self.last);
        }
        self.count += 1;
        self.last = now;
    }

    /// The last activity; the creation, if there was none.
    #[must_use]
    pub const fn last(&self) -> Timestamp {
        self.last
    }

    /// The last but one, if there were two.
    #[must_use]
    pub const fn second_last(&self) -> Option<Timestamp> {
        self.second_last
    }

    /// How many there were.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Activities per minute, exponentially decayed with a time constant of a minute.
    #[must_use]
    pub fn rate_1m(&self, now: Timestamp) -> f64 {
        self.rate_1m * (-ratio(now.since(self.last), RATE_TIME_CONSTANT)).exp()
    }

    /// Activities, each halved in weight every hour: `Σ 2^(−(t−tᵢ)/h)` (LRFU's combined recency
    /// and frequency, Lee et al. 1999, kept as a value and the moment it was true).
    #[must_use]
    pub fn decayed_1h(&self, now: Timestamp) -> f64 {
        self.decayed_1h * (-ratio(now.since(self.last), COUNT_HALF_LIFE)).exp2()
    }
}

/// Bytes held now and their average over about a minute, weighted by time.
///
/// It is told of every change and asked at any moment; asking changes nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeldBytes {
    bytes: f64,
    average: f64,
    since: Timestamp,
    created: Timestamp,
}

impl HeldBytes {
    /// No bytes are held, since `now`.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self {
            bytes: 0.0,
            average: 0.0,
            since: now,
            created: now,
        }
    }

    /// So many are held from now on.
    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 bytes are beyond any machine"
    )]
    pub fn set(&mut self, now: Timestamp, bytes: usize) {
        self.average = self.average(now);
        self.since = now;
        self.bytes = bytes as f64;
    }

    fn average(&self, now: Timestamp) -> f64 {
        let kept = (-ratio(now.since(self.since), HELD_TIME_CONSTANT)).exp();
        self.bytes + (self.average - self.bytes) * kept
    }

    /// Bytes held now less their average over about a minute: positive while they grow, negative
    /// while they shrink. None in the first minute, which has no minute before it to compare with.
    #[must_use]
    pub fn growth(&self, now: Timestamp) -> Option<f64> {
        let compared = now.since(self.created) >= HELD_TIME_CONSTANT;
        compared.then(|| self.bytes - self.average(now))
    }
}

fn ratio(part: Duration, whole: Duration) -> f64 {
    part.as_secs_f64() / whole.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// Failure mode 7: the stamp moves with every frame, and only with frames.
    #[test]
    fn every_frame_moves_the_stamp() {
        let mut activity = Activity::new(s(5));
        assert_eq!(
            (activity.last(), activity.second_last(), activity.count()),
            (s(5), None, 0)
        );
        activity.touch(s(7));
        assert_eq!(
            (activity.last(), activity.second_last(), activity.count()),
            (s(7), None, 1)
        );
        activity.touch(s(9));
        assert_eq!(
            (activity.last(), activity.second_last(), activity.count()),
            (s(9), Some(s(7)), 2)
        );
    }

    #[test]
    fn decayed_values_match_their_formulas() {
        let mut activity = Activity::new(s(0));
        activity.touch(s(0));
        activity.touch(s(60));
        let expected = (-1.0_f64).exp() + 1.0;
        assert!((activity.rate_1m(s(60)) - expected).abs() < 1e-12);
        assert!((activity.decayed_1h(s(60)) - (1.0 + (-1.0_f64 / 60.0).exp2())).abs() < 1e-12);
        assert!(
            (activity.decayed_1h(s(3_660)) - 0.5 * (1.0 + (-1.0_f64 / 60.0).exp2())).abs() < 1e-12
        );
    }

    #[test]
    fn growth_is_now_less_the_minutes_average() {
        let mut held = HeldBytes::new(s(0));
        held.set(s(0), 1_000);
        assert_eq!(held.growth(s(59)), None, "no minute to compare with");
        let near = |growth: Option<f64>, expected: f64| {
            let growth = growth.unwrap();
            assert!((growth - expected).abs() < 0.1, "{growth}");
        };
        near(held.growth(s(600)), 0.0);
        held.set(s(600), 3_000);
        near(held.growth(s(600)), 2_000.0);
        near(held.growth(s(660)), 2_000.0 * (-1.0_f64).exp());
        held.set(s(1_800), 0);
        near(held.growth(s(1_800)), -3_000.0);
        let copy = held;
        let _ = held.growth(s(1_900));
        assert_eq!(held, copy, "asking changes nothing");
    }
}
