//! Promise 2: every admission ends in time, and nobody is refused while somebody may be taken.
//!
//! Whether somebody may be taken is worked out from the bare facts at the instant of the refusal,
//! by this side's own reading of the tier table.

use std::collections::BTreeMap;
use std::time::Duration;

use wastegate_core::types::Timestamp;

use super::Checker;
use crate::rules::Rules;
use crate::scenario::Scenario;
use crate::seen::{Answer, Answered, Seen};

/// Timers are exact to a millisecond.
const TICK: Duration = Duration::from_millis(2);

pub(super) struct Admissions {
    pub(super) budget: Duration,
    pub(super) queue_wait: Duration,
    pub(super) rules: Rules,
    /// Who has not been answered, and since when.
    pub(super) open: BTreeMap<u64, Timestamp>,
}

impl Admissions {
    pub(super) fn of(scenario: &Scenario) -> Self {
        Self {
            budget: scenario.admission.budget,
            queue_wait: scenario.admission.queue_wait,
            rules: scenario.rules.clone(),
            open: BTreeMap::new(),
        }
    }

    fn answered(&self, one: &Answered, wrong: &mut Vec<String>) {
        let (most, where_) = if one.queued {
            (self.queue_wait + self.budget, "in the queue")
        } else {
            (self.budget, "at the door")
        };
        if one.took > most + TICK {
            let Answered { knock, took, .. } = one;
            wrong.push(format!("knock {knock} took {took:?} of {most:?} {where_}"));
        }
        let Answer::Refused {
            why,
            code,
            retry_after,
            held,
            limit,
        } = &one.answer
        else {
            return;
        };
        if why.is_empty() || !(4_000..5_000).contains(code) || retry_after.is_zero() {
            wrong.push(format!(
                "knock {} was refused without a word: {:?}",
                one.knock, one.answer
            ));
        }
        // At the end of the budget a round of probes may still be out; how often that happens is
        // counted, and held to a share of all answers.
        if !one.queued && one.took >= self.budget {
            return;
        }
        // A user that knocks too often, or whose queue is full, is not refused for want of room.
        let last = match *why {
            "queue-timeout" if held < limit => self.rules.node_last_tier,
            "user-limit" | "queue-timeout" => self.rules.user_last_tier,
            "node-limit" => self.rules.node_last_tier,
            _ => return,
        };
        // Nobody is owed the place of somebody who came later.
        let took_ms = one.took.as_secs_f64() * 1e3;
        let mut takeable = self.rules.takeable(&one.around, last);
        takeable.retain(|other| other.age_ms > took_ms);
        // What may go, goes for those who came before it.
        if takeable.len() > one.ahead {
            let names: Vec<String> = takeable
                .iter()
                .map(|one| format!("{}/{} ({:?})", one.user, one.key, one.kind()))
                .collect();
            wrong.push(format!(
                "knock {} of {} was refused ({why}) although these may go: {}",
                one.knock,
                one.user,
                names.join(", ")
            ));
        }
    }
}

impl Checker for Admissions {
    fn promise(&self) -> u8 {
        2
    }

    fn see(&mut self, at: Timestamp, seen: &Seen, wrong: &mut Vec<String>) {
        match seen {
            Seen::Knocked { knock, .. } => {
                self.open.insert(*knock, at);
            }
            Seen::Answered(one) => {
                self.answered(one, wrong);
                if !matches!(one.answer, Answer::Queued) && self.open.remove(&one.knock).is_none() {
                    wrong.push(format!("knock {} was answered twice", one.knock));
                }
            }
            Seen::GaveUp { knock } => {
                self.open.remove(knock);
            }
            Seen::Finished(_) => {
                for (knock, since) in &self.open {
                    wrong.push(format!(
                        "knock {knock} of {} ms was never answered",
                        since.millis()
                    ));
                }
            }
            _ => {}
        }
    }
}
