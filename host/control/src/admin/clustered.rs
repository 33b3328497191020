//! The cluster as this node sees it, in the answers about the node.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::Admin;
use wastegate::cluster::{GoneNode, OtherNode};

/// The cluster that this node is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterDto {
    /// This node's name in the cluster (`cluster.node`).
    pub node: String,
    /// Whether the engine answers this node; while it does not, `cluster.away` decides about new managers.
    pub engine_up: bool,
    /// Why the engine did not answer this node's last beat; empty if it did.
    pub engine_problem: String,
    /// Managers that users hold above their limits on all nodes, as far as this node knows; they leave by rank.
    pub over_limit: u64,
    /// The nodes that lived at this node's last beat.
    pub nodes: Vec<ClusterNodeDto>,
    /// The nodes that this one saw fall silent in the last hour, and that have not come back under their names: 64 at
    /// most, the last one first. A node that says goodbye is not among them.
    pub gone: Vec<GoneNodeDto>,
}

/// A node of the cluster that fell silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GoneNodeDto {
    /// Its name.
    pub name: String,
    /// How long ago its last beat came to the engine, ms.
    pub beat_age_ms: u64,
    /// Where its operators' API was (`cluster.admin`); empty if it did not say.
    pub admin: String,
    /// The program's version.
    pub version: String,
}

/// One node of the cluster, as it says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterNodeDto {
    /// Its name.
    pub name: String,
    /// Its life, in hexadecimal digits: another one after each start, and after it was taken for dead.
    pub epoch: String,
    /// Whether it is the node that answers.
    pub this: bool,
    /// How long ago its last beat came to the engine, ms.
    pub beat_age_ms: u64,
    /// Where its operators' API is (`cluster.admin`); empty if it does not say.
    pub admin: String,
    /// The program's version.
    pub version: String,
    /// Whether its `cluster.secret` is another one than this node's: then the two count users apart.
    pub other_secret: bool,
    /// The number of the shared document that it follows (`/v1/cluster/policies`); 0 for none.
    pub shared: u64,
    /// Why it does not rank by it; empty if it does.
    pub problem: String,
    /// Managers that it held at its last beat; null if it does not say.
    pub managers: Option<u32>,
    /// Connections that were attached to them then; null if it does not say.
    pub connections: Option<u32>,
    /// Whether it took no new connections then: it stopped, or an operator drained it; null if it does not say.
    pub draining: Option<bool>,
}

impl ClusterDto {
    /// None where this node is in no cluster.
    pub(super) fn read(admin: &Admin) -> Option<Self> {
        let view = admin.cleaner.cluster()?.view();
        Some(Self {
            node: view.node,
            engine_up: view.engine_up,
            engine_problem: view.engine_problem,
            over_limit: view.over_limit,
            nodes: view.nodes.into_iter().map(ClusterNodeDto::from).collect(),
            gone: view.gone.into_iter().map(GoneNodeDto::from).collect(),
        })
    }
}

impl From<OtherNode> for ClusterNodeDto {
    // Every field is named, so that one that is added there is missed here.
    fn from(node: OtherNode) -> Self {
        let OtherNode {
            name,
            epoch,
            is_this,
            beat_age_ms,
            admin,
            version,
            other_secret,
            shared,
            problem,
            managers,
            connections,
            draining,
        } = node;
        Self {
            name,
            epoch,
            this: is_this,
            beat_age_ms,
            admin,
            version,
            other_secret,
            shared,
            problem,
            managers,
            connections,
            draining,
        }
    }
}

impl From<GoneNode> for GoneNodeDto {
    fn from(node: GoneNode) -> Self {
        let GoneNode {
            name,
            beat_age_ms,
            admin,
            version,
        } = node;
        Self {
            name,
            beat_age_ms,
            admin,
            version,
        }
    }
}
