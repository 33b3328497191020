//! Who is alive: the only room that counts.
//!
//! A slot exists exactly as long as its manager is in the table; counts are the lengths of what is
//! there, never numbers kept beside it. Entering gives a [`Permit`], attaching turns it into an
//! [`Attachment`], and dropping either gives back what it held, whatever way the work ended.
//!
//! Not here: whether a client is admitted (`admission`), who should go (`decision`), and any
//! wait: every call returns at once, and no lock outlives its call.

mod config;
mod freed;
mod history;
pub mod metrics;
mod node;
mod observer;
mod overrides;
mod permit;
mod pins;
mod quotas;
mod release;
mod revoked;
mod snapshot;
mod sync;
mod table;

#[cfg(all(test, feature = "model-check"))]
mod model;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::health;
use crate::manager::{Manager, Port, Slots, Surroundings};
use crate::observe::activity::{ActivityEvent, ActivitySink};
use crate::tasks::Tasks;
use wastegate_core::decision::TemporarySlots;
use wastegate_core::types::{Eviction, ManagerId, ManagerKey, Timestamp, UserId};

pub use config::SlotLimits;
pub use freed::Freed;
pub(crate) use freed::FreedSlots;
pub use history::{History, Past};
use observer::Observed;
pub(crate) use observer::SlotObserver;
pub use overrides::BlockTerm;
use overrides::Overrides;
pub use permit::{Attachment, Permit};
pub use pins::PinError;
use quotas::Quotas;
use revoked::Revoked;
pub use revoked::RevokedTokens;
pub use table::{Reserved, SlotEntry, Table};

/// Everyone who holds a slot.
pub struct Registry {
    limits: SlotLimits,
    health: health::Config,
    table: Table<Manager>,
    temporary: TemporarySlots,
    quotas: Quotas,
    overrides: Overrides,
    is_drained: AtomicBool,
    attached: AtomicU32,
    revoked: Revoked,
    history: History,
    freed: FreedSlots,
    observed: Observed,
    surroundings: Arc<Surroundings>,
    tasks: Tasks,
    created: AtomicU64,
    returned: AtomicU64,
}

/// What an attempt to enter came to.
#[derive(Debug)]
pub enum Entrance {
    /// There is a free slot, held by this permit.
    Open(Permit),
    /// The user holds as many as it may.
    UserFull {
        /// How many that is.
        held: u32,
        /// How many it may.
        limit: u32,
    },
    /// The node holds as many as it may.
    NodeFull {
        /// How many that is.
        held: u32,
        /// How many it may.
        limit: u32,
    },
    /// An operator has blocked the user.
    Blocked(BlockTerm),
    /// An operator drains the node.
    Draining,
}

impl SlotEntry for Manager {
    fn id(&self) -> ManagerId {
        self.id
    }

    fn join(&self) -> bool {
        self.expect_connection()
    }
}

/// How a manager's application reaches its slot.
impl Slots for Registry {
    fn evict(&self, manager: &Manager, eviction: Eviction) -> bool {
        let (user, key) = (&manager.user, &manager.key);
        let evicted = Self::evict(self, user, key, manager.id, eviction, |_| true);
        evicted.is_some()
    }

    fn pin(&self, manager: &Manager, lasting: Duration) -> Result<(), PinError> {
        self.pin_one(&manager.user, lasting, |other| other.id == manager.id)
    }
}

impl Registry {
    /// An empty registry. Every manager's own task runs in `tasks`.
    #[must_use]
    pub fn new(
        limits: SlotLimits,
        health: health::Config,
        surroundings: Arc<Surroundings>,
        tasks: Tasks,
    ) -> Arc<Self> {
        let registry = Arc::new(Self {
            history: History::new(limits.history_keys_max),
            limits,
            health,
            table: Table::default(),
            temporary: TemporarySlots::default(),
            quotas: Quotas::default(),
            overrides: Overrides::default(),
            is_drained: AtomicBool::new(false),
            attached: AtomicU32::new(0),
            revoked: Revoked::default(),
            freed: FreedSlots::default(),
            observed: Observed::default(),
            surroundings,
            tasks,
            created: AtomicU64::new(0),
            returned: AtomicU64::new(0),
        });
        let slots: Weak<Self> = Arc::downgrade(&registry);
        registry.surroundings.slots_from(slots);
        registry
    }

    /// Joins a user's manager of that key, or takes a slot for a new one.
    pub fn enter(self: &Arc<Self>, user: &UserId, key: &ManagerKey, now: Timestamp) -> Entrance {
        if self.is_drained() {
            return Entrance::Draining;
        }
        if let Some(term) = self.blocked(user) {
            return Entrance::Blocked(term);
        }
        match (self.reserve(user, key, now), self.blocked(user)) {
            // A block that came meanwhile evicted this manager, or is seen here and its slot given back.
            (Entrance::Open(_), Some(term)) => Entrance::Blocked(term),
            (entrance, _) => entrance,
        }
    }

