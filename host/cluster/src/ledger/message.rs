//! What nodes ask of each other by way of the engine: commands to the owner of a part, and its answers.
//!
//! Both are streams of the receiving node's life, with a bounded length: messages to a node that is gone go
//! nowhere. A message may come twice, late, or never. Each names the life that it is about, and acts on no other;
//! what a lost one should have done, the next publication of the owner finds out.

use serde::{Deserialize, Serialize};

use wastegate_core::types::Tier;

use super::names::{ClientHash, DeviceHash, Epoch, KeyHash, Life, UserHash};

/// How many messages of a kind wait for a node; the oldest go first.
pub const WAITING_MAX: usize = 1_024;

/// A message for one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeMessage {
    /// Do something with a part of yours.
    Command(NodeCommand),
    /// What became of a command.
    Answer(NodeAnswer),
    /// Something about a user that every node is to know.
    News(UserNews),
}

/// Something about a user that every node is to know, so that a client which is slowed down on one is not at another.
/// One that is lost slows it down on fewer nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserNews {
    /// Which user.
    pub user: UserHash,
    /// What happened.
    pub what: NewsKind,
}

/// What happened to a user's managers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewsKind {
    /// One was evicted while it answered: it may not displace another one for a while. None stands for all that have
    /// no name of their own.
    Displaced {
        /// Which one.
        key: Option<KeyHash>,
    },
    /// One that may have been displaced before did displace another one.
    Returned {
        /// Which one.
        key: Option<KeyHash>,
    },
    /// So many that answer were evicted for newcomers, which the user's ration of such evictions pays for.
    Forced {
        /// How many.
        count: u32,
    },
    /// A client came and went too often: it has to stay away.
    Banned {
        /// The client, by its device or key and its address.
        client: ClientHash,
        /// For how long, ms.
        lasting_ms: u64,
    },
}

/// Something to do with one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCommand {
    /// The node that wants an answer.
    pub asker: Epoch,
    /// Its number for the command.
    pub number: u64,
    /// Whose part.
    pub user: UserHash,
    /// Of which manager.
    pub key: KeyHash,
    /// Which life: another one is left alone.
    pub life: Life,
    /// What to do.
    pub order: NodeOrder,
}

/// What to do with a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeOrder {
    /// It has left the ledger for a newcomer: close its connections, unless it is pinned or became active since.
    Evict {
        /// The tier that chose it.
        tier: Tier,
        /// Whether it was believed to answer.
        answering: bool,
        /// Whether its pin is one more than its user's limit leaves on all nodes, so that it does not hold it.
        #[serde(default)]
        past_pin: bool,
    },
    /// Ask its peers whether they are there.
    Probe,
    /// A newer connection of this device is on another node: close the older one.
    TakeOver {
        /// Which device.
        device: DeviceHash,
    },
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeAnswer {
    /// The command's number.
    pub number: u64,
    /// What became of it.
    pub outcome: NodeOutcome,
    /// After a probe: for how long the manager has been idle, ms.
    #[serde(default)]
    pub idle_ms: Option<u64>,
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeOutcome {
    /// The part is gone, by this command or before it.
    Gone,
    /// The owner keeps it: it is pinned, or was active since. The asker gives the entry back.
    Spared,
    /// A peer answered the probe.
    Answering,
    /// No peer answered the probe.
    Silent,
}

/// How far a node has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagesRead {
    /// The last command.
    pub command: String,
    /// The last answer.
    pub answer: String,
}

impl Default for MessagesRead {
    fn default() -> Self {
        Self {
            command: "0".to_owned(),
            answer: "0".to_owned(),
        }
    }
}

/// What came for a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inbox {
    /// The messages, commands first, each kind in its order.
    pub messages: Vec<NodeMessage>,
    /// How far that is.
    pub read: MessagesRead,
    /// Messages that this version does not understand. They count as read.
    pub strange: u32,
}
