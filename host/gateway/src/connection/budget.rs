//! How much the clients of one user may send, over all of their connections.
//!
//! A user has one meter for messages and one for bytes, and every connection of the user spends from both. A
//! meter is one number: until when what was sent is paid for (the generic cell rate algorithm of ITU-T I.371,
//! annex A, with debt: what was read is counted even if it is too much). Until the debt is paid, nothing more is
//! read from any connection of the user, so TCP slows its clients down.
//!
//! No crate for rate limits counts what has already come, and an idle user would cost more than two numbers.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::observe::metrics::{ClosedLabel, Label};
use wastegate_core::types::{Clock, Timestamp, UserId};

/// Users without a connection whose debt is remembered. Beyond it the debts of such users are forgotten.
const DEBTORS_MAX: usize = 100_000;
/// The least that is read at a time from a client whose bytes are counted: below it, calls to the kernel would
/// cost more than the bytes.
#[cfg(feature = "upstream")]
const READ_BYTES_MIN: usize = 512;
/// How long a message is taken to be where only messages are counted: a read has at most five times as many, since
/// the shortest frame of a client has six bytes (RFC 6455, section 5.2).
#[cfg(feature = "upstream")]
const MESSAGE_BYTES: u64 = 32;
const NANOS_PER_S: u64 = 1_000_000_000;

/// How much the clients of one user may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetConfig {
    /// Messages in a second; 0 for no limit. 0.
    pub messages_per_s: u32,
    /// Bytes of data frames in a second, headers included; 0 for no limit. 0.
    pub bytes_per_s: u64,
    /// For how long a user that sent nothing has saved up. What it saved may come at once. 2 s.
    pub burst: Duration,
    /// What follows for a connection that passes it. It is slowed down.
    pub over: OverBudget,
}

/// What follows for a connection whose user is over its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OverBudget {
    /// It is not read from until the budget has recovered.
    #[default]
    Slow,
    /// It is closed.
    Close,
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self {
            messages_per_s: 0,
            bytes_per_s: 0,
            burst: Duration::from_secs(2),
            over: OverBudget::Slow,
        }
    }
}

/// What a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Budgeted {
    /// Text and binary messages, each at its last frame.
    Messages,
    /// Bytes of data frames, headers included.
    Bytes,
}

impl ClosedLabel for Budgeted {
    const KEY: &'static str = "of";

    fn value(&self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Bytes => "bytes",
        }
    }
}

/// The budgets of all users. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Budgets(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: BudgetConfig,
    clock: Clock,
    /// Held for a few map operations.
    users: Mutex<KnownUsers>,
    exceeded: Family<Label<Budgeted>, Counter>,
}

/// Users with a connection, and those that left a debt: a client would be rid of it by coming again.
#[derive(Debug, Default)]
struct KnownUsers {
    meters: HashMap<UserId, Arc<UserMeters>>,
    /// Those that left a debt, in the order in which they did.
    debtors: VecDeque<UserId>,
}

impl KnownUsers {
    /// A user's last connection has ended.
    fn left(&mut self, user: &UserId, now_ns: u64) {
        if self.is_paid(user, now_ns) {
            self.meters.remove(user);
        } else {
            self.debtors.push_back(user.clone());
        }
        while let Some(first) = self.debtors.front()
            && (self.debtors.len() > DEBTORS_MAX || self.is_paid(first, now_ns))
        {
            let first = self.debtors.pop_front();
            let has_no_share = |user: &UserId| {
                let meters = self.meters.get(user);
                meters.is_some_and(|meters| Arc::strong_count(meters) == 1)
            };
            if let Some(user) = first.filter(has_no_share) {
                self.meters.remove(&user);
            }
        }
    }

    fn is_paid(&self, user: &UserId, now_ns: u64) -> bool {
        let meters = self.meters.get(user);
        meters.is_none_or(|meters| meters.is_paid(now_ns))
    }
}

impl Budgets {
    /// Budgets of that size for every user.
    #[must_use]
    pub fn new(config: BudgetConfig, clock: Clock) -> Self {
        let exceeded = Family::<Label<Budgeted>, Counter>::default();
        for of in [Budgeted::Messages, Budgeted::Bytes] {
            // Shown from the start.
            drop(exceeded.get_or_create(&Label(of)));
        }
        Self(Arc::new(Shared {
            config,
            clock,
            users: Mutex::default(),
            exceeded,
        }))
    }

    /// Registers under `wastegate_connection_`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "over_budget",
            "Times that a connection passed its user's budget, by what was too much (label of: messages, bytes)",
            self.0.exceeded.clone(),
        );
    }

    /// The share of a new connection of a user; none where there is no limit.
    pub(super) fn join(&self, user: &UserId) -> Option<Box<BudgetShare>> {
        let BudgetConfig {
            messages_per_s,
            bytes_per_s,
            ..
        } = self.0.config;
        if messages_per_s == 0 && bytes_per_s == 0 {
            return None;
        }
        let mut users = self.0.users.lock();
        let meters = users.meters.entry(user.clone()).or_default().clone();
        drop(users);
        Some(Box::new(BudgetShare {
            budgets: self.0.clone(),
            user: user.clone(),
            meters: Some(meters),
        }))
    }

    /// How many users are remembered.
    #[cfg(test)]
    pub(super) fn users(&self) -> usize {
        self.0.users.lock().meters.len()
    }
}

