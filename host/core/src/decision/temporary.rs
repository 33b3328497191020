//! Temporary slots: room beyond the limit for a while, when nothing may be evicted.
//!
//! A grant ends for newcomers at its time, and for the limit when the surplus has left; then the
//! user gets none until the cool-down is over.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::types::{Timestamp, UserId};

/// Whether temporary slots are lent before a manager that answers is evicted, or after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LendOrder {
    /// Before `force`: no manager that answers is evicted while a temporary slot can be had.
    #[default]
    BeforeForce,
    /// After `force`: slots are lent only where no manager may be evicted.
    AfterForce,
}

/// How temporary slots are lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lending {
    /// How many a user gets; 0 for none.
    pub slots: u32,
    /// How long they last.
    pub lasting: Duration,
    /// How long after they ended a user gets none again.
    pub cool_down: Duration,
    /// When they are lent.
    pub order: LendOrder,
}

/// What became of a request for temporary slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granted {
    /// They are there until then.
    Until(Timestamp),
    /// They are all used.
    Running(Timestamp),
    /// The user had some, and gets none before then.
    CoolingDown(Timestamp),
    /// There are none to be had.
    Off,
}

#[derive(Debug, Clone, Copy)]
struct Grant {
    until: Timestamp,
    /// The surplus has left; only the cool-down is remembered.
    settled: bool,
}

/// Who has temporary slots.
#[derive(Debug, Default)]
pub struct TemporarySlots {
    // One small map for all users: touched only by users for whom nothing may be evicted.
    grants: Mutex<HashMap<UserId, Grant>>,
}

impl TemporarySlots {
    /// Grants a user its temporary slots, once per cool-down.
    pub fn grant(&self, user: &UserId, lending: &Lending, now: Timestamp) -> Granted {
        if lending.slots == 0 {
            return Granted::Off;
        }
        let mut grants = self.grants.lock();
        match grants.get(user) {
            Some(grant) if now < grant.until => Granted::Running(grant.until),
            Some(grant) if now < grant.until.after(lending.cool_down) => {
                Granted::CoolingDown(grant.until.after(lending.cool_down))
            }
            Some(grant) if !grant.settled => Granted::CoolingDown(now),
            Some(_) | None => {
                let until = now.after(lending.lasting);
                grants.insert(
                    user.clone(),
                    Grant {
                        until,
                        settled: false,
                    },
                );
                Granted::Until(until)
            }
        }
    }

    /// How many more than its limit a user may take now.
    #[must_use]
    pub fn extra(&self, user: &UserId, lending: &Lending, now: Timestamp) -> u32 {
        let grants = self.grants.lock();
        let running = grants.get(user).is_some_and(|grant| now < grant.until);
        if running { lending.slots } else { 0 }
    }

    /// How many more than its limit a user may hold now: those whose time is over and who are on
    /// their way out included.
    #[must_use]
    pub fn surplus_allowed(&self, user: &UserId, lending: &Lending) -> u32 {
        let grants = self.grants.lock();
        let open = grants.get(user).is_some_and(|grant| !grant.settled);
        if open { lending.slots } else { 0 }
    }

    /// The users whose time is over and whose surplus has not left.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> Vec<UserId> {
        let grants = self.grants.lock();
        let over = |grant: &Grant| !grant.settled && grant.until <= now;
        let mut users: Vec<UserId> = grants
            .iter()
            .filter(|(_, grant)| over(grant))
            .map(|(user, _)| user.clone())
            .collect();
        users.sort_unstable();
        users
    }

    /// When the next grant ends. One that has ended and is not settled has no moment any more at
    /// which looking again would help.
    #[must_use]
    pub fn next_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        let grants = self.grants.lock();
        grants
            .values()
            .map(|grant| grant.until)
            .filter(|until| *until > now)
            .min()
    }

    /// A user's surplus has left. Forgets those whose cool-down is over.
    pub fn settle(&self, user: &UserId, lending: &Lending, now: Timestamp) {
        let mut grants = self.grants.lock();
        if let Some(grant) = grants.get_mut(user) {
            grant.settled = true;
        }
        let cool_down = lending.cool_down;
        grants.retain(|_, grant| !grant.settled || now < grant.until.after(cool_down));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_per_cool_down_and_open_until_the_surplus_left() {
        let limits = Lending {
            slots: 25,
            lasting: Duration::from_secs(60),
            cool_down: Duration::from_secs(600),
            order: LendOrder::BeforeForce,
        };
        let (slots, ann) = (TemporarySlots::default(), UserId::new("ann").unwrap());
        let s = |seconds: u64| Timestamp::from_millis(seconds * 1_000);
        assert_eq!(slots.extra(&ann, &limits, s(0)), 0);
        assert_eq!(slots.grant(&ann, &limits, s(0)), Granted::Until(s(60)));
        assert_eq!(slots.grant(&ann, &limits, s(59)), Granted::Running(s(60)));
        assert_eq!(slots.extra(&ann, &limits, s(59)), 25);
        assert_eq!(
            (
                slots.extra(&ann, &limits, s(60)),
                slots.surplus_allowed(&ann, &limits)
            ),
            (0, 25)
        );
        assert_eq!(slots.expired(s(60)), std::slice::from_ref(&ann));
        assert_eq!(
            (slots.next_expiry(s(59)), slots.next_expiry(s(60))),
            (Some(s(60)), None),
            "what is over is no moment to wait for"
        );
        slots.settle(&ann, &limits, s(60));
        assert_eq!(
            (slots.expired(s(61)), slots.surplus_allowed(&ann, &limits)),
            (vec![], 0)
        );
        assert_eq!(
            slots.grant(&ann, &limits, s(659)),
            Granted::CoolingDown(s(660))
        );
        assert_eq!(slots.grant(&ann, &limits, s(660)), Granted::Until(s(720)));
    }
}
