//! What an admission is asked for, and what it can give.

use std::time::Duration;

use super::queue::Ticket;
use crate::registry::Permit;
use wastegate_core::types::{DeviceId, ManagerKey, Timestamp, UserId};

/// What a promise leaves for its redeeming at least: one answer of a cluster's engine, and an eviction.
const REDEEM_MIN: Duration = Duration::from_millis(250);

/// A client that wants to come in.
#[derive(Debug, Clone, Copy)]
pub struct Newcomer<'a> {
    /// Whose limit it counts against.
    pub user: &'a UserId,
    /// Which manager it wants.
    pub key: &'a ManagerKey,
    /// Which device it is; none where that does not matter.
    pub device: Option<&'a DeviceId>,
}

/// When a manager that answers may be evicted for a newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Displace {
    /// As soon as nothing else helps.
    Now,
    /// Not before [`Admission::redeem`](super::Admission::redeem): something that can still fail comes
    /// first, such as the backend's answer.
    Later,
}

/// A positive answer.
#[derive(Debug)]
pub enum Admitted {
    /// The manager has a slot.
    Now(Permit),
    /// Wait here: [`Admission::wait`](super::Admission::wait).
    Queued(Ticket),
}

/// A positive answer, before any manager that answers was evicted for it.
#[derive(Debug)]
pub enum OfferAnswer {
    /// A slot, or the promise of one.
    Offered(SlotOffer),
    /// Wait here: [`Admission::wait_for_offer`](super::Admission::wait_for_offer).
    Queued(Ticket),
}

/// A slot, or that one can be had.
#[derive(Debug)]
pub enum SlotOffer {
    /// The slot is held.
    Free(Permit),
    /// A slot can be had by evicting a manager that answers.
    Promised(Promise),
}

/// That a slot can be had by evicting a manager that answers. Nothing is held for it: whether it is
/// still so is found out by [`Admission::redeem`](super::Admission::redeem).
#[derive(Debug)]
#[must_use = "a promise is worth nothing until it is redeemed"]
pub struct Promise {
    /// When the newcomer was first heard.
    pub(super) since: Timestamp,
    /// When the tiers below `force` had been tried for it; none if they were not.
    pub(super) looked_at: Option<Timestamp>,
    /// How much of the admission's budget is left for redeeming it.
    pub(super) left: Duration,
}

impl Promise {
    /// After a look for room, in an admission that has until then.
    pub(super) fn new(since: Timestamp, now: Timestamp, until: Timestamp) -> Self {
        Self {
            since,
            looked_at: Some(now),
            left: until.since(now).max(REDEEM_MIN),
        }
    }
}
