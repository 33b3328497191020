//! What a ledger is asked and what it answers. Times that end in `_ms` are of the engine's clock.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use wastegate_core::types::ManagerId;

use super::columns::Columns;
use super::names::{Epoch, KeyHash, Life, NodeName};
use super::part::{HeldEntry, NodePart, PartState};

/// How long parts are kept that nobody renews.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leases {
    /// One that was entered and never published. It has to last until the node's first publication.
    pub provisional: Duration,
    /// One that was published. Renewed at a third of it, a part survives two lost renewals.
    pub full: Duration,
}

impl Default for Leases {
    /// 10 s and 10 minutes.
    fn default() -> Self {
        Self {
            provisional: Duration::from_secs(10),
            full: Duration::from_secs(600),
        }
    }
}

impl Leases {
    /// How long the engine remembers that a node is dead: by then nothing of it is left.
    #[must_use]
    pub fn dead_kept(&self) -> Duration {
        self.full + self.provisional
    }
}

/// An answer, and when the engine gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamped<T> {
    /// The engine's clock.
    pub now_ms: u64,
    /// What it answered.
    pub answer: T,
}

/// Asks for a manager's entry: to join it, to take a free one, or to take those of victims.
#[derive(Debug, Clone, PartialEq)]
pub struct EnterAsk {
    /// Which manager.
    pub key: KeyHash,
    /// Who asks. The same life may ask again: it gets the same answer and holds no more.
    pub life: Life,
    /// How many managers the user may hold, without what an operator set in the ledger and without temporary
    /// slots there.
    pub limit: u32,
    /// After that moment the engine does nothing: the asker has given up.
    pub not_after_ms: u64,
    /// The nodes that the asker knows to be dead. Their parts count for nothing. A list that lacks some is
    /// harmless, because death is final: it only counts parts that the next list does not.
    pub dead: Arc<[Epoch]>,
    /// Who leaves for it, if nothing is free: the first so many as are missing. Each by the lives that the
    /// asker saw; if one has others by now, nothing happens.
    pub victims: Vec<LedgerVictim>,
}

/// A manager that is to leave the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerVictim {
    /// Which of its user's.
    pub key: KeyHash,
    /// Whose parts it has, in their order.
    pub lives: Vec<Life>,
}

/// What became of an [`EnterAsk`].
#[derive(Debug, Clone, PartialEq)]
pub enum EnterAnswer {
    /// The manager has its entry. The part is provisional until it is published.
    Entered {
        /// How many entries the user has now; parts that have run out may be among them.
        held: u32,
        /// How many of the victims left for it, from the first on. Their owners have to be asked.
        taken: usize,
        /// The parts of the same manager on other nodes.
        others: Vec<NodePart>,
    },
    /// Nothing is free, or a victim was not what the asker saw.
    Full {
        /// How many the user may hold.
        limit: u32,
        /// What it holds.
        entries: Vec<HeldEntry>,
    },
    /// An operator has blocked the user.
    Blocked {
        /// Until when; none for ever.
        until_ms: Option<u64>,
    },
    /// It came too late, or a newer manager of this node has the entry. Nothing was done.
    Late,
}

/// What a node publishes of one of its parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    /// Which manager.
    pub key: KeyHash,
    /// Which life of it.
    pub manager: ManagerId,
    /// What the node believes of it.
    pub state: PartState,
    /// What it measured.
    pub columns: Columns,
}

/// What the ledger knew of published parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishAnswer {
    /// How many entries the user has, at most.
    pub held: u32,
    /// Those that the ledger has not, or has for another life: evicted meanwhile, or lost by the engine.
    pub lost: Vec<KeyHash>,
}

/// Adds what lives, even above the limit.
#[derive(Debug, Clone, PartialEq)]
pub struct ReassertAsk {
    /// Whose parts they are.
    pub epoch: Epoch,
    /// As in [`EnterAsk`].
    pub limit: u32,
    /// As in [`EnterAsk`].
    pub not_after_ms: u64,
    /// As in [`EnterAsk`].
    pub dead: Arc<[Epoch]>,
    /// What lives. It is provisional until it is published, so that one that ends meanwhile does not stay.
    pub parts: Vec<Publication>,
}

