//! The node itself: its ledger, what it knows of its cluster, and the tasks that keep both true.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::asking::Asked;
use super::config::Config;
use super::elsewhere::HeldElsewhere;
use super::leaving::Leaving;
use super::messages::Reading;
use super::metrics::Metrics;
use super::news::BansElsewhere;
use super::publishing::Unpublished;
use super::surplus::Surpluses;
use super::view::GoneNodes;
use crate::manager::Manager;
use crate::registry::{Registry, SlotObserver};
use crate::tasks::{Supervisor, Tasks};
use wastegate_cluster::ledger::{
    Epoch, Guarded, KeyHash, Ledger, LedgerBudgets, LedgerError, Life, Membership, NodeNote,
    UserHash,
};
use wastegate_core::types::{Clock, DeviceId, ManagerId, ManagerKey, UserId};

/// How long a call may take that no admission waits for.
const BACKGROUND_MAX: Duration = Duration::from_secs(1);
/// How long a stop waits for what has to leave, at most.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// This node as one of its cluster.
pub struct ClusterNode {
    pub(super) ledger: Guarded,
    pub(super) config: Config,
    pub(super) registry: Arc<Registry>,
    pub(super) clock: Clock,
    // Held for a few loads and stores.
    pub(super) membership: Mutex<Membership>,
    /// Users by their hashes, for what other nodes ask: those who hold a manager here, or want one.
    index: Mutex<HashMap<UserHash, UserId>>,
    /// The parts on other nodes of managers that are here too: those only.
    pub(super) others: Mutex<HashMap<ManagerId, Vec<Life>>>,
    pub(super) elsewhere: HeldElsewhere,
    pub(super) leaving: Leaving,
    pub(super) unpublished: Unpublished,
    pub(super) surpluses: Surpluses,
    pub(super) reading: Reading,
    pub(super) asked: Asked,
    pub(super) bans: BansElsewhere,
    /// Held while a newcomer is let in, or not, without the ledger.
    pub(super) deciding: Mutex<()>,
    /// Why the last beat was not answered; none if it was.
    // Held to copy it.
    pub(super) trouble: Mutex<Option<LedgerError>>,
    // Held to compare or copy them, and taken after `membership`.
    pub(super) gone: Mutex<GoneNodes>,
    /// Everything that lives here has to be asserted.
    pub(super) reassert: Notify,
    pub(super) metrics: Metrics,
    /// Apart from the gateway's tasks: a node that drains beats until its last manager is gone.
    tasks: Tasks,
}

