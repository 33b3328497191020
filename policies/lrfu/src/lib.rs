//! `lrfu`: who was used least and longest ago goes first, in one number (least recently/frequently
//! used).
//!
//! ```text
//! F(x)  = 2^(-x / half-life-ms)                   what a use of x milliseconds ago still counts
//! CRF   = sum of F(t - t_i) over all uses t_i     combined recency and frequency
//! order = (CRF, smaller first; idle-ms, longer first);  score = -CRF
//! ```
//!
//! The paper writes `F(x) = (1/2)^(lambda * x)`: `lambda` is 1 / half-life. A long half-life makes it
//! LFU (each use counts, whenever it was), a short one LRU (only the last one counts), and everything
//! between is between. Being admitted counts as the first use, as a miss does in the paper.
//!
//! # What can be had without the history
//!
//! The host keeps one decayed count, with a half-life of an hour (`activity-decayed-1h`), the number
//! of uses, the last two, and the age. So:
//!
//! - With `half-life-ms` 3,600,000, the default, CRF is exact, to eight digits: the signal and `F(age-ms)`.
//! - With any other, the uses at `age-ms`, `idle-ms` and `second-last-idle-ms` count exactly. The
//!   others, `m` of them, weigh `d` in the host's count together; they count as if all of them were
//!   equally old, that is with `m * (d / m)^(hour / half-life)`. That is exact for up to three uses
//!   since the admission and wherever the others are of one age; it counts them too low with a half-life
//!   below an hour and too high with one above, as the mean of powers is not the power of the mean. In the limits it
//!   is right again: LRU with a very short half-life, LFU with a very long one.
//!
//! The estimate takes some 450 units of fuel for each row: at 10,000 rows nine tenths of what a call
//! has, where the host's own half-life takes a quarter.
//!
//! Good where some managers are used much and others little, as they are over weeks of habit. Bad
//! where what was used much is over, as conversations are: it keeps a busy one for some half-lives
//! after its end. The shorter the half-life, the nearer to `lru`, which on chat-like traces was better
//! than frequency in any form.
//!
//! Source: Lee, Choi, Kim, Noh, Min, Cho and Kim, "On the existence of a spectrum of policies that
//! subsumes the least recently used (LRU) and least frequently used (LFU) policies", SIGMETRICS 1999,
//! section 2.

mod powers;

use wastegate_policy::prelude::*;

use crate::powers::{exp2, log2};

/// The least recency and frequency, combined, first.
#[derive(Debug)]
pub struct Lrfu;

manifest! {
    name: "lrfu",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Evicts the managers that were used least and longest ago, each use counting less as it ages.",
    scopes: [User, Node],
    signals: {
        DECAYED: ActivityDecayed1h,
        AGE: AgeMs,
        IDLE: IdleMs,
        SECOND: SecondLastIdleMs,
        COUNT: ActivityCount,
    },
    parameters: {
        /// After how long a use counts half, in milliseconds; exact for an hour, estimated for others.
        HALF_LIFE_MS: "half-life-ms" = 3_600_000.0 in 60_000.0..=2_592_000_000.0,
    },
    reasons: { LITTLE_USE: "used least and longest ago" },
}

impl Policy for Lrfu {
    const MANIFEST: Manifest = MANIFEST;

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let half_life = call.param(HALF_LIFE_MS);
        Ok(top_k(rows, call.enough(rows), |row| {
            let uses = if half_life == HOUR_MS {
                row.value(DECAYED)
            } else {
                estimated(row, half_life)
            };
            let crf = uses + half_lives(row.value(AGE), half_life);
            // Seven digits are more than such a number is worth, and cheaper to sort by.
            let key = [f64::from(-crf as f32), row.value(IDLE)];
            Some(Bid::new(key, LITTLE_USE).score(-crf))
        }))
    }
}

export!(Lrfu);

/// The half-life of the host's count.
const HOUR_MS: f64 = 3_600_000.0;

/// What a use of so long ago counts.
fn half_lives(ms: f64, half_life: f64) -> f64 {
    exp2(-ms / half_life)
}

/// What the uses since the admission count, with another half-life than the host's.
fn estimated(row: Row<'_>, half_life: f64) -> f64 {
    let count = row.value(COUNT);
    let mut crf = 0.0;
    if count >= 1.0 {
        let idle = row.value(IDLE);
        crf += half_lives(idle, half_life);
        if count >= 2.0 {
            let second = row.value(SECOND);
            crf += half_lives(second, half_life);
            let m = count - 2.0;
            if m > 0.0 {
                let two = half_lives(idle, HOUR_MS) + half_lives(second, HOUR_MS);
                // Older than the last two and younger than the manager, whatever rounding left over.
                let (youngest, oldest) = (-second / HOUR_MS, -row.value(AGE) / HOUR_MS);
                let mean = log2((row.value(DECAYED) - two) / m);
                crf += m * exp2(mean.min(youngest).max(oldest) * (HOUR_MS / half_life));
            }
        }
    }
    crf
}

