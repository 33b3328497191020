//! `gdsf`: used seldom, large and left alone goes first (GreedyDual-Size-Frequency).
//!
//! ```text
//! F     = 1 + activity-count
//! S     = max(queued-bytes + buffered-bytes, size-floor-bytes), in KiB
//! C     = 1 + cost-per-kib * S
//! H     = F * C / S  -  inflation-per-minute * idle-ms / 60,000
//! order = (H, smaller first; idle-ms, longer first);  score = -H
//! ```
//!
//! The original keeps for each object `H = L + F * C / S`, written when the object is used, and evicts
//! the smallest; `L`, the inflation, is the `H` of the last victim, so that what was used long ago
//! carries an old, small `L`. A policy remembers nothing, so **`L` is not kept**: it is taken to rise
//! evenly, by `inflation-per-minute`, and then a manager's `L` is today's less that rate times the
//! time since its last use; today's is the same for all and falls out of the order.
//!
//! - Kept: frequency against size, the cost, forgetting by recency, and that only the last use counts
//!   for recency while all uses count for frequency.
//! - Not kept: that forgetting adapts. In the original it speeds up when much is evicted and stands
//!   still when nothing is; here its rate is a parameter, which has to be tuned. With 0 it is LFU over
//!   size and forgets nothing. One minute of idle time weighs as much as `inflation-per-minute` uses
//!   for each KiB held.
//!
//! As in the original, `C` is 1 for the best hit rate (`cost-per-kib` 0), and grows with the size where
//! large ones are dear to bring back.
//!
//! Good where managers differ much in what they hold and evicting one large idle one does the work of
//! many. Bad on sets of equals, where it is LFU with a recency term, and frequency lost to `lru` on
//! chat-like traces.
//!
//! Sources: Cherkasova, "Improving WWW proxies performance with Greedy-Dual-Size-Frequency caching
//! policy", HP Laboratories HPL-98-69R1, 1998; on Cao and Irani, "Cost-aware WWW proxy
//! caching algorithms", USITS 1997, for the inflation.

use wastegate_policy::prelude::*;

/// The least used for its size and idle time first.
#[derive(Debug)]
pub struct Gdsf;

manifest! {
    name: "gdsf",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Evicts the managers that are used least for the memory they hold, the idle rather.",
    scopes: [User, Node],
    signals: { COUNT: ActivityCount, QUEUED: QueuedBytes, BUFFERED: BufferedBytes, IDLE: IdleMs },
    parameters: {
        /// How many uses for each KiB held a minute of idle time outweighs; 0 forgets nothing.
        INFLATION: "inflation-per-minute" = 1.0 in 0.0..=10_000.0,
        /// Managers that hold less than this count as holding it, in bytes.
        SIZE_FLOOR_BYTES: "size-floor-bytes" = 4_096.0 in 1.0..=4_294_967_296.0,
        /// What each KiB held adds to the cost of bringing a manager back, beside the 1 of each.
        COST_PER_KIB: "cost-per-kib" = 0.0 in 0.0..=1_000.0,
    },
    reasons: { LITTLE_USE: "least used for its size and idle time" },
}

impl Policy for Gdsf {
    const MANIFEST: Manifest = MANIFEST;

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let inflation = call.param(INFLATION) / MINUTE_MS;
        let floor = call.param(SIZE_FLOOR_BYTES);
        let cost_per_kib = call.param(COST_PER_KIB);
        Ok(top_k(rows, call.enough(rows), |row| {
            let held = row.get(QUEUED).unwrap_or(0.0) + row.get(BUFFERED).unwrap_or(0.0);
            // F * C / S, with C / S written as 1 / S + cost-per-kib: sizes beyond all measure
            // would otherwise divide themselves.
            let for_its_size = KIB / held.max(floor) + cost_per_kib;
            let h = (1.0 + row.value(COUNT)) * for_its_size - inflation * row.value(IDLE);
            // Seven digits are more than such a number is worth, and cheaper to sort by.
            let key = [f64::from(-h as f32), row.value(IDLE)];
            Some(Bid::new(key, LITTLE_USE).score(-h))
        }))
    }
}

export!(Gdsf);

const KIB: f64 = 1_024.0;
const MINUTE_MS: f64 = 60_000.0;

#[cfg(test)]
mod tests {
    use wastegate_policy::testing::{Fixture, check_laws};

    use super::*;

    /// Uses after the first, KiB held, minutes idle.
    fn fixture(rows: &[(f64, f64, f64)]) -> Fixture {
        let row = |fixture: Fixture, &(count, held, idle)| {
            fixture.row(&[
                (Signal::ActivityCount, count),
                (Signal::QueuedBytes, held * KIB / 2.0),
                (Signal::BufferedBytes, held * KIB / 2.0),
                (Signal::IdleMs, idle * MINUTE_MS),
            ])
        };
        rows.iter().fold(Fixture::new(), row)
    }

    fn scores(fixture: &Fixture) -> Vec<f64> {
        let choices = fixture.rank::<Gdsf>().unwrap();
        choices.iter().map(|choice| choice.score).collect()
    }

    #[test]
    fn h_is_frequency_over_size_less_the_inflation_since_the_last_use() {
        // 40/8 - 2 = 3, 16/64 - 0 = 0.25, 8/4 - 6 = -4.
        let fixture = fixture(&[(39.0, 8.0, 2.0), (15.0, 64.0, 0.0), (7.0, 4.0, 6.0)]);
        assert_eq!(fixture.victims::<Gdsf>(), [2, 1, 0]);
        assert_eq!(scores(&fixture), [4.0, -0.25, -3.0]);
    }

    #[test]
    fn without_inflation_it_forgets_nothing() {
        let rows =
            fixture(&[(39.0, 8.0, 9e9), (15.0, 64.0, 0.0)]).param("inflation-per-minute", 0.0);
        assert_eq!(rows.victims::<Gdsf>(), [1, 0]);
        assert_eq!(scores(&rows), [-0.25, -5.0]);
    }

    #[test]
    fn below_the_floor_size_does_not_matter() {
        let rows = fixture(&[(3.0, 0.0, 0.0), (3.0, 4.0, 0.0), (3.0, 1.0, 0.0)]);
        assert_eq!(scores(&rows), [-1.0, -1.0, -1.0]);
        assert_eq!(rows.victims::<Gdsf>(), [0, 1, 2]);
    }

    /// F * C / S with C = 1 + 0.5 * S: 8 * (1 + 0.5 * 4) / 4 = 6 and 4 * (1 + 0.5 * 8) / 8 = 2.5.
    #[test]
    fn the_cost_grows_with_the_size() {
        let rows = fixture(&[(7.0, 4.0, 0.0), (3.0, 8.0, 0.0)]).param("cost-per-kib", 0.5);
        assert_eq!(scores(&rows), [-2.5, -6.0]);
    }

    #[test]
    fn who_is_unknown_goes_last() {
        let fixture = Fixture::new()
            .row(&[(Signal::IdleMs, 9e9)])
            .row(&[(Signal::ActivityCount, 5.0), (Signal::IdleMs, 1.0)]);
        assert_eq!(fixture.victims::<Gdsf>(), [1, 0]);
    }

    #[test]
    fn keeps_the_laws() {
        check_laws::<Gdsf>();
    }
}