impl ClusterNode {
    /// A node that takes part from [`ClusterNode::start`] on.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn new(
        ledger: Arc<dyn Ledger>,
        config: Config,
        registry: Arc<Registry>,
        clock: Clock,
    ) -> Result<Arc<Self>, getrandom::Error> {
        let budgets = LedgerBudgets {
            admission: config.budget,
            background: BACKGROUND_MAX,
        };
        let membership = Membership::new(
            config.node.clone(),
            Epoch::random()?,
            config.dead_after,
            NodeNote {
                secret_mark: config.hasher.mark(),
                ..config.note.clone()
            },
        );
        let node = Arc::new(Self {
            ledger: Guarded::new(ledger, budgets),
            membership: Mutex::new(membership),
            config,
            registry: registry.clone(),
            clock,
            index: Mutex::default(),
            others: Mutex::default(),
            elsewhere: HeldElsewhere::default(),
            leaving: Leaving::default(),
            unpublished: Unpublished::default(),
            surpluses: Surpluses::default(),
            reading: Reading::default(),
            asked: Asked::default(),
            bans: BansElsewhere::default(),
            deciding: Mutex::default(),
            trouble: Mutex::default(),
            gone: Mutex::default(),
            reassert: Notify::new(),
            metrics: Metrics::default(),
            tasks: Tasks::new(),
        });
        registry.observed_by(node.clone());
        Ok(node)
    }

    /// Starts to beat, to publish and to give back. Admissions go by the away rule until the first beat is answered.
    pub fn start(self: &Arc<Self>, supervisor: &Supervisor) {
        self.work(supervisor, "cluster-beat", |node| async move {
            node.beat_on().await
        });
        self.work(supervisor, "cluster-leave", |node| async move {
            node.leave_on().await
        });
        self.work(supervisor, "cluster-watch", |node| async move {
            node.watch_on().await
        });
        self.work(supervisor, "cluster-publish", |node| async move {
            node.publish_on().await;
        });
        self.work(supervisor, "cluster-reassert", |node| async move {
            node.reassert_on().await;
        });
    }

    /// Runs work of the node until [`ClusterNode::leave`]: longer than the gateway's own tasks.
    pub(crate) fn work<F>(
        self: &Arc<Self>,
        supervisor: &Supervisor,
        name: &'static str,
        worker: impl Fn(Arc<Self>) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let node = self.clone();
        supervisor.run(&self.tasks, name, move || worker(node.clone()));
    }

    /// Leaves the cluster, for the end of the process: gives back what is left, and says so. What cannot be said is
    /// free once the node counts as dead.
    pub async fn leave(&self) {
        let left = tokio::time::timeout(LEAVE_WITHIN, self.leaving.emptied()).await;
        self.tasks.stop();
        self.tasks.wait(BACKGROUND_MAX).await;
        let farewell = self.membership.lock().farewell();
        let said = self.ledger.beat(&farewell).await;
        if left.is_err() || said.is_err() {
            tracing::warn!(
                "the cluster's engine did not hear that this node stops; its slots are free once it counts as dead"
            );
        }
    }

    /// The room's metrics, to be registered.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Whether the engine does not answer, so that the away rule decides.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.ledger.is_open() || !self.membership.lock().is_live(self.clock.now())
    }

    /// One life of a manager of this node, as it is now.
    pub(super) fn life(&self, manager: ManagerId) -> Life {
        let epoch = self.membership.lock().epoch();
        Life { epoch, manager }
    }

    pub(super) fn user_hash(&self, user: &UserId) -> UserHash {
        self.config.hasher.user(user)
    }

    pub(super) fn key_hash(&self, user: &UserId, key: &ManagerKey) -> KeyHash {
        self.config.hasher.key(user, key)
    }

    /// Remembers whose hash that is, if the user holds a slot.
    pub(super) fn know(&self, user: &UserId) -> UserHash {
        let hash = self.user_hash(user);
        let mut index = self.index.lock();
        if !index.contains_key(&hash) && self.registry.held(user) > 0 {
            index.insert(hash, user.clone());
        }
        hash
    }

    /// Whose hash that is, if it holds anything here.
    pub(super) fn user_of(&self, hash: UserHash) -> Option<UserId> {
        self.index.lock().get(&hash).cloned()
    }

    /// Forgets a user that holds nothing. Under the lock, because a newcomer remembers it after it has its slot.
    fn forget(&self, user: &UserId) {
        let hash = self.user_hash(user);
        let mut index = self.index.lock();
        if self.registry.held(user) == 0 {
            index.remove(&hash);
        }
    }
}

impl SlotObserver for ClusterNode {
    fn freed(&self, manager: &Manager) {
        if !manager.mark.go() {
            return;
        }
        self.others.lock().remove(&manager.id);
        self.give_back(&manager.user, &manager.key, manager.id);
        self.forget(&manager.user);
    }

    fn changed(&self, manager: &Manager, arrived: Option<&DeviceId>) {
        if !manager.mark.is_in() {
            return;
        }
        if let Some(device) = arrived {
            self.take_over(manager, device);
        }
        self.publish_soon(&manager.user);
    }
}

impl fmt::Debug for ClusterNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterNode")
            .field("node", &self.config.node)
            .finish_non_exhaustive()
    }
}
