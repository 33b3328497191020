//! What ranks on all nodes of a cluster: one document in the engine, written by an operator on one node and followed
//! by all.
//!
//! An operator changes one node as ever, looks at it, and *shares* what ranks there. The others see the document's
//! number change within a second or two, take the files that they lack through the same checks as any other policy,
//! and activate them. A node that does not take one keeps what it has, and says why. Nothing is asked of a node by
//! another one.
//!
//! Not here: whether a policy is any good (`rollout`), and experiments, which are each node's own.

mod document;
mod error;
mod follow;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Mutex as TurnLock;

pub use document::{SharedPolicy, SharedSeats};
pub use error::SharingError;

use crate::rollout::audit::{Note, REASON_BYTES_MAX, What};
use crate::rollout::{Actor, Rollout};
use wastegate_cluster::shared::{DocumentName, FILE_BYTES_MAX, Replaced, SharedDocument, mark};
use wastegate_core::types::{Clock, Timestamp};

/// Between two looks at the document's number.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After how long a document that was not taken over is tried again: the first time, and at the most. It doubles.
const AGAIN_FIRST: Duration = Duration::from_secs(2);
const AGAIN_MAX: Duration = Duration::from_secs(60);

/// The document of this room.
const DOCUMENT: DocumentName = DocumentName::Policies;

/// Where the document is.
pub type SharedStore = Arc<dyn SharedDocument>;

/// What this node makes of the shared document.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Followed {
    /// The number of the document that it follows; 0 for none.
    pub number: u64,
    /// Why it does not follow the one that is in force; empty if it does.
    pub problem: String,
}

/// Tells the other nodes what this one follows.
pub type FollowedSink = Box<dyn Fn(Followed) + Send + Sync>;

/// Shares what ranks on this node, and follows what is shared.
pub struct Sharing {
    store: SharedStore,
    rollout: Arc<Rollout>,
    /// This node's name in the cluster.
    node: String,
    clock: Clock,
    tell: FollowedSink,
    /// One at a time shares or takes over. An async lock, because both ask the engine meanwhile.
    turn: TurnLock<()>,
    // Held for a few loads and stores.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    followed: Followed,
    /// The mark of the document that it follows, or tried to; empty for none.
    mark: String,
    /// What the document says that this node follows, or tried to.
    seats: Option<Arc<SharedSeats>>,
    /// When one that was not taken over is tried again.
    again: Option<(Timestamp, Duration)>,
}

/// The shared document as this node sees it.
#[derive(Debug, Clone)]
pub struct SharedView {
    /// What this node follows.
    pub followed: Followed,
    /// What it says; none if nothing was ever shared.
    pub seats: Option<Arc<SharedSeats>>,
    /// Whether this node ranks by it: not after a change that was made here only.
    pub is_in_step: bool,
}

impl Sharing {
    /// Follows nothing before [`Sharing::follow`].
    #[must_use]
    pub fn new(
        store: SharedStore,
        rollout: Arc<Rollout>,
        node: String,
        clock: Clock,
        tell: FollowedSink,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            rollout,
            node,
            clock,
            tell,
            turn: TurnLock::default(),
            state: Mutex::default(),
        })
    }

    /// The document as this node sees it.
    #[must_use]
    pub fn view(&self) -> SharedView {
        let (followed, seats) = {
            let state = self.state.lock();
            (state.followed.clone(), state.seats.clone())
        };
        let ledger = self.rollout.ledger();
        let is_in_step = seats
            .as_ref()
            .is_none_or(|seats| seats.is_followed_by(&ledger));
        SharedView {
            followed,
            seats,
            is_in_step,
        }
    }

    /// Has all nodes rank as this one does now. `from` is the number of the document that the operator saw: if there
    /// is another one by now, nothing is shared. Without it that is the one that this node follows. Returns the new
    /// document's number.
    ///
    /// # Errors
    /// [`SharingError`]; all nodes rank as before then.
    pub async fn share(
        &self,
        from: Option<u64>,
        reason: &str,
        by: &Actor,
    ) -> Result<u64, SharingError> {
        let reason = reason.trim();
        if reason.is_empty() || reason.len() > REASON_BYTES_MAX {
            return Err(SharingError::Reason(REASON_BYTES_MAX));
        }
        let _one_at_a_time = self.turn.lock().await;
        let number = self.store.newest(DOCUMENT).await?.number;
        let from = from.unwrap_or_else(|| self.state.lock().followed.number);
        if number != from {
            return Err(SharingError::Newer(number));
        }
        let ledger = self.rollout.ledger();
        let seats = SharedSeats {
            by: by.to_string(),
            reason: reason.to_owned(),
            node: self.node.clone(),
            at_unix_ms: self.clock.unix_ms(self.clock.now()),
            seats: SharedSeats::seats_of(&ledger),
        };
        let (text, files) = (seats.to_bytes()?, seats.files());
        for digest in &files {
            let Some(revision) = ledger.revisions().find(|known| known.digest == *digest) else {
                continue;
            };
            let bytes = self.rollout.bytes(revision.id).await?;
            if bytes.len() > FILE_BYTES_MAX {
                return Err(SharingError::TooLarge {
                    policy: revision.name.to_string(),
                    bytes: bytes.len(),
                });
            }
            self.store.keep(digest, &bytes).await?;
        }
        match self.store.replace(DOCUMENT, from, &text, &files).await? {
            Replaced::Newer(number) => Err(SharingError::Newer(number)),
            Replaced::Now(number) => {
                self.follows(number, mark(&text), seats);
                let note = Note::new(What::Shared, format!("document {number}: {reason}"));
                self.rollout.audit().write(by, note);
                Ok(number)
            }
        }
    }

    /// Notes what this node follows, and tells the others.
    fn follows(&self, number: u64, mark: String, seats: SharedSeats) {
        let problem = String::new();
        let followed = Followed { number, problem };
        let mut state = self.state.lock();
        state.followed = followed.clone();
        state.mark = mark;
        state.seats = Some(Arc::new(seats));
        state.again = None;
        drop(state);
        (self.tell)(followed);
    }
}

impl std::fmt::Debug for Sharing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sharing")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
