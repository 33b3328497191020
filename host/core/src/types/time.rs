//! Time as a dependency. Deciders never ask for it: they are handed a [`Timestamp`].
//!
//! The system clock follows tokio's, so a test that pauses tokio's time owns all of ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// A moment: microseconds on the host's monotonic clock, counted from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The clock's start.
    pub const ZERO: Self = Self(0);

    /// A moment so many microseconds after the clock's start.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A moment so many milliseconds after the clock's start.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the clock's start.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the clock's start.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0 / 1_000
    }

    /// How long `earlier` was before this moment; zero if it was not before it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The same in milliseconds with fractions, as signals carry it.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 microseconds are 285 years"
    )]
    pub const fn ms_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1_000.0
    }

    /// The moment `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)),
        )
    }
}

/// Where timestamps come from. Cheap to clone; clones agree.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    /// Tokio's clock: the machine's in service, a virtual one in a runtime with paused time.
    Tokio {
        start: tokio::time::Instant,
        unix_ms_at_start: u64,
        /// The moment of the last look, µs, where no two looks may find the same.
        last: Option<Arc<AtomicU64>>,
    },
    /// Moves only when told to.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The clock of the runtime it is used in.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads a clock"
    )]
    pub fn system() -> Self {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(Source::Tokio {
            start: tokio::time::Instant::now(),
            unix_ms_at_start: whole_ms(unix),
            last: None,
        })
    }

    /// The same clock, but each look at it finds a later moment than the one before: on a machine time passes
    /// between two looks, and in a runtime with paused time it does not. A manual clock stays as it is.
    #[must_use]
    pub fn distinct(mut self) -> Self {
        if let Source::Tokio { last, .. } = &mut self.0 {
            *last = Some(Arc::default());
        }
        self
    }

    /// A clock at zero that [`Clock::advance`] moves.
    #[must_use]
    pub fn manual() -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(0))))
    }

    /// The present moment by this clock.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads a clock"
    )]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Tokio { start, last, .. } => {
                let elapsed = tokio::time::Instant::now().saturating_duration_since(*start);
                let now = Timestamp::ZERO.after(elapsed);
                let later = |last: &Arc<AtomicU64>| {
                    let next = |before: u64| now.micros().max(before.saturating_add(1));
                    let before =
                        last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |before| {
                            Some(next(before))
                        });
                    Timestamp(before.map_or(now.micros(), next))
                };
                last.as_ref().map_or(now, later)
            }
            Source::Manual(micros) => Timestamp(micros.load(Ordering::Relaxed)),
        }
    }

    /// Milliseconds since the Unix epoch, for records that leave the process. It follows the
    /// monotonic clock from the start on, so it never jumps.
    #[must_use]
    pub fn unix_ms(&self, at: Timestamp) -> u64 {
        match &self.0 {
            Source::Tokio {
                unix_ms_at_start, ..
            } => unix_ms_at_start.saturating_add(at.millis()),
            Source::Manual(_) => at.millis(),
        }
    }

    /// Moves a manual clock on; any other moves by itself.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(micros) = &self.0 {
            let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
            micros.fetch_add(by, Ordering::Relaxed);
        }
    }
}

/// A duration in whole milliseconds, as settings and records have it: rounded down, and `u64::MAX` where
/// it is longer than that.
#[must_use]
pub fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Doublings after which a wait grows no more: far beyond every maximum that makes sense.
const DOUBLINGS_MAX: u32 = 16;

/// A wait that begins with `first` and was doubled so many `times`, up to `max`; `max` is at least
/// `first`.
#[must_use]
pub fn doubled(first: Duration, times: u32, max: Duration) -> Duration {
    first
        .saturating_mul(1 << times.min(DOUBLINGS_MAX))
        .min(max.max(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_never_go_below_zero() {
        let (early, late) = (Timestamp::from_millis(5), Timestamp::from_millis(9));
        assert_eq!(late.since(early), Duration::from_millis(4));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(late.ms_since(Timestamp::from_micros(8_500)), 0.5);
    }

    #[tokio::test(start_paused = true)]
    async fn the_system_clock_follows_virtual_time() {
        let clock = Clock::system();
        let before = clock.now();
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert_eq!(clock.now().since(before), Duration::from_secs(3_600));
        assert_eq!(
            clock.unix_ms(clock.now()) - clock.unix_ms(before),
            3_600_000
        );
    }

    #[tokio::test(start_paused = true)]
    async fn looks_at_a_distinct_clock_find_later_moments() {
        let clock = Clock::system().distinct();
        let looks: Vec<u64> = (0..4).map(|_| clock.clone().now().micros()).collect();
        assert_eq!(looks, [1, 2, 3, 4]);
        tokio::time::advance(Duration::from_millis(7)).await;
        assert_eq!(clock.now(), Timestamp::from_millis(7));
    }

    #[test]
    fn a_manual_clock_stands_until_moved() {
        let clock = Clock::manual();
        let other = clock.clone();
        clock.advance(Duration::from_millis(7));
        assert_eq!(other.now(), Timestamp::from_millis(7));
    }
}
