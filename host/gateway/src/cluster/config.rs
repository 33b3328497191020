//! Settings of the room.

use std::time::Duration;

use wastegate_cluster::ledger::{AwayRule, NameHasher, NodeName, NodeNote};

/// How a node takes part in its cluster.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its name among the nodes. One that starts under a name takes the place of the one that had it.
    pub node: NodeName,
    /// What it says of itself to the others; what tells its secret from others is filled in.
    pub note: NodeNote,
    /// What makes hashes of users and keys: the same on all nodes.
    pub hasher: NameHasher,
    /// After how long without a beat a node is dead: the same on all nodes. 6 s is usual.
    pub dead_after: Duration,
    /// How long an admission waits for the ledger. 50 ms is usual.
    pub budget: Duration,
    /// What decides while the ledger does not answer.
    pub away: AwayRule,
}
