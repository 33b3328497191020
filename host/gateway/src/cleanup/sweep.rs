//! The background pass: an idempotent reconciler. A wake-up only says "look"; what there is to do
//! it finds by itself. Admission never depends on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::ask::Patience;
use super::decide::Terms;
use super::driver::Cleaner;
use super::flight::JoinReason;
use super::pass::Pass;
use crate::observe::spans::{self, Spans};
use crate::tasks::Supervisor;
use wastegate_core::decision::{Class, TierTable};
use wastegate_core::types::{EvictionCause, Tier, UserId};

/// The least time between two passes, however often a pass is requested.
const REST_MIN: Duration = Duration::from_millis(100);
/// Users looked at before others have their turn.
const USERS_AT_ONCE: usize = 256;

/// The state of the background pass.
pub(super) struct Sweeps {
    /// Keeps it running.
    supervisor: Supervisor,
    /// The table by which the surplus leaves when temporary slots end.
    surplus_table: TierTable,
    /// How many users it has looked at so far.
    swept: AtomicUsize,
    look: Notify,
}

impl Sweeps {
    /// Before the first pass.
    pub(super) fn new(supervisor: Supervisor, table: &TierTable) -> Self {
        Self {
            supervisor,
            surplus_table: surplus_table(table),
            swept: AtomicUsize::new(0),
            look: Notify::new(),
        }
    }

    /// What each tier may evict of a surplus.
    pub(super) const fn surplus_table(&self) -> &TierTable {
        &self.surplus_table
    }

    /// Requests a pass.
    pub(super) fn request(&self) {
        self.look.notify_one();
    }

    /// So many of the users: those after where the last pass ended, so that no user is left out for good.
    fn turn(&self, users: &mut Vec<(UserId, u32)>, most: usize) {
        if users.len() > most {
            let from = self.swept.fetch_add(most, Ordering::Relaxed) % users.len();
            users.rotate_left(from);
            users.truncate(most);
        }
    }
}

impl Cleaner {
    /// Makes spans of background passes from now on, for a [`SpanSink`](crate::observe::SpanSink). The first ones
    /// stay.
    pub fn traced_by(&self, spans: Spans) {
        // Set once, when the application is put together.
        let _ = self.spans.set(spans);
    }

    /// Keeps the background pass running until the tasks stop.
    pub fn start(self: &Arc<Self>) {
        self.start_over_nodes(&self.sweeps.supervisor);
        let cleaner = self.clone();
        self.sweeps
            .supervisor
            .clone()
            .run(&self.tasks, "sweeper", move || {
                let cleaner = cleaner.clone();
                async move {
                    loop {
                        let span = cleaner.spans.get();
                        let span = span.and_then(|spans| spans.root_of_steps("sweep"));
                        spans::around(span, cleaner.sweep()).await;
                        cleaner.rest().await;
                    }
                }
            });
    }

