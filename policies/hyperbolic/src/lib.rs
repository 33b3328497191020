//! `hyperbolic`: who was used least for every minute of its life goes first.
//!
//! ```text
//! n        = max(1, activity-count)
//! cost     = 1 + cost-weight * returns-before
//! size     = 1 + size-weight * (queued-bytes + buffered-bytes) / 65,536
//! priority = 60,000 * cost * n / (size * age-ms)          uses a minute, weighted
//! order    = (priority, smaller first; idle-ms, longer first);  score = -priority
//! ```
//!
//! Being admitted counts as the first use, as a miss does in the paper; the frame for which a manager
//! was opened is that use, and no second one. A priority falls with every
//! moment that passes and falls ever more slowly, like a hyperbola, so two may change places without
//! either being touched: a newcomer starts high, and gets a fair time to prove itself before it is
//! held to what the old ones did on average. That is what plain frequency counting (LFU) lacks.
//!
//! `cost` is what an eviction would spoil: how often this manager's user came back after one.
//! `size` is what an eviction would free. Both weights are 0 unless set, which is the plain policy.
//!
//! Good where managers have steady habits of their own, and at sparing the new. Bad at what was
//! busy long ago: no use is ever forgotten, it only thins out over the age, so a session of this
//! morning outlives one of ten minutes ago (the paper's answer, a window, needs state that a policy
//! does not have; `lrfu` forgets). On chat-like traces frequency lost to `lru`.
//!
//! Source: Blankstein, Sen and Freedman, "Hyperbolic caching: flexible caching for web
//! applications", USENIX ATC 2017: the priority function, and its extensions by cost and size.

use wastegate_policy::prelude::*;

/// The fewest uses a minute first.
#[derive(Debug)]
pub struct Hyperbolic;

manifest! {
    name: "hyperbolic",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Evicts the managers that were used least for every minute of their lives.",
    scopes: [User, Node],
    signals: {
        COUNT: ActivityCount,
        AGE: AgeMs,
        RETURNS: ReturnsBefore,
        QUEUED: QueuedBytes,
        BUFFERED: BufferedBytes,
        IDLE: IdleMs,
    },
    parameters: {
        /// How much each earlier return after an eviction adds to the cost of the next; 0 for none.
        COST_WEIGHT: "cost-weight" = 0.0 in 0.0..=1_000.0,
        /// How much each 64 KiB held adds to the size that divides the priority; 0 for none.
        SIZE_WEIGHT: "size-weight" = 0.0 in 0.0..=1_000.0,
    },
    reasons: { SELDOM: "least used for its age" },
}

impl Policy for Hyperbolic {
    const MANIFEST: Manifest = MANIFEST;

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let (cost_weight, size_weight) = (call.param(COST_WEIGHT), call.param(SIZE_WEIGHT));
        let size_weight = size_weight / SIZE_UNIT_BYTES;
        Ok(top_k(rows, call.enough(rows), |row| {
            let mut worth = MINUTE_MS * row.get(COUNT).unwrap_or(0.0).max(1.0);
            if cost_weight != 0.0 {
                worth *= 1.0 + cost_weight * row.get(RETURNS).unwrap_or(0.0);
            }
            // Nobody is younger than the clock's tick.
            let mut life = row.get(AGE)?.max(1.0);
            if size_weight != 0.0 {
                let held = row.get(QUEUED).unwrap_or(0.0) + row.get(BUFFERED).unwrap_or(0.0);
                life *= 1.0 + size_weight * held.max(0.0);
            }
            let priority = worth / life;
            // Seven digits are more than such a number is worth, and cheaper to sort by.
            let key = [f64::from(-priority as f32), row.value(IDLE)];
            Some(Bid::new(key, SELDOM).score(-priority))
        }))
    }
}

export!(Hyperbolic);

const MINUTE_MS: f64 = 60_000.0;
const SIZE_UNIT_BYTES: f64 = 65_536.0;

#[cfg(test)]
mod tests {
    use wastegate_policy::testing::{Fixture, check_laws};