/// What a user has spent.
#[derive(Debug, Default)]
struct UserMeters {
    messages: Meter,
    bytes: Meter,
}

impl UserMeters {
    fn is_paid(&self, now_ns: u64) -> bool {
        [&self.messages, &self.bytes]
            .iter()
            .all(|meter| meter.paid_until_ns.load(Relaxed) <= now_ns)
    }
}

/// One budget of a user.
#[derive(Debug, Default)]
struct Meter {
    /// Until when what was sent is paid for, ns on the process's clock.
    paid_until_ns: AtomicU64,
}

impl Meter {
    /// Counts.
    fn spend(&self, now_ns: u64, count: u64, per_s: u64) {
        if per_s == 0 || count == 0 {
            return;
        }
        let cost = u128::from(count) * u128::from(NANOS_PER_S) / u128::from(per_s);
        let cost = u64::try_from(cost).unwrap_or(u64::MAX);
        let after = |paid: u64| paid.max(now_ns).saturating_add(cost);
        // The closure always gives a value.
        let _ = self
            .paid_until_ns
            .fetch_update(Relaxed, Relaxed, |paid| Some(after(paid)));
    }

    /// How much more than what was saved up is owed, ns.
    fn owed(&self, now_ns: u64, burst_ns: u64) -> u64 {
        let ahead = self.paid_until_ns.load(Relaxed).saturating_sub(now_ns);
        ahead.saturating_sub(burst_ns)
    }
}

/// What a connection spends from. Dropping it leaves the user.
#[derive(Debug)]
pub(super) struct BudgetShare {
    budgets: Arc<Shared>,
    user: UserId,
    /// Given back under the lock when the share is dropped.
    meters: Option<Arc<UserMeters>>,
}

/// A client sent more than its user's budget has, and its connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than its user's budget")]
pub(super) struct Exceeded;

impl BudgetShare {
    /// Counts what came.
    pub(super) fn spend(&self, now: Timestamp, messages: u64, bytes: u64) -> Result<(), Exceeded> {
        let BudgetConfig {
            messages_per_s,
            bytes_per_s,
            burst,
            over,
        } = self.budgets.config;
        let (now_ns, burst_ns) = (nanos(now), nanos_of(burst));
        let Some(meters) = &self.meters else {
            return Ok(());
        };
        let spent = [
            (
                Budgeted::Messages,
                &meters.messages,
                messages,
                u64::from(messages_per_s),
            ),
            (Budgeted::Bytes, &meters.bytes, bytes, bytes_per_s),
        ];
        let mut is_over = false;
        for (of, meter, count, per_s) in spent {
            meter.spend(now_ns, count, per_s);
            if count > 0 && meter.owed(now_ns, burst_ns) > 0 {
                self.budgets.exceeded.get_or_create(&Label(of)).inc();
                is_over = true;
            }
        }
        if is_over && over == OverBudget::Close {
            return Err(Exceeded);
        }
        Ok(())
    }

    /// How long its client is not read from, because of what any connection of its user sent; none if it is.
    pub(super) fn held_for(&self, now: Timestamp) -> Option<Duration> {
        let (now_ns, burst_ns) = (nanos(now), nanos_of(self.budgets.config.burst));
        let meters = self.meters.as_ref()?;
        let owed = [&meters.messages, &meters.bytes].map(|meter| meter.owed(now_ns, burst_ns));
        let longest_ns = owed.into_iter().max().filter(|owed| *owed > 0)?;
        // A microsecond more, since a clock of microseconds rounds down.
        Some(Duration::from_nanos(longest_ns) + Duration::from_micros(1))
    }

    /// How many bytes to read at a time, at most `most`: about as many as the burst has, so that one read makes no
    /// long debt.
    #[cfg(feature = "upstream")]
    pub(super) fn read_bytes(&self, most: usize) -> usize {
        let BudgetConfig {
            messages_per_s,
            bytes_per_s,
            burst,
            ..
        } = self.budgets.config;
        let messages = u64::from(messages_per_s).saturating_mul(MESSAGE_BYTES);
        let saved = [bytes_per_s, messages]
            .into_iter()
            .filter(|per_s| *per_s > 0)
            .map(|per_s| u128::from(per_s) * burst.as_millis() / 1_000)
            .min();
        saved.map_or(most, |saved| {
            let saved = usize::try_from(saved).unwrap_or(usize::MAX);
            saved.clamp(READ_BYTES_MIN.min(most), most)
        })
    }
}

impl Drop for BudgetShare {
    fn drop(&mut self) {
        let now_ns = nanos(self.budgets.clock.now());
        let mut users = self.budgets.users.lock();
        self.meters = None;
        let meters = users.meters.get(&self.user);
        if meters.is_some_and(|meters| Arc::strong_count(meters) == 1) {
            users.left(&self.user, now_ns);
        }
    }
}

fn nanos(at: Timestamp) -> u64 {
    at.micros().saturating_mul(1_000)
}

fn nanos_of(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