    /// Until the interval is over, a temporary slot ends, or a pass is requested.
    async fn rest(&self) {
        tokio::time::sleep(REST_MIN).await;
        let now = self.clock.now();
        let expiry = self
            .registry
            .temporary()
            .next_expiry(now)
            .map(|at| at.since(now));
        let interval = self.config.sweep_interval;
        let rest = expiry.map_or(interval, |expiry| expiry.min(interval));
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = self.sweeps.look.notified() => {}
        }
    }

    /// One pass: ended graces, ended temporary slots, users above the proactive threshold, the
    /// node's own pressure, and levels that have changed.
    pub async fn sweep(self: &Arc<Self>) {
        let interval = self.config.sweep_interval;
        self.registry.activity().swept(self.clock.now(), interval);
        let mut users = self.registry.users();
        self.sweeps.turn(&mut users, self.config.sweep_users_max);
        let mut names: Vec<UserId> = users.iter().map(|(user, _)| user.clone()).collect();
        // By name, so that a pass does not depend on the order of a map.
        names.sort_unstable();
        self.registry.release_expired(&names, self.clock.now());
        for user in self.registry.temporary().expired(self.clock.now()) {
            self.end_temporary_slots(&user).await;
        }
        for user in &names {
            let now = self.clock.now();
            if self.needs_proactive(user, self.registry.limit(user, now)) {
                let mut patience = Patience::default();
                let round = self.probe(user, Tier::Proactive).await;
                let terms = Terms {
                    table: &self.config.table,
                    cause: EvictionCause::Cleanup(Tier::Proactive),
                    active_too: false,
                    pass: Pass::BelowForceOnly,
                    needed: &|| 0,
                };
                self.run_tier(user, Tier::Proactive, round, 0, terms, &mut patience)
                    .await;
            }
        }
        self.let_the_lost_go(&names).await;
        if self.node_pressure().short(self.config.node_reserve) > 0 {
            self.clean_up_node(JoinReason::Order, Pass::BelowForce)
                .await;
            if self.node_pressure().over_memory() {
                self.clean_up_node(JoinReason::Order, Pass::Force).await;
            }
        }
        for user in names.iter().chain(&self.pressure.users()) {
            self.observe_pressure(user);
        }
    }

    /// Managers that have had nobody for long, and dead connections beside live ones, leave at any
    /// occupancy: they hold slots, descriptors and backends' connections for nothing.
    async fn let_the_lost_go(&self, users: &[UserId]) {
        for users in users.chunks(USERS_AT_ONCE) {
            let now = self.clock.now();
            for user in users {
                self.registry.release_lost(user, self.config.dead_for, now);
                for manager in self.registry.of(user) {
                    self.shed_dead(&manager);
                }
            }
            tokio::task::yield_now().await;
        }
    }

    /// A connection of a user was let in: its pressure may have risen, and the background pass may
    /// have something to do.
    pub fn entered(&self, user: &UserId) {
        self.observe_pressure(user);
        let now = self.clock.now();
        if self.needs_proactive(user, self.registry.limit(user, now)) {
            self.look();
        }
    }

    fn needs_proactive(&self, user: &UserId, limit: u32) -> bool {
        f64::from(self.registry.held(user)) >= self.config.proactive_from * f64::from(limit)
    }

    /// Takes note of a user's pressure, and says so if its level changed.
    pub(crate) fn observe_pressure(&self, user: &UserId) {
        let now = self.clock.now();
        let (held, limit) = (self.registry.held(user), self.registry.own_limit(user));
        if let Some(change) = self.pressure.observe(user, held, limit, now) {
            self.recorder.pressure_changed(&change);
        }
    }

    /// The surplus leaves by rank; after that the limit is the ordinary one again.
    async fn end_temporary_slots(&self, user: &UserId) {
        let lending = self.registry.limits().lending();
        let surplus = || {
            let held = self.registry.held(user);
            held.saturating_sub(self.registry.own_limit(user))
        };
        if surplus() > 0 {
            let snapshot = self.registry.snapshot_user(user, self.clock.now());
            self.registry.note_health(&snapshot);
            let terms = Terms {
                table: &self.sweeps.surplus_table,
                cause: EvictionCause::TemporarySlotExpired,
                active_too: true,
                pass: Pass::Force,
                needed: &surplus,
            };
            let question = self
                .ranker
                .question(&snapshot, terms.table, Tier::Force, surplus());
            self.decide(question, terms, &mut Patience::default()).await;
        }
        if self.registry.held(user) <= self.registry.own_limit(user) {
            self.registry
                .temporary()
                .settle(user, &lending, self.clock.now());
            if let Some(cluster) = &self.cluster {
                cluster.slots_ended(user);
            }
        }
    }
}

/// Temporary slots were lent on the condition that they come back: their surplus leaves by the
/// rules of `force` whether or not the operator lets `force` take anybody else.
fn surplus_table(table: &TierTable) -> TierTable {
    let mut rules = table.rules();
    let [.., force] = &mut rules;
    force.enabled = true;
    force.admits = Class::ALL.to_vec();
    TierTable::new(rules, table.reserve, table.keep_one).unwrap_or_else(|_| table.clone())
}
