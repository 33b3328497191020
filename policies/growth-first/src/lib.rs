//! `growth-first`: whose memory grows fastest goes first, then who holds the most.
//!
//! ```text
//! held    = queued-bytes + buffered-bytes
//! before  = held - bytes-growth-1m
//! growing = bytes-growth-1m >= growth-floor-bytes  and  held >= growth-ratio * before
//! order   = (log2 bucket of the growth where growing, else 0;
//!            log2 bucket of what is held, and 0 below size-floor-bytes;
//!            idle-ms), larger first
//! score   = the growth where growing, else what is held
//! ```
//!
//! Who reads more slowly than it is sent to shows as growth long before it shows as size, and
//! evicting it stops the leak, while evicting the largest may take one that is large and steady.
//! Growth counts only if it is worth the name (the floor) and if it is much for this manager (the
//! ratio): a busy stream that moves a lot through a steady queue is not growing. Sizes are compared by
//! powers of two, because their exact order is noise.
//!
//! Good on a node whose memory fills from few slow consumers. Bad where memory is not the problem,
//! and in the first minute of a manager, when growth is unknown: until then only its size counts. A
//! burst that is about to be read looks the same as a leak for up to a minute.
//!
//! Source: Meta's oomd, plugin `kill_by_memory_size_or_growth` (size above a threshold, then growth by
//! ratio among the larger, then size). Taken over: growth before size, and its ratio of 1.25. Not
//! taken over: the phase for one that holds more than half of everything, since here a node has
//! thousands; and "among the largest fifth", for which a floor in bytes stands, since a fifth of
//! twenty rows is four whether anybody is large or not.

use wastegate_policy::prelude::*;

/// The fastest growing first, then the largest.
#[derive(Debug)]
pub struct GrowthFirst;

manifest! {
    name: "growth-first",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Evicts the managers whose queues and buffers grow fastest, then those that hold the most.",
    scopes: [User, Node],
    signals: { GROWTH: BytesGrowth1m, QUEUED: QueuedBytes, BUFFERED: BufferedBytes, IDLE: IdleMs },
    parameters: {
        /// Growth over a minute that is less than this is none, in bytes.
        GROWTH_FLOOR_BYTES: "growth-floor-bytes" = 65_536.0 in 1.0..=4_294_967_296.0,
        /// How many times what it held a minute ago a growing manager holds now, at least.
        GROWTH_RATIO: "growth-ratio" = 1.25 in 1.0..=1_000.0,
        /// Managers that hold less than this are all equally small, in bytes.
        SIZE_FLOOR_BYTES: "size-floor-bytes" = 32_768.0 in 1.0..=4_294_967_296.0,
    },
    reasons: {
        GROWING: "its memory grows fastest",
        LARGE: "holds the most memory",
        SMALL: "small and least recently used",
    },
}

impl Policy for GrowthFirst {
    const MANIFEST: Manifest = MANIFEST;

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let growth_floor = call.param(GROWTH_FLOOR_BYTES);
        let ratio = call.param(GROWTH_RATIO);
        let size_floor = call.param(SIZE_FLOOR_BYTES);
        Ok(top_k(rows, call.enough(rows), |row| {
            // Always known, and where it is not after all, it is not at least a floor.
            let held = row.value(QUEUED) + row.value(BUFFERED);
            let growth = row.value(GROWTH);
            let size = if held >= size_floor {
                bucket(held)
            } else {
                0.0
            };
            // An unknown growth is not at least the floor.
            let growing = growth >= growth_floor && held >= ratio * (held - growth);
            let (grown, score, reason) = match size {
                _ if growing => (bucket(growth), growth, GROWING),
                0.0 => (0.0, held, SMALL),
                _ => (0.0, held, LARGE),
            };
            // Two small whole numbers and milliseconds fit into one component: comparing is most of
            // the work. Unknown idle time is less than any.
            let idle = row.value(IDLE);
            let idle = if idle >= 0.0 {
                idle.min(IDLE_MS_MAX)
            } else {
                -1.0
            };
            let key = [(BUCKETS * grown + size) * (2.0 * IDLE_MS_MAX) + idle];
            Some(Bid::new(key, reason).score(score))
        }))
    }
}