    fn reserve(self: &Arc<Self>, user: &UserId, key: &ManagerKey, now: Timestamp) -> Entrance {
        let (limit, node_limit) = (self.limit(user, now), self.limits.managers_total);
        let make = || Manager::new(user.clone(), key.clone(), self.surroundings.clone());
        match self.table.reserve(user, key, limit, node_limit, make) {
            Reserved::Joined(manager) => Entrance::Open(Permit::new(self.clone(), manager)),
            Reserved::Created(manager) => {
                self.created.fetch_add(1, Ordering::Relaxed);
                self.pin_again(&manager);
                if self.history.created(user, key).is_some() {
                    self.returned.fetch_add(1, Ordering::Relaxed);
                    manager.note(now, None, ActivityEvent::Back);
                }
                let (registry, own) = (self.clone(), manager.clone());
                self.tasks.spawn("manager", async move {
                    own.clone().run().await;
                    registry.forget(&own);
                });
                Entrance::Open(Permit::new(self.clone(), manager))
            }
            Reserved::UserFull { held } => {
                self.end_surplus_pins(user, limit, now);
                Entrance::UserFull { held, limit }
            }
            Reserved::NodeFull { held } => Entrance::NodeFull {
                held,
                limit: node_limit,
            },
        }
    }

    /// Takes a manager's slot away, if that very life of it still holds one and `still` says yes.
    /// The slot is free when this returns; the connections are asked to close, and whoever evicts
    /// waits for them with a deadline.
    pub fn evict(
        &self,
        user: &UserId,
        key: &ManagerKey,
        id: ManagerId,
        eviction: impl Into<Eviction>,
        still: impl FnOnce(&Manager) -> bool,
    ) -> Option<Vec<Arc<Port>>> {
        let manager = self.table.remove_if(user, key, id, still)?;
        self.history
            .evicted(user, key, self.surroundings.clock.now());
        let ports = manager.end_by(eviction.into());
        self.freed.notify(user);
        self.observed.freed(&manager);
        Some(ports)
    }

    /// A client asked for a manager of that key and was refused; `why` as it is told.
    pub fn refused(&self, user: &UserId, key: &ManagerKey, why: &'static str, now: Timestamp) {
        let refuse = ActivityEvent::Refuse { why };
        self.activity().record_attempt(now, user, key, refuse);
    }

    /// Where what happens is written down.
    #[must_use]
    pub fn activity(&self) -> &ActivitySink {
        &self.surroundings.activity
    }

    /// The one limit table.
    #[must_use]
    pub fn limits(&self) -> &SlotLimits {
        &self.limits
    }

    /// Who has temporary slots.
    #[must_use]
    pub fn temporary(&self) -> &TemporarySlots {
        &self.temporary
    }

    /// What is remembered of evicted managers.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The manager of a key.
    #[must_use]
    pub fn get(&self, user: &UserId, key: &ManagerKey) -> Option<Arc<Manager>> {
        self.table.get(user, key)
    }

    /// A user's managers.
    #[must_use]
    pub fn of(&self, user: &UserId) -> Vec<Arc<Manager>> {
        self.table.of(user)
    }

    /// The managers of all users.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Manager>> {
        self.table.all()
    }

    /// How many managers a user holds.
    #[must_use]
    pub fn held(&self, user: &UserId) -> u32 {
        self.table.held(user)
    }

    /// How many managers are held in all.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.table.total()
    }

    /// Every user with how many managers it holds.
    #[must_use]
    pub fn users(&self) -> Vec<(UserId, u32)> {
        self.table.users()
    }

    /// How many users hold a manager.
    #[must_use]
    pub fn users_held(&self) -> usize {
        self.table.users_held()
    }

    /// How many managers were created so far, and how many of them came back after an eviction.
    #[must_use]
    pub fn created(&self) -> (u64, u64) {
        (
            self.created.load(Ordering::Relaxed),
            self.returned.load(Ordering::Relaxed),
        )
    }

    /// When the first of a user's newborns will have had its time.
    #[must_use]
    pub(crate) fn next_grown(&self, user: &UserId, now: Timestamp) -> Option<Timestamp> {
        let managers = self.table.of(user);
        managers
            .iter()
            .filter_map(|manager| manager.newborn_until(now))
            .min()
    }

    /// Tells when a slot of a user becomes free or a newborn of it becomes a manager like any
    /// other: when it is worth looking again. Ask before looking, then look, then wait.
    #[must_use]
    pub fn watch(&self, user: &UserId) -> Freed<'_> {
        self.freed.watch(user)
    }

    /// For how many users admissions wait.
    #[must_use]
    pub fn watched(&self) -> usize {
        self.freed.watched()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("total", &self.total())
            .finish_non_exhaustive()
    }
}
