//! `largest-first`: what holds the most memory goes first.
//!
//! ```text
//! held   = queued-bytes + buffered-bytes
//! bucket = floor(log2(held)), and 0 below floor-bytes
//! order  = (bucket, idle-ms), larger first;  score = held
//! ```
//!
//! Sizes are compared by powers of two because their exact order is noise: of two managers that
//! hold about as much, the one that was left alone goes. Below the floor nobody is worth evicting
//! for memory and idle time alone decides. It says nothing of who is alive; it is for a node that
//! runs out of memory, behind the tiers that settle that first.
//!
//! Source: `maxmemory-clients` of Redis 7 (client eviction by log2 buckets from 32 KiB up); the
//! size phase of Meta's oomd.

use wastegate_policy::prelude::*;

/// The largest first, by powers of two.
#[derive(Debug)]
pub struct LargestFirst;

manifest! {
    name: "largest-first",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Evicts the managers that hold the most bytes in queues and buffers.",
    scopes: [User, Node],
    signals: { QUEUED: QueuedBytes, BUFFERED: BufferedBytes, IDLE: IdleMs },
    parameters: {
        /// Managers that hold less than this are all equally small, in bytes.
        FLOOR_BYTES: "floor-bytes" = 32_768.0 in 1.0..=4_294_967_296.0,
    },
    reasons: { LARGE: "holds the most memory", SMALL: "small and least recently used" },
}

impl Policy for LargestFirst {
    const MANIFEST: Manifest = MANIFEST;

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let floor = call.param(FLOOR_BYTES);
        Ok(top_k(rows, call.enough(rows), |row| {
            let held = row.get(QUEUED).unwrap_or(0.0) + row.get(BUFFERED).unwrap_or(0.0);
            let (bucket, reason) = if held >= floor {
                (bucket(held), LARGE)
            } else {
                (0.0, SMALL)
            };
            Some(Bid::new([bucket, row.value(IDLE)], reason).score(held))
        }))
    }
}

export!(LargestFirst);

/// The exponent of the largest power of two that is not more than `bytes`.
fn bucket(bytes: f64) -> f64 {
    // The conversion saturates, which is right for sizes.
    f64::from((bytes as u64).max(1).ilog2())
}

#[cfg(test)]
mod tests {
    use wastegate_policy::testing::{Fixture, check_laws};

    use super::*;

    const KIB: f64 = 1_024.0;

    fn fixture(rows: &[(f64, f64, f64)]) -> Fixture {
        rows.iter()
            .fold(Fixture::new(), |fixture, &(queued, buffered, idle)| {
                fixture.row(&[
                    (Signal::QueuedBytes, queued),
                    (Signal::BufferedBytes, buffered),
                    (Signal::IdleMs, idle),
                ])
            })
    }

    #[test]
    fn buckets_are_powers_of_two() {
        assert_eq!(bucket(32.0 * KIB), 15.0);
        assert_eq!(bucket(64.0 * KIB - 1.0), 15.0);
        assert_eq!(bucket(64.0 * KIB), 16.0);
        assert_eq!(bucket(f64::INFINITY), 63.0);
    }

    #[test]
    fn queues_and_buffers_count_together() {
        let rows = [
            (40.0 * KIB, 0.0, 9.0),
            (33.0 * KIB, 33.0 * KIB, 1.0),
            (0.0, 40.0 * KIB, 10.0),
        ];
        assert_eq!(fixture(&rows).victims::<LargestFirst>(), [1, 2, 0]);
    }

    #[test]
    fn within_a_bucket_the_idle_one_goes() {
        let rows = [(60.0 * KIB, 0.0, 1.0), (33.0 * KIB, 0.0, 2.0)];
        assert_eq!(fixture(&rows).victims::<LargestFirst>(), [1, 0]);
    }

    #[test]
    fn below_the_floor_size_does_not_matter() {
        let rows = [
            (31.0 * KIB, 0.0, 1.0),
            (0.0, 0.0, 2.0),
            (40.0 * KIB, 0.0, 0.0),
        ];
        assert_eq!(fixture(&rows).victims::<LargestFirst>(), [2, 1, 0]);
        let lower = fixture(&rows).param("floor-bytes", 1_024.0);
        assert_eq!(lower.victims::<LargestFirst>(), [2, 0, 1]);
    }

    #[test]
    fn an_unknown_size_is_none() {
        let fixture = Fixture::new()
            .row(&[(Signal::IdleMs, 1.0)])
            .row(&[(Signal::IdleMs, 0.0), (Signal::QueuedBytes, 64.0 * KIB)]);
        assert_eq!(fixture.victims::<LargestFirst>(), [1, 0]);
    }

    #[test]
    fn keeps_the_laws() {
        check_laws::<LargestFirst>();
    }
}