export!(GrowthFirst);

/// Longer idle times, of 99 days and more, count as this; a power of two, with which the whole key
/// has 44 bits.
const IDLE_MS_MAX: f64 = (1_u64 << 33) as f64;

/// How many buckets there are; the last holds all from 1 GiB on.
const BUCKETS: f64 = 32.0;

/// One more than the exponent of the largest power of two that is not more than `bytes`, so that no
/// bucket is 0; at most 31.
fn bucket(bytes: f64) -> f64 {
    // The conversion saturates, which is right for sizes.
    f64::from((bytes as u64).max(1).ilog2() + 1).min(BUCKETS - 1.0)
}

#[cfg(test)]
mod tests {
    use wastegate_policy::testing::{Fixture, check_laws};

    use super::*;

    const KIB: f64 = 1_024.0;

    /// Held and grown in KiB, idle time in milliseconds.
    fn fixture(rows: &[(f64, f64, f64)]) -> Fixture {
        rows.iter()
            .fold(Fixture::new(), |fixture, &(held, growth, idle)| {
                fixture.row(&[
                    (Signal::QueuedBytes, held * KIB),
                    (Signal::BufferedBytes, 0.0),
                    (Signal::BytesGrowth1m, growth * KIB),
                    (Signal::IdleMs, idle),
                ])
            })
    }

    #[test]
    fn growth_goes_before_size_and_size_before_idle_time() {
        let rows = [
            (4_000.0, 0.0, 1.0),
            (200.0, 150.0, 1.0),
            (900.0, 600.0, 1.0),
            (8.0, 0.0, 9_000.0),
            (9.0, 0.0, 9_999.0),
        ];
        assert_eq!(fixture(&rows).victims::<GrowthFirst>(), [2, 1, 0, 4, 3]);
    }

    /// 100 KiB grown to 125 KiB is a ratio of 1.25; the floor is lowered to see the ratio alone.
    #[test]
    fn growth_counts_from_the_ratio_on() {
        let grown = |held, growth| {
            let fixture = fixture(&[(held, growth, 1.0)]).param("growth-floor-bytes", 1.0);
            fixture.rank::<GrowthFirst>().unwrap()[0].reason
        };
        assert_eq!(grown(125.0, 25.0), GROWING);
        assert_eq!(grown(126.0, 25.0), LARGE);
        assert_eq!(grown(25.0, 25.0), GROWING);
    }

    #[test]
    fn growth_counts_from_the_floor_on_and_shrinking_is_none() {
        let reason = |growth| {
            fixture(&[(70.0, growth, 1.0)])
                .rank::<GrowthFirst>()
                .unwrap()[0]
                .reason
        };
        assert_eq!(reason(64.0), GROWING);
        assert_eq!(reason(63.9), LARGE);
        assert_eq!(reason(-64.0), LARGE);
        assert_eq!(reason(f64::NAN), LARGE);
    }

    #[test]
    fn growth_of_about_as_much_is_settled_by_size_and_then_by_idle_time() {
        let rows = [(300.0, 100.0, 1.0), (120.0, 110.0, 5.0), (280.0, 70.0, 9.0)];
        assert_eq!(fixture(&rows).victims::<GrowthFirst>(), [2, 0, 1]);
    }

    #[test]
    fn the_score_is_what_it_is_about() {
        let choices = fixture(&[(200.0, 150.0, 1.0), (100.0, 0.0, 1.0)])
            .rank::<GrowthFirst>()
            .unwrap();
        let said: Vec<_> = choices.iter().map(|c| (c.row, c.score, c.reason)).collect();
        assert_eq!(said, [(0, 150.0 * KIB, GROWING), (1, 100.0 * KIB, LARGE)]);
    }

    #[test]
    fn keeps_the_laws() {
        check_laws::<GrowthFirst>();
    }
}