/// What became of a [`ReassertAsk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReassertAnswer {
    /// All are there.
    Asserted {
        /// How many entries the user has now.
        held: u32,
        /// How many above its limit that is.
        over: u32,
    },
    /// It came too late. Nothing was done.
    Late,
}

/// What became of a part that was to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaveAnswer {
    /// Whether it was there.
    pub gone: bool,
    /// How many entries the user has now, at most.
    pub held: u32,
}

/// Everything of one user.
#[derive(Debug, Clone, PartialEq)]
pub struct Holdings {
    /// How many managers it may hold.
    pub limit: u32,
    /// Until when it is blocked: none for ever; no block at all if this is none.
    pub block: Option<Option<u64>>,
    /// What it holds.
    pub entries: Vec<HeldEntry>,
}

/// What an operator sets for a user, on all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserLever {
    /// How many managers it may hold, whatever nodes say; none takes that back.
    Limit(Option<u32>),
    /// Whether it is let in.
    Block(bool),
}

/// Asks for a user's temporary slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LendAsk {
    /// As in [`EnterAsk`].
    pub limit: u32,
    /// How many slots.
    pub slots: u32,
    /// How long they last.
    pub lasting: Duration,
    /// How long after their end the user gets none.
    pub cool_down: Duration,
    /// As in [`EnterAsk`].
    pub dead: Arc<[Epoch]>,
}

/// What became of a [`LendAsk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LendAnswer {
    /// They are there until then.
    Lent(u64),
    /// They were there before, until then.
    Running(u64),
    /// The user gets none before then; or now, if it still holds more than its own limit.
    CoolingDown(u64),
}

/// What every node says of itself, to be shown to operators.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeNote {
    /// Where its operators' API is; empty if nowhere.
    #[serde(default)]
    pub admin: String,
    /// Which version it runs.
    #[serde(default)]
    pub version: String,
    /// What tells its secret from another one ([`NameHasher::mark`]); empty if it does not say.
    ///
    /// [`NameHasher::mark`]: super::NameHasher::mark
    #[serde(default)]
    pub secret_mark: String,
    /// The number of the shared document that it follows; 0 for none.
    #[serde(default)]
    pub shared: u64,
    /// Why it does not follow the one that is in force; empty if it does.
    #[serde(default)]
    pub problem: String,
    /// Managers that it holds; none if it does not say.
    #[serde(default)]
    pub managers: Option<u32>,
    /// Connections that are attached to them; none if it does not say.
    #[serde(default)]
    pub connections: Option<u32>,
    /// Whether it takes no new connections; none if it does not say.
    #[serde(default)]
    pub draining: Option<bool>,
}

/// What a beat is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeatMode {
    /// The first of a process: it takes the name from the process before it, which is dead from now on.
    Start,
    /// Still there. Also the first of a node's new life after it was declared dead: the name is taken only if
    /// no other live node has it.
    Live,
    /// It goes: what it has not taken back is free.
    End,
}

/// The sign of life of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Which node.
    pub name: NodeName,
    /// Which life of it.
    pub epoch: Epoch,
    /// What the beat is for.
    pub mode: BeatMode,
    /// After how long without a beat a node is dead: as all nodes have it.
    pub dead_after: Duration,
    /// What it says of itself.
    pub note: NodeNote,
}

/// What the engine makes of a beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeatVerdict {
    /// The node lives, and was known.
    Known,
    /// The node lives, and was not known: it is new, or the engine has lost what it had.
    New,
    /// This life of the node is over, for ever: it was silent for too long, or another process has its name.
    Dead,
    /// Another live node has the name. This one is not in the cluster.
    NameTaken,
}

/// A node that lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSeen {
    /// Its name.
    pub name: String,
    /// Its life.
    pub epoch: Epoch,
    /// When it last beat.
    pub beat_ms: u64,
    /// What it says of itself.
    pub note: NodeNote,
}

/// What the engine answers to a beat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeatAnswer {
    /// What it makes of the node.
    pub verdict: BeatVerdict,
    /// Which process the engine is: another one may have lost what was acknowledged.
    pub run: String,
    /// The nodes that live, by name.
    pub nodes: Vec<NodeSeen>,
    /// The lives of nodes that are over, for as long as anything of them can be left.
    pub dead: Vec<Epoch>,
}
