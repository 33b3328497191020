//! Whether a newcomer may displace a manager that answers, asked before anything is done.
//!
//! An admission has to know this early: which tiers complete a policy's ranking depends on it, and in
//! front of a backend nothing that answers is evicted before the backend has answered.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::config::Config;
use super::driver::Cleaner;
use crate::cluster::ClusterNode;
use wastegate_cluster::ledger::{NewsKind, UserNews};
use wastegate_core::decision::builtin::BuiltIn;
use wastegate_core::decision::{Answer, Displaced, ForceBudget, Question, Ranker, Snapshot, guard};
use wastegate_core::types::{DecisionId, ManagerKey, Tier, Timestamp, UserId};

/// Whether a newcomer may displace a manager that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Displacement {
    /// A manager that answers may be evicted for it.
    Allowed,
    /// The operator has switched `force` off.
    Off,
    /// It was displaced itself a moment ago: not before its hold is over.
    Held,
    /// Its user's share of such evictions is spent for so long.
    Spent(Duration),
}

/// What keeps managers that answer from evicting each other in turn: holds, and each user's share of `force`. In a
/// cluster users and keys are remembered by their hashes, as other nodes tell of them.
pub(super) struct Rotation {
    displaced: Displaced,
    budget: ForceBudget,
    cluster: Option<Arc<ClusterNode>>,
}

impl Rotation {
    /// With the room's settings.
    pub(super) fn new(config: &Config, cluster: Option<Arc<ClusterNode>>) -> Self {
        Self {
            displaced: Displaced::new(config.displaced),
            budget: ForceBudget::new(config.force_per_user_max, config.force_window),
            cluster,
        }
    }

    /// What a user and one of its managers are remembered by.
    fn names<'a>(
        &self,
        user: &'a UserId,
        key: &'a ManagerKey,
    ) -> (Cow<'a, UserId>, Cow<'a, ManagerKey>) {
        match &self.cluster {
            None => (Cow::Borrowed(user), Cow::Borrowed(key)),
            Some(cluster) => {
                let alias = cluster.alias_of_key(user, key);
                (Cow::Owned(cluster.alias(user)), Cow::Owned(alias))
            }
        }
    }

    fn name<'a>(&self, user: &'a UserId) -> Cow<'a, UserId> {
        let alias = self.cluster.as_ref().map(|cluster| cluster.alias(user));
        alias.map_or(Cow::Borrowed(user), Cow::Owned)
    }

    /// A manager was evicted while it answered.
    pub(super) fn displaced(&self, user: &UserId, key: &ManagerKey, now: Timestamp) {
        let (name, key_name) = self.names(user, key);
        self.displaced.record(&name, &key_name, now);
        if let Some(cluster) = &self.cluster
            && self.displaced.is_on()
        {
            cluster.tell_displaced(user, key);
        }
    }

    /// How many of `needed` evictions `force` may make for a user now.
    pub(super) fn allow(&self, user: &UserId, needed: u32, now: Timestamp) -> u32 {
        self.budget.allow(&self.name(user), needed, now)
    }

    /// Of those that were allowed, so many were made.
    pub(super) fn made(&self, user: &UserId, allowed: u32, made: u32) {
        let unused = allowed.saturating_sub(made);
        self.budget.give_back(&self.name(user), unused);
        if let Some(cluster) = &self.cluster
            && self.budget.is_on()
            && made > 0
        {
            cluster.tell_forced(user, made);
        }
    }

    /// Another node tells what happened there.
    pub(super) fn hear(&self, news: &UserNews, now: Timestamp) {
        let user = ClusterNode::alias_of(news.user);
        match news.what {
            NewsKind::Displaced { key } => {
                self.displaced
                    .record(&user, &ClusterNode::alias_of_hash(key), now);
            }
            NewsKind::Returned { key } => {
                self.displaced
                    .returned(&user, &ClusterNode::alias_of_hash(key), now);
            }
            NewsKind::Forced { count } => {
                self.budget.allow(&user, count, now);
            }
            // The cluster's own book has it.
            NewsKind::Banned { .. } => {}
        }
    }

    fn held_for(&self, user: &UserId, key: &ManagerKey, now: Timestamp) -> Option<Duration> {
        let (user, key) = self.names(user, key);
        self.displaced.held_for(&user, &key, now)
    }

    fn is_away(&self, user: &UserId, key: &ManagerKey, now: Timestamp) -> bool {
        let (user, key) = self.names(user, key);
        self.displaced.is_away(&user, &key, now)
    }

    fn returned(&self, user: &UserId, key: &ManagerKey, now: Timestamp) {
        let (name, key_name) = self.names(user, key);
        let was_displaced = self.displaced.returned(&name, &key_name, now);
        if let Some(cluster) = &self.cluster
            && was_displaced
        {
            cluster.tell_returned(user, key);
        }
    }
}

impl Cleaner {
    /// Whether a newcomer may displace another manager of its user.
    #[must_use]
    pub fn may_displace(&self, user: &UserId, key: &ManagerKey) -> Displacement {
        let now = self.clock.now();
        let enabled = self.config.table.rule(Tier::Force).enabled;
        if !enabled || self.config.user_last_tier < Tier::Force {
            Displacement::Off
        } else if self.rotation.held_for(user, key, now).is_some() {
            Displacement::Held
        } else {
            let spent = self
                .rotation
                .budget
                .spent_for(&self.rotation.name(user), now);
            spent.map_or(Displacement::Allowed, Displacement::Spent)
        }
    }

    /// Whether a newcomer may be lent a temporary slot. Not if it was displaced a while ago: when the loan
    /// ends, another manager that answers would go for it.
    #[must_use]
    pub(crate) fn may_borrow(&self, user: &UserId, key: &ManagerKey) -> bool {
        !self.rotation.is_away(user, key, self.clock.now())
    }

    /// Whether `force` would find a manager of the user now.
    #[must_use]
    pub(crate) fn could_displace(&self, user: &UserId) -> bool {
        let snapshot = self.registry.snapshot_user(user, self.clock.now());
        self.would_plan(&snapshot)
    }

    /// Whether the node may displace a manager for a newcomer, and would find one now.
    #[must_use]
    pub(crate) fn could_displace_on_node(&self) -> bool {
        let may = self.config.node_last_tier >= Tier::Force
            && self.config.table.rule(Tier::Force).enabled;
        may && {
            let limit = self.registry.limits().managers_total;
            self.would_plan(&self.registry.snapshot_node(limit, self.clock.now()))
        }
    }

    /// Whether the host's own ranking comes to a plan that is not empty.
    pub(super) fn would_plan(&self, snapshot: &Snapshot) -> bool {
        let (table, seed) = (&self.config.table, 0);
        let decision = DecisionId::from_raw(0);
        let question = Question::new(snapshot, table, Tier::Force, 1, decision, seed);
        let question = Arc::new(question);
        match BuiltIn.rank(&question) {
            Answer::Ready(answer) => !guard::plan(&question, table, &answer).victims().is_empty(),
            Answer::Pending(_) => false,
        }
    }

    /// Counts the refusal of a newcomer that is held back. Returns when another try makes sense.
    #[must_use]
    pub(crate) fn hold_back(&self, user: &UserId, key: &ManagerKey, first: Duration) -> Duration {
        self.metrics.held_back();
        let (user, key) = self.rotation.names(user, key);
        let now = self.clock.now();
        self.rotation.displaced.refuse(&user, &key, first, now)
    }

    /// A newcomer displaced another manager.
    pub(crate) fn displaced_for(&self, user: &UserId, key: &ManagerKey) {
        self.rotation.returned(user, key, self.clock.now());
    }
}
