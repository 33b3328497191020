//! What an admission did before it evicted a manager that answers, run again: temporary slots, the hold
//! of what was displaced, and the ration of a user.

use std::time::Duration;

use super::rules::Rules;
use wastegate_core::decision::{
    Displaced, ForceBudget, Granted, Hold, LendOrder, Lending, TemporarySlots,
};
use wastegate_core::types::{ManagerKey, Timestamp, UserId};

/// How reluctantly a manager that answers is evicted.
#[derive(Debug, Clone)]
pub struct Yielding {
    /// How many temporary slots a user gets, and for how long.
    pub lending: Lending,
    /// The hold of what was displaced.
    pub hold: Hold,
    /// Evictions of a user's responsive managers in `window`; 0 for no limit.
    pub most: u32,
    /// The window of `most`.
    pub window: Duration,
}

impl Default for Yielding {
    /// None of it: what a trace without a gateway's settings is run by.
    fn default() -> Self {
        Self {
            lending: Lending {
                slots: 0,
                lasting: Duration::ZERO,
                cool_down: Duration::ZERO,
                order: LendOrder::BeforeForce,
            },
            hold: Hold::OFF,
            most: 0,
            window: Duration::ZERO,
        }
    }
}

/// One user's state of it.
pub(super) struct State {
    user: UserId,
    slots: TemporarySlots,
    displaced: Displaced,
    budget: ForceBudget,
}

impl State {
    pub(super) fn new(user: UserId, rules: &Rules) -> Self {
        let Yielding {
            hold, most, window, ..
        } = rules.yielding;
        Self {
            user,
            slots: TemporarySlots::default(),
            displaced: Displaced::new(hold),
            budget: ForceBudget::new(most, window),
        }
    }

    /// How many managers the user may hold now.
    pub(super) fn limit(&self, rules: &Rules, now: Timestamp) -> u32 {
        rules.limit + self.slots.extra(&self.user, &rules.yielding.lending, now)
    }

    /// Takes note that a user is within its own limit once what was lent has ended.
    pub(super) fn settle(&self, held: u32, rules: &Rules, now: Timestamp) {
        if held <= rules.limit && !self.slots.expired(now).is_empty() {
            self.slots.settle(&self.user, &rules.yielding.lending, now);
        }
    }

    /// Lends slots, if it is their turn. True if there is one now.
    pub(super) fn lend(&self, turn: LendOrder, held: u32, rules: &Rules, now: Timestamp) -> bool {
        let lending = &rules.yielding.lending;
        lending.order == turn
            && matches!(
                self.slots.grant(&self.user, lending, now),
                Granted::Until(_) | Granted::Running(_)
            )
            && held < self.limit(rules, now)
    }

    /// Whether a newcomer may displace a manager that answers.
    pub(super) fn may_displace(&self, key: &ManagerKey, now: Timestamp) -> bool {
        self.displaced.held_for(&self.user, key, now).is_none()
            && self.budget.spent_for(&self.user, now).is_none()
    }

    /// `force` took managers for a newcomer.
    pub(super) fn forced(&self, key: &ManagerKey, count: u32, now: Timestamp) {
        self.budget.allow(&self.user, count, now);
        self.displaced.returned(&self.user, key, now);
    }

    /// A manager that answered was evicted.
    pub(super) fn displaced(&self, key: &ManagerKey, now: Timestamp) {
        self.displaced.record(&self.user, key, now);
    }
}
