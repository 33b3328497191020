//! Promise 1: at no instant does anybody hold more than the limit, and counts are what is there.

use wastegate_core::types::Timestamp;

use super::Checker;
use crate::scenario::Scenario;
use crate::seen::Seen;

pub(super) struct Limit {
    pub(super) per_user: u32,
    pub(super) temporary: u32,
    pub(super) in_all: u32,
}

impl Limit {
    pub(super) fn of(scenario: &Scenario) -> Self {
        Self {
            per_user: scenario.limits.managers_per_user,
            temporary: scenario.limits.temporary_slots,
            in_all: scenario.limits.managers_total,
        }
    }
}

impl Checker for Limit {
    fn promise(&self) -> u8 {
        1
    }

    fn see(&mut self, _: Timestamp, seen: &Seen, wrong: &mut Vec<String>) {
        let Seen::Counts(counts) = seen else {
            return;
        };
        for one in &counts.users {
            if one.held > one.ceiling {
                wrong.push(format!(
                    "{} holds {} of {}",
                    one.user, one.held, one.ceiling
                ));
            }
            let legal =
                one.ceiling == self.per_user || one.ceiling == self.per_user + self.temporary;
            if !legal {
                wrong.push(format!("{} has a ceiling of {}", one.user, one.ceiling));
            }
            if one.held == 0 {
                wrong.push(format!("{} is kept and holds nothing", one.user));
            }
        }
        let summed: u32 = counts.users.iter().map(|one| one.held).sum();
        if summed != counts.total {
            wrong.push(format!("{} in all, but users hold {summed}", counts.total));
        }
        if counts.total > self.in_all {
            wrong.push(format!(
                "the node holds {} of {}",
                counts.total, self.in_all
            ));
        }
    }
}
