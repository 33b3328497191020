//! Promise 5: a policy cannot hurt. Where it fails the same decision is completed, where it stops
//! early at force it is topped up, and an answer never takes longer than its ranker's deadline.

use std::time::Duration;

use wastegate_core::types::{Tier, Timestamp};

use super::Checker;
use crate::scenario::Scenario;
use crate::seen::{Decided, Seen};

pub(super) struct Completed {
    pub(super) keep_one: bool,
    /// Within which the ranker answers, whatever it does.
    pub(super) deadline: Duration,
}

impl Completed {
    pub(super) fn of(scenario: &Scenario) -> Self {
        Self {
            keep_one: scenario.rules.keep_one,
            deadline: scenario.mind.deadline(),
        }
    }

    fn decided(&self, one: &Decided, wrong: &mut Vec<String>) {
        let Decided {
            tier, fault, most, ..
        } = one;
        let must_be_whole = fault.is_some() || *tier == Tier::Force;
        let whole = one.victims.len() == *most as usize;
        // One that is kept for its user may leave a plan short.
        let excused = self.keep_one && *tier == Tier::Force;
        if must_be_whole && !whole && !excused {
            let planned = one.victims.len();
            wrong.push(format!(
                "{tier} planned {planned} of {most}, fault {fault:?}"
            ));
        }
        if one.waited > self.deadline {
            wrong.push(format!("{tier} waited {:?} for its ranker", one.waited));
        }
    }
}

impl Checker for Completed {
    fn promise(&self) -> u8 {
        5
    }

    fn see(&mut self, _: Timestamp, seen: &Seen, wrong: &mut Vec<String>) {
        if let Seen::Decided(one) = seen {
            self.decided(one, wrong);
        }
    }
}
