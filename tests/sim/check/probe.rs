//! Promise 6: a round of probes takes one deadline for any number of managers, and what could not
//! be probed is unknown, which is no reason to go below force.

use std::time::Duration;

use wastegate_core::decision::Standing;
use wastegate_core::types::{Health, Tier, Timestamp};

use super::Checker;
use crate::scenario::Scenario;
use crate::seen::Seen;

/// Timers are exact to a millisecond.
const TICK: Duration = Duration::from_millis(2);

pub(super) struct Probes {
    pub(super) deadline: Duration,
}

impl Probes {
    pub(super) fn of(scenario: &Scenario) -> Self {
        Self {
            deadline: scenario.health.probe_deadline,
        }
    }
}

impl Checker for Probes {
    fn promise(&self) -> u8 {
        6
    }

    fn see(&mut self, _: Timestamp, seen: &Seen, wrong: &mut Vec<String>) {
        match seen {
            Seen::Probed { managers, took } if *took > self.deadline + TICK => {
                wrong.push(format!("probing {managers} managers took {took:?}"));
            }
            Seen::Evicted(one) => {
                let facts = &one.facts;
                let unknown = facts.standing == Standing::Attached
                    && facts.health == Health::Unknown
                    && !facts.taken_over;
                if unknown && one.tier != Tier::Force {
                    let name = format!("{}/{}", facts.user, facts.key);
                    wrong.push(format!("{name} is unknown and was evicted at {}", one.tier));
                }
            }
            _ => {}
        }
    }
}