#[cfg(test)]
mod tests {
    use wastegate_policy::testing::{Fixture, check_laws};

    use super::*;

    /// Adds a manager by its age and the times of its uses, in hours ago, the latest first: what the
    /// host would say of it.
    fn used(fixture: Fixture, age: f64, uses: &[f64]) -> Fixture {
        let decayed = uses.iter().map(|ago| 0.5_f64.powf(*ago)).sum();
        let mut row = vec![
            (Signal::ActivityDecayed1h, decayed),
            (Signal::ActivityCount, uses.len() as f64),
            (Signal::AgeMs, age * HOUR_MS),
            (Signal::IdleMs, uses.first().unwrap_or(&age) * HOUR_MS),
        ];
        if let [_, second, ..] = uses {
            row.push((Signal::SecondLastIdleMs, second * HOUR_MS));
        }
        fixture.row(&row)
    }

    /// The combined recency and frequency of one manager, with a half-life in hours.
    #[track_caller]
    fn crf(half_life: f64, age: f64, uses: &[f64]) -> f64 {
        let fixture = used(Fixture::new(), age, uses).param("half-life-ms", half_life * HOUR_MS);
        -fixture.rank::<Lrfu>().unwrap()[0].score
    }

    /// The definition, with the whole history.
    fn defined(half_life: f64, age: f64, uses: &[f64]) -> f64 {
        let all = uses.iter().chain([&age]);
        all.map(|ago| 0.5_f64.powf(ago / half_life)).sum()
    }

    #[track_caller]
    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-7 * b.abs(), "{a} is not {b}");
    }

    #[test]
    fn with_the_half_life_of_the_host_it_is_exact() {
        // Admitted 3 hours ago, used 2 and 1 ago: 1/8 + 1/4 + 1/2.
        assert_eq!(crf(1.0, 3.0, &[1.0, 2.0]), 0.875);
        let uses = [0.25, 0.5, 1.0, 4.0, 4.5, 6.0, 7.75];
        close(crf(1.0, 8.0, &uses), defined(1.0, 8.0, &uses));
        // Nothing but the admission.
        assert_eq!(crf(1.0, 2.0, &[]), 0.25);
    }

    #[test]
    fn with_few_uses_or_others_of_one_age_any_half_life_is_exact() {
        // Half an hour: 2^-6 + 2^-4 + 2^-2.
        close(crf(0.5, 3.0, &[1.0, 2.0]), 0.328_125);
        for half_life in [0.25, 0.5, 2.0, 24.0, 720.0] {
            for uses in [
                &[][..],
                &[1.0],
                &[1.0, 2.0],
                &[0.5, 1.0, 3.0],
                &[1.0, 2.0, 5.0, 5.0, 5.0],
            ] {
                close(crf(half_life, 6.0, uses), defined(half_life, 6.0, uses));
            }
        }
    }

    #[test]
    fn with_more_uses_the_estimate_errs_to_the_side_it_is_said_to() {
        let uses = [0.1, 0.4, 1.0, 2.0, 3.0, 5.0, 9.0];
        for half_life in [0.1, 0.5, 0.9] {
            assert!(crf(half_life, 10.0, &uses) < defined(half_life, 10.0, &uses));
        }
        for half_life in [1.1, 4.0, 48.0] {
            assert!(crf(half_life, 10.0, &uses) > defined(half_life, 10.0, &uses));
        }
        // Nearly LFU: eight uses, each of which counts nearly whole.
        assert!((crf(720.0, 10.0, &uses) - 8.0).abs() < 0.1);
    }

    /// One manager was used ten times some hours ago, the other twice just now.
    #[test]
    fn the_half_life_leads_from_lru_to_lfu() {
        let often = [4.0, 4.1, 4.2, 4.3, 4.4, 4.5, 4.6, 4.7, 4.8, 4.9];
        let both = used(used(Fixture::new(), 6.0, &often), 6.0, &[0.1, 0.2]);
        let with = |hours: f64| both.clone().param("half-life-ms", hours * HOUR_MS);
        assert_eq!(with(0.1).victims::<Lrfu>(), [0, 1]);
        assert_eq!(with(1.0).victims::<Lrfu>(), [0, 1]);
        assert_eq!(with(24.0).victims::<Lrfu>(), [1, 0]);
    }

    #[test]
    fn what_counts_nothing_any_more_is_ordered_by_idle_time() {
        let long_ago = used(used(Fixture::new(), 900.0, &[800.0]), 900.0, &[850.0]);
        let short = long_ago.param("half-life-ms", 60_000.0);
        assert_eq!(short.victims::<Lrfu>(), [1, 0]);
    }

    #[test]
    fn keeps_the_laws() {
        check_laws::<Lrfu>();
    }
}
