//! What operators see of the cluster from this node.

use super::node::ClusterNode;
use wastegate_core::types::chain;

/// How much of a problem a node tells the others, bytes: each beat of each node reads it.
const PROBLEM_BYTES_MAX: usize = 200;

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
        });
        ClusterView {
            node: self.config.node.as_str().to_owned(),
            engine_up,
            engine_problem: trouble.map_or_else(String::new, |it| chain(&it)),
            over_limit,
            nodes: nodes.collect(),
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