    use super::*;

    const MINUTE: f64 = 60_000.0;

    /// Uses, and age in minutes.
    fn fixture(rows: &[(f64, f64)]) -> Fixture {
        let row = |fixture: Fixture, &(count, age)| {
            fixture.row(&[
                (Signal::ActivityCount, count),
                (Signal::AgeMs, age * MINUTE),
                (Signal::IdleMs, 1.0),
            ])
        };
        rows.iter().fold(Fixture::new(), row)
    }

    fn scores(fixture: &Fixture) -> Vec<f64> {
        let choices = fixture.rank::<Hyperbolic>().unwrap();
        choices.iter().map(|choice| choice.score).collect()
    }

    #[test]
    fn the_priority_is_uses_over_age() {
        // 10 in 10 minutes, 1 in 4, 3 in 2: 1, 0.25 and 1.5 a minute.
        let fixture = fixture(&[(10.0, 10.0), (1.0, 4.0), (3.0, 2.0)]);
        assert_eq!(fixture.victims::<Hyperbolic>(), [1, 0, 2]);
        assert_eq!(scores(&fixture), [-0.25, -1.0, -1.5]);
    }

    /// A manager that was opened by its first frame was used once, as one that still waits for it was.
    #[test]
    fn j29_an_opening_is_counted_once() {
        let fixture = fixture(&[(0.0, 2.0), (1.0, 2.0), (2.0, 2.0)]);
        let by_row = |choice: &Choice| (choice.row, choice.score);
        let choices = fixture.rank::<Hyperbolic>().unwrap();
        let scores: Vec<_> = choices.iter().map(by_row).collect();
        assert_eq!(scores, [(0, -0.5), (1, -0.5), (2, -1.0)]);
    }

    /// Two that nobody touches change places: 4 uses in 1 minute and 10 in 4 make 4 and 2.5; three
    /// minutes later it is 4 in 4 and 10 in 7, 1 and 1.43.
    #[test]
    fn priorities_cross_without_a_use() {
        assert_eq!(
            fixture(&[(4.0, 1.0), (10.0, 4.0)]).victims::<Hyperbolic>(),
            [1, 0]
        );
        assert_eq!(
            fixture(&[(4.0, 4.0), (10.0, 7.0)]).victims::<Hyperbolic>(),
            [0, 1]
        );
    }

    #[test]
    fn cost_multiplies_and_size_divides() {
        let row = |fixture: Fixture, returns, held| {
            fixture.row(&[
                (Signal::ActivityCount, 4.0),
                (Signal::AgeMs, MINUTE),
                (Signal::ReturnsBefore, returns),
                (Signal::QueuedBytes, held),
                (Signal::IdleMs, 1.0),
            ])
        };
        let fixture = row(row(Fixture::new(), 2.0, 0.0), 0.0, 196_608.0);
        assert_eq!(
            scores(&fixture),
            [-4.0, -4.0],
            "both weights are 0 unless set"
        );
        // 4 * (1 + 0.5 * 2) is 8; 4 / (1 + 1 * 3) is 1.
        let weighted = fixture.param("cost-weight", 0.5).param("size-weight", 1.0);
        assert_eq!(weighted.victims::<Hyperbolic>(), [1, 0]);
        assert_eq!(scores(&weighted), [-1.0, -8.0]);
    }

    #[test]
    fn among_equals_the_idle_one_goes_and_who_has_no_age_stays() {
        let fixture = Fixture::new()
            .row(&[
                (Signal::ActivityCount, 0.0),
                (Signal::AgeMs, 9.0),
                (Signal::IdleMs, 1.0),
            ])
            .row(&[
                (Signal::ActivityCount, 0.0),
                (Signal::AgeMs, 9.0),
                (Signal::IdleMs, 2.0),
            ])
            .row(&[(Signal::ActivityCount, 0.0)]);
        assert_eq!(fixture.victims::<Hyperbolic>(), [1, 0]);
    }

    #[test]
    fn keeps_the_laws() {
        check_laws::<Hyperbolic>();
    }
}
