//! Promise 4 of the second list: a stalled reader is not a live one. Nobody who answers is evicted
//! while somebody is held who has taken nothing for the time after which that counts.
//!
//! That bytes wait and none is taken is the line's knowledge, not the host's verdict.

use std::time::Duration;

use wastegate_core::decision::Class;
use wastegate_core::types::Timestamp;

use super::Checker;
use crate::scenario::Scenario;
use crate::seen::{Evicted, Seen};

/// Timers are exact to a millisecond, and a look is several of them.
const SLACK: Duration = Duration::from_millis(20);

pub(super) struct Stalled {
    /// From which on a client that takes nothing is to be known.
    pub(super) known_after: Duration,
    pub(super) probe_deadline: Duration,
}

impl Stalled {
    pub(super) fn of(scenario: &Scenario) -> Self {
        Self {
            // What is known is what was known when the question was asked.
            known_after: scenario.health.stalled_after + scenario.mind.deadline(),
            probe_deadline: scenario.health.probe_deadline,
        }
    }

    fn evicted(&self, one: &Evicted, wrong: &mut Vec<String>) {
        let able = one.truth.able_for;
        let answers = able.is_some_and(|able| able >= self.probe_deadline + SLACK);
        if one.class != Class::Responsive || !answers {
            return;
        }
        let name = format!("{}/{}", one.facts.user, one.facts.key);
        for (other, lasting) in &one.takes_nothing {
            if *lasting >= self.known_after + SLACK {
                wrong.push(format!(
                    "{name} answers and was evicted, and {other} has taken nothing for {lasting:?}"
                ));
            }
        }
    }
}

impl Checker for Stalled {
    fn promise(&self) -> u8 {
        4
    }

    fn see(&mut self, _: Timestamp, seen: &Seen, wrong: &mut Vec<String>) {
        if let Seen::Evicted(one) = seen {
            self.evicted(one, wrong);
        }
    }
}
