//! Zombies that were not evicted: found by probing a random sample of the managers that stayed.
//!
//! Victims alone show how often a suspicion was right, not how many of the dead were found. So a small
//! share of all managers is drawn every hour, whatever is believed of them, and asked whether they are
//! there.

use schemars::JsonSchema;
use serde::Serialize;

use super::report::Share;
use wastegate_core::types::{Health, SplitMix64};

/// What was believed of a drawn manager, and what asking it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audited {
    /// What was believed before it was asked.
    pub believed: Health,
    /// Whether any of its connections answered.
    pub answered: bool,
}

/// What the samples came to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sample {
    pub(super) asked: u64,
    pub(super) dead: u64,
    /// Of the dead, those that were believed to be.
    pub(super) suspected: u64,
    /// Of the others, those that were believed dead.
    pub(super) wronged: u64,
    /// How often each manager has been drawn on average, all draws together.
    pub(super) drawn_share: f64,
}

impl Sample {
    pub(super) fn take(&mut self, one: Audited) {
        // Bad enough for a tier below `force` to take it.
        let suspected = !matches!(one.believed, Health::Alive | Health::Unknown);
        self.asked += 1;
        self.dead += u64::from(!one.answered);
        self.suspected += u64::from(suspected && !one.answered);
        self.wronged += u64::from(suspected && one.answered);
    }
}

/// What is known of the dead among those who stayed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct SurvivorAudit {
    /// The share of all managers with a connection that is drawn every hour.
    pub drawn_per_hour: f64,
    /// Of those drawn, the ones that did not answer.
    pub dead: Share,
    /// Of those, the ones that were believed silent, stalled, stuck or gone before they were asked.
    pub suspected: Share,
    /// Of those that answered, the ones that were believed so.
    pub wronged: Share,
    /// The dead managers that stay, as many as there are at a time on average: the dead of the samples over how
    /// often each manager was drawn.
    pub dead_staying: Option<f64>,
    /// Of all the dead, by number, the ones that were evicted: victims that did not answer, over those and
    /// `dead_staying`.
    pub zombie_recall: Option<f64>,
}

impl Sample {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub(super) fn audit(self, evicted_dead: u64, per_hour: f64) -> SurvivorAudit {
        let staying =
            (self.asked > 0 && self.drawn_share > 0.0).then(|| self.dead as f64 / self.drawn_share);
        let evicted = evicted_dead as f64;
        let recall = staying.map(|staying| evicted / (evicted + staying));
        SurvivorAudit {
            drawn_per_hour: per_hour,
            dead: Share::of(self.dead, self.asked),
            suspected: Share::of(self.suspected, self.dead),
            wronged: Share::of(self.wronged, self.asked - self.dead),
            dead_staying: staying,
            zombie_recall: recall.filter(|recall| recall.is_finite()),
        }
    }
}

/// Which of so many are drawn when `elapsed_ms` of an hour have gone by: each by a random draw of its own.
pub fn drawn(
    draws: &mut SplitMix64,
    among: usize,
    per_hour: f64,
    elapsed_ms: u64,
) -> impl Iterator<Item = usize> + '_ {
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
    let share = per_hour * elapsed_ms as f64 / 3_600_000.0;
    (0..among).filter(move |_| {
        // The upper 53 bits: a number in [0, 1).
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let draw = (draws.next() >> 11) as f64 / (1_u64 << 53) as f64;
        draw < share
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: u64 = 60_000;

    #[test]
    fn an_hour_of_minutes_draws_the_share() {
        let mut draws = SplitMix64::new(3);
        let mut count = 0;
        for _ in 0..60 {
            count += drawn(&mut draws, 10_000, 0.01, MINUTE_MS).count();
        }
        // Binomial: 100 expected, and within five deviations of it.
        assert!((50..=150).contains(&count), "{count}");
        assert_eq!(drawn(&mut draws, 10_000, 0.0, MINUTE_MS).count(), 0);
        assert_eq!(drawn(&mut draws, 10, 1.0, 3_600_000).count(), 10);
    }

    /// Two of ten asked are dead, one of which was known; 30 dead victims went. When each was drawn a tenth of a
    /// time, the two stand for twenty.
    #[test]
    fn the_dead_that_stayed_count_for_as_many_as_they_were_drawn_from() {
        let mut sample = Sample {
            drawn_share: 0.1,
            ..Sample::default()
        };
        let asked = |believed, answered| Audited { believed, answered };
        for _ in 0..7 {
            sample.take(asked(Health::Alive, true));
        }
        sample.take(asked(Health::Suspect, true));
        sample.take(asked(Health::Unknown, false));
        sample.take(asked(Health::HalfOpen, false));
        let audit = sample.audit(30, 0.1);
        assert_eq!((audit.dead.hits, audit.dead.of), (2, 10));
        assert_eq!((audit.suspected.hits, audit.suspected.of), (1, 2));
        assert_eq!((audit.wronged.hits, audit.wronged.of), (1, 8));
        assert!((audit.zombie_recall.unwrap() - 0.6).abs() < 1e-12);
        assert_eq!(Sample::default().audit(30, 0.1).zombie_recall, None);
    }

    /// J07: 310 dead managers, of which 10 are evicted and 300 stay; every manager is drawn once an hour. The
    /// share of the dead that is found does not depend on how long one looks.
    #[test]
    fn j07_recall_counts_managers_and_no_hours() {
        let mut draws = SplitMix64::new(9);
        for seconds in [600_u64, 3_600, 36_000] {
            let mut sample = Sample::default();
            for _ in 0..seconds / 60 {
                for _ in drawn(&mut draws, 300, 1.0, MINUTE_MS) {
                    sample.take(Audited {
                        believed: Health::Alive,
                        answered: false,
                    });
                }
                sample.drawn_share += 1.0 / 60.0;
            }
            let audit = sample.audit(10, 1.0);
            let recall = audit.zombie_recall.unwrap();
            assert!(
                (0.022..0.05).contains(&recall),
                "{recall} after {seconds} s"
            );
        }
    }
}
