//! What operators see of the cluster from this node.

use std::time::Duration;

use super::node::ClusterNode;
use wastegate_cluster::ledger::NodeSeen;
use wastegate_core::types::chain;
use wastegate_core::types::time::whole_ms;

/// How much of a problem a node tells the others, bytes: each beat of each node reads it.
const PROBLEM_BYTES_MAX: usize = 200;
/// How long operators are shown a node that fell silent.
const GONE_FOR: Duration = Duration::from_secs(60 * 60);
/// Nodes that fell silent and are shown, at most: of more, those that did last.
const GONE_MAX: usize = 64;

/// The cluster as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterView {
    /// This node's name in the cluster.
    pub node: String,
    /// Whether the engine answers this node.
    pub engine_up: bool,
    /// Why the engine did not answer this node's last beat; empty if it did.
    pub engine_problem: String,
    /// Managers that users hold above their limits, as far as this node knows.
    pub over_limit: u64,
    /// The nodes that lived at the last beat, this one among them if it is in.
    pub nodes: Vec<OtherNode>,
    /// The nodes that this one saw fall silent in the last hour, and that have not come back under their names; the
    /// last one first. A node that says goodbye is not among them.
    pub gone: Vec<GoneNode>,
}

/// A node that fell silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoneNode {
    /// Its name.
    pub name: String,
    /// How long ago its last beat came to the engine, ms.
    pub beat_age_ms: u64,
    /// Where its operators' API was; empty if it did not say.
    pub admin: String,
    /// Which version it ran.
    pub version: String,
}

/// The nodes that fell silent, the last one first.
#[derive(Debug, Default)]
pub(super) struct GoneNodes(Vec<NodeSeen>);

impl GoneNodes {
    /// Compares who lived before with who lives now. Who is missing fell silent if its last beat is older than a node
    /// may be silent; otherwise it said goodbye.
    pub(super) fn compare(
        &mut self,
        before: Vec<NodeSeen>,
        live: &[NodeSeen],
        dead_after: Duration,
        now_ms: u64,
    ) {
        let lives = |gone: &NodeSeen| live.iter().any(|node| node.name == gone.name);
        let age_ms = |gone: &NodeSeen| now_ms.saturating_sub(gone.beat_ms);
        let silent = before
            .into_iter()
            .filter(|node| age_ms(node) >= whole_ms(dead_after));
        self.0.splice(0..0, silent);
        self.0
            .retain(|gone| !lives(gone) && age_ms(gone) < whole_ms(GONE_FOR));
        self.0.truncate(GONE_MAX);
    }
}

/// One node of the cluster, as it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherNode {
    /// Its name.
    pub name: String,
    /// Its life, in hexadecimal digits.
    pub epoch: String,
    /// Whether it is this node.
    pub is_this: bool,
    /// How long ago its last beat came to the engine, ms.
    pub beat_age_ms: u64,
    /// Where its operators' API is; empty if it does not say.
    pub admin: String,
    /// Which version it runs.
    pub version: String,
    /// Whether its secret is another one than this node's: then they count users apart.
    pub other_secret: bool,
    /// The number of the shared document that it follows; 0 for none.
    pub shared: u64,
    /// Why it does not follow the one that is in force; empty if it does.
    pub problem: String,
    /// Managers that it holds; none if it does not say.
    pub managers: Option<u32>,
    /// Connections that are attached to them; none if it does not say.
    pub connections: Option<u32>,
    /// Whether it takes no new connections; none if it does not say.
    pub draining: Option<bool>,
}

impl ClusterNode {
    /// What this node knows of its cluster.
    #[must_use]
    pub fn view(&self) -> ClusterView {
        let (engine_up, over_limit) = (!self.is_away(), self.over_limit());
        let trouble = self.trouble.lock().clone();
        let membership = self.membership.lock();
        let now_ms = membership.engine_ms(self.clock.now()).unwrap_or(0);
        let own_mark = self.config.hasher.mark();
        let nodes = membership.nodes().iter().map(|node| OtherNode {
            name: node.name.clone(),
            epoch: node.epoch.to_string(),
            is_this: node.epoch == membership.epoch(),
            beat_age_ms: now_ms.saturating_sub(node.beat_ms),
            admin: node.note.admin.clone(),
            version: node.note.version.clone(),
            other_secret: !node.note.secret_mark.is_empty() && node.note.secret_mark != own_mark,
            shared: node.note.shared,
            problem: node.note.problem.clone(),
            managers: node.note.managers,
            connections: node.note.connections,
            draining: node.note.draining,
        });
        let gone = self.gone.lock();
        let gone = gone.0.iter().map(|node| GoneNode {
            name: node.name.clone(),
            beat_age_ms: now_ms.saturating_sub(node.beat_ms),
            admin: node.note.admin.clone(),
            version: node.note.version.clone(),
        });
        ClusterView {
            node: self.config.node.as_str().to_owned(),
            engine_up,
            engine_problem: trouble.map_or_else(String::new, |it| chain(&it)),
            over_limit,
            nodes: nodes.collect(),
            gone: gone.collect(),
        }
    }

    /// Has the other nodes know which shared document this one follows, and why it does not follow the newest: of that
    /// its first 200 bytes.
    pub fn follows(&self, shared: u64, problem: &str) {
        let mut membership = self.membership.lock();
        let note = membership.note_mut();
        note.shared = shared;
        note.problem = problem
            .get(..problem.floor_char_boundary(PROBLEM_BYTES_MAX))
            .unwrap_or_default()
            .to_owned();
    }

    /// Has the next beat say what this node holds.
    pub(super) fn note_load(&self) {
        let (managers, connections) = (self.registry.total(), self.registry.attached());
        let draining = self.registry.is_draining();
        let mut membership = self.membership.lock();
        let note = membership.note_mut();
        note.managers = Some(managers);
        note.connections = Some(connections);
        note.draining = Some(draining);
    }

    /// This node's name in the cluster.
    #[must_use]
    pub fn name(&self) -> &str {
        self.config.node.as_str()
    }

    pub(super) fn nodes_seen(&self) -> u64 {
        let nodes = self.membership.lock().nodes().len();
        u64::try_from(nodes).unwrap_or(u64::MAX)
    }
}
