//! What happened how often: a simulation in which nothing happens proves nothing, so the seeds that
//! run every time must between them have met every tier, every answer and every kind of end.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::seen::{Answer, Seen};

/// Counts by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally(BTreeMap<String, u64>);

/// What must have happened at least once.
const MUST: &[&str] = &[
    "answer in",
    "answer node-limit",
    "answer queue-full",
    "answer queue-timeout",
    "answer queued",
    "answer rate-limited",
    "answer user-limit",
    "end client-closed",
    "end client-gone",
    "end client-left",
    "end evicted",
    "end handler-panicked",
    "end shutdown",
    "end slow-consumer",
    "end taken-over",
    "evicted at aggressive",
    "evicted at conservative",
    "evicted at force",
    "evicted at moderate",
    "evicted at proactive",
    "evicted dead",
    "evicted detached",
    "evicted expired",
    "evicted half-open",
    "evicted responsive",
    "evicted stalled",
    "evicted stuck",
    "evicted suspect",
    "fault deadline",
    "fault out-of-fuel",
    "fault trap",
    "gave up",
    "struck",
];

impl Tally {
    pub(crate) fn see(&mut self, seen: &Seen, budget: Duration) {
        match seen {
            Seen::Answered(one) => {
                let out_of_time = !one.queued && one.took >= budget;
                match &one.answer {
                    Answer::In => self.count("answer in"),
                    Answer::Queued => self.count("answer queued"),
                    Answer::Refused { why, .. } => self.count(&format!("answer {why}")),
                }
                if out_of_time && matches!(one.answer, Answer::Refused { .. }) {
                    self.count("out of time");
                }
            }
            Seen::GaveUp { .. } => self.count("gave up"),
            Seen::Evicted(one) => {
                self.count(&format!("evicted at {}", one.tier));
                self.count(&format!("evicted {}", one.class.name()));
            }
            Seen::Decided(one) => {
                if let Some(fault) = one.fault {
                    self.count(&format!("fault {fault}"));
                }
                if one.no_such_row + one.repeated + one.not_numbers > 0 {
                    self.count("struck");
                }
            }
            Seen::Ended { report, .. } => self.count(&format!("end {}", report.reason.name())),
            _ => {}
        }
    }

    fn count(&mut self, what: &str) {
        *self.0.entry(what.to_owned()).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what.clone()).or_default() += count;
        }
    }

    /// How often something happened.
    pub(crate) fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// What should have happened and did not.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let missing = |what: &&&str| self.of(what) == 0;
        MUST.iter().filter(missing).copied().collect()
    }
}
