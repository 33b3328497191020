//! What the program is told of its cluster.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use wastegate_cluster::ledger::AwayRule;
use wastegate_core::types::Secret;

/// Whether the gateway is a node of a cluster, and of which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSettings {
    /// Where the engine is: one or several addresses, with a comma or blanks between. Empty: no cluster.
    pub engine: Secret,
    /// What is at these addresses.
    pub kind: EngineKind,
    /// The name of the service that Sentinels watch.
    pub service: String,
    /// What all keys in the engine begin with. `wg`.
    pub prefix: String,
    /// What users' names are hashed with; of all nodes the same.
    pub secret: Secret,
    /// A file that has it instead.
    pub secret_file: Option<PathBuf>,
    /// The node's name; empty for the host's.
    pub node: String,
    /// After how long without a beat a node is dead. 6 s.
    pub dead_after: Duration,
    /// How long an admission waits for the engine. 50 ms.
    pub budget: Duration,
    /// What decides while the engine is away.
    pub away: AwayRule,
    /// Where other nodes and operators find this node's operators' API; empty if they need not.
    pub admin: String,
}

/// What is at the addresses of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineKind {
    /// One server.
    #[default]
    Server,
    /// Sentinels, which say where the server is.
    Sentinel,
    /// Nodes of a Redis Cluster.
    Cluster,
}

impl ClusterSettings {
    /// The engine's addresses.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let addresses = self
            .engine
            .reveal()
            .split(|c: char| c == ',' || c.is_whitespace());
        addresses.filter(|address| !address.is_empty())
    }

    /// Whether there is a cluster.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.addresses().next().is_some()
    }
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            engine: Secret::default(),
            kind: EngineKind::default(),
            service: String::new(),
            prefix: "wg".to_owned(),
            secret: Secret::default(),
            secret_file: None,
            node: String::new(),
            dead_after: Duration::from_secs(6),
            budget: Duration::from_millis(50),
            away: AwayRule::Static,
            admin: String::new(),
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Sentinel => "sentinel",
            Self::Cluster => "cluster",
        })
    }
}
