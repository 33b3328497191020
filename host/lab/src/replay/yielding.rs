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

/// Who asks for a temporary slot.
pub(super) struct Newcomer<'a> {
    /// Which manager it wants, if that is known.
    pub(super) key: Option<&'a ManagerKey>,
    /// How many managers its user holds.
    pub(super) held: u32,
    /// How many it may hold without temporary slots.
    pub(super) own: u32,
    pub(super) now: Timestamp,
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

    /// How many managers the user may hold now, `own` of them without temporary slots.
    pub(super) fn limit(&self, own: u32, rules: &Rules, now: Timestamp) -> u32 {
        own + self.slots.extra(&self.user, &rules.yielding.lending, now)
    }

    /// Whether temporary slots are lent, or were and their surplus has not left.
    pub(super) fn is_lent(&self, lending: &Lending) -> bool {
        self.slots.surplus_allowed(&self.user, lending) > 0
    }

    /// Whether temporary slots have ended by then and their surplus has not left.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        !self.slots.expired(now).is_empty()
    }

    /// Takes note that a user is within its own limit, since what was lent has ended.
    pub(super) fn settle(&self, rules: &Rules, now: Timestamp) {
        self.slots.settle(&self.user, &rules.yielding.lending, now);
    }

    /// Lends slots to a newcomer of that key, if it is their turn. True if there is one now. None are lent to
    /// a manager that was displaced a while ago: at their end one that answers would go for it.
    pub(super) fn lend(&self, to: &Newcomer<'_>, turn: LendOrder, rules: &Rules) -> bool {
        let lending = &rules.yielding.lending;
        if lending.order != turn
            || to
                .key
                .is_some_and(|key| self.displaced.is_away(&self.user, key, to.now))
        {
            return false;
        }
        match self.slots.grant(&self.user, lending, to.now) {
            Granted::Until(_) => true,
            Granted::Running(_) => to.held < self.limit(to.own, rules, to.now),
            Granted::CoolingDown(_) | Granted::Off => false,
        }
    }

    /// Lends slots, since the record shows that they were.
    pub(super) fn grant(&self, rules: &Rules, now: Timestamp) {
        self.slots.grant(&self.user, &rules.yielding.lending, now);
    }

    /// Whether a newcomer may displace a manager that answers.
    pub(super) fn may_displace(&self, key: Option<&ManagerKey>, now: Timestamp) -> bool {
        let is_held = |key| self.displaced.held_for(&self.user, key, now).is_some();
        !key.is_some_and(is_held) && self.budget.spent_for(&self.user, now).is_none()
    }

    /// How many of `needed` evictions `force` may make now.
    pub(super) fn allow(&self, needed: u32, now: Timestamp) -> u32 {
        self.budget.allow(&self.user, needed, now)
    }

    /// So many of them were not made.
    pub(super) fn give_back(&self, unused: u32) {
        self.budget.give_back(&self.user, unused);
    }

    /// A newcomer displaced a manager.
    pub(super) fn returned(&self, key: &ManagerKey, now: Timestamp) {
        self.displaced.returned(&self.user, key, now);
    }

    /// A manager that answered was evicted.
    pub(super) fn displaced(&self, key: &ManagerKey, now: Timestamp) {
        self.displaced.record(&self.user, key, now);
    }
}
