//! Levers on all nodes of a cluster: limits, blocks and revocations are one document in the engine.
//!
//! A change is made here first, as without a cluster, and then put on top of the document. Each second a node looks
//! whether there is another document, has what is later in it than what it has, and puts on top what it has that is
//! later. So a change that was made while the engine was away holds here at once and everywhere when it is back, and
//! an engine that lost the document gets it again from any node. The file in the state directory keeps what a node
//! has, with what was taken back.
//!
//! Why the later one of each lever, and not what changed since the document that a node last saw: such a base has to
//! survive restarts, and says nothing once the engine has lost the document, when a block must not vanish.
//!
//! Not here: pins, drains and evictions, which stay with the node that has the manager.

mod document;
mod error;
mod lever;
mod seal;
mod take;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Mutex as TurnLock;

pub use error::EverywhereError;
pub use seal::LeverSeal;

pub(super) use document::LeverDocument;
pub(super) use lever::{LeverName, LeverSetting, LiftedLevers};

use self::document::OnTop;
use super::Levers;
use super::table::LeverTable;
use crate::sharing::SharedStore;
use wastegate_cluster::shared::{Document, DocumentName, Replaced, mark};

/// The document of this room.
const DOCUMENT: DocumentName = DocumentName::Levers;
/// Between two looks at the document's number.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long an operator waits at the most for the engine: as a beat, and a change holds here by then.
const TELL_WITHIN: Duration = Duration::from_secs(1);
/// How often a node tries to write in one look, while others write.
const ATTEMPTS_MAX: u32 = 8;

/// Levers of this node and of all others.
pub struct Everywhere {
    store: SharedStore,
    seal: Arc<LeverSeal>,
    levers: Arc<Levers>,
    /// One look at a time. An async lock, because it asks the engine meanwhile.
    turn: TurnLock<Seen>,
    // What keeps nodes apart, at the last look. Held for a load or a store.
    problem: Mutex<Option<EverywhereError>>,
}

/// What a node saw at its last look.
#[derive(Default)]
struct Seen {
    /// The mark of the document; empty before the first.
    mark: String,
    /// What was set here then; none if it has to look again.
    table: Option<Arc<LeverTable>>,
    /// What did not fit.
    problem: Option<EverywhereError>,
}

impl Everywhere {
    /// Follows nothing before [`Everywhere::follow`]. The levers have to be those of a node of a cluster.
    #[must_use]
    pub fn new(store: SharedStore, seal: LeverSeal, levers: Arc<Levers>) -> Arc<Self> {
        Arc::new(Self {
            store,
            seal: Arc::new(seal),
            levers,
            turn: TurnLock::default(),
            problem: Mutex::default(),
        })
    }

    /// Has what other nodes have, and has them have what is set here, for ever. To be kept running by a supervisor.
    pub async fn follow(self: Arc<Self>) {
        loop {
            // What it came to is remembered.
            let _ = self.look().await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Why nodes do not have the same levers; none if they do. That the engine is away is told by the beats.
    #[must_use]
    pub fn problem(&self) -> Option<EverywhereError> {
        let problem = self.problem.lock().clone();
        problem.filter(|problem| {
            !matches!(
                problem,
                EverywhereError::Engine(_) | EverywhereError::Contended(_)
            )
        })
    }

    /// Looks now, for an operator who waits: everything that is set here is on its way to all nodes then.
    ///
    /// # Errors
    /// [`EverywhereError`]; what is set here holds here, and goes to the others as soon as it can.
    pub async fn tell(&self) -> Result<(), EverywhereError> {
        let told = tokio::time::timeout(TELL_WITHIN, self.look()).await;
        told.unwrap_or(Err(EverywhereError::Slow(TELL_WITHIN.as_millis())))
    }

    /// Looks once.
    async fn look(&self) -> Result<(), EverywhereError> {
        let mut seen = self.turn.lock().await;
        let done = self.catch_up(&mut seen).await;
        let problem = done.as_ref().err().cloned();
        let before = std::mem::replace(&mut *self.problem.lock(), problem.clone());
        if let Some(problem) = self.problem().filter(|_| problem != before) {
            tracing::warn!(%problem, "this node and others do not have the same levers");
        }
        done
    }

    async fn catch_up(&self, seen: &mut Seen) -> Result<(), EverywhereError> {
        for _ in 0..ATTEMPTS_MAX {
            let newest = self.store.newest(DOCUMENT).await?;
            let table = self.levers.all();
            let is_known = seen
                .table
                .as_ref()
                .is_some_and(|it| Arc::ptr_eq(it, &table));
            if is_known && newest.mark == seen.mark {
                return seen.problem.clone().map_or(Ok(()), Err);
            }
            let document = self.store.document(DOCUMENT).await?;
            let number = document.as_ref().map_or(0, |document| document.number);
            let of_document = document.as_ref().map(|document| mark(&document.text));
            let mut mark_then = of_document.unwrap_or_default();
            let (levers, seal) = (self.levers.clone(), self.seal.clone());
            // It takes the disk, and with ten thousand levers some time.
            let merged = tokio::task::spawn_blocking(move || merge(&levers, &seal, document));
            let merged = merged.await;
            let merged = merged.map_err(|_| EverywhereError::System("following them failed"))?;
            let Merged {
                table,
                sealed,
                problem,
            } = match merged {
                Ok(merged) => merged,
                Err(problem @ EverywhereError::System(_)) => return Err(problem),
                // Nothing is read again before something changes.
                Err(problem) => Merged {
                    table,
                    sealed: None,
                    problem: Some(problem),
                },
            };
            if let Some(sealed) = sealed {
                match self.store.replace(DOCUMENT, number, &sealed, &[]).await? {
                    Replaced::Newer(_) => continue,
                    Replaced::Now(_) => mark_then = mark(&sealed),
                }
            }
            *seen = Seen {
                mark: mark_then,
                table: Some(table),
                problem: problem.clone(),
            };
            return problem.map_or(Ok(()), Err);
        }
        Err(EverywhereError::Contended(ATTEMPTS_MAX))
    }
}

/// What a document and this node's levers came to.
struct Merged {
    /// What is set here now.
    table: Arc<LeverTable>,
    /// The document that is to be written; none if nothing of this node is new.
    sealed: Option<Vec<u8>>,
    /// What did not fit.
    problem: Option<EverywhereError>,
}

/// Has here what is later in a document, and puts on top of it what is later here. Blocks on the disk.
fn merge(
    levers: &Levers,
    seal: &LeverSeal,
    document: Option<Document>,
) -> Result<Merged, EverywhereError> {
    let theirs = match document {
        // An engine that lost it gets it again.
        None => LeverDocument::default(),
        Some(Document { number, text, .. }) => {
            let text = seal.open(&text);
            let text = text.ok_or(EverywhereError::OtherSecret(number))?;
            let read = LeverDocument::read(&text);
            read.map_err(|why| EverywhereError::Unreadable { number, why })?
        }
    };
    let taken = levers.take(&theirs);
    let OnTop {
        document,
        is_new,
        left_out,
    } = theirs.with(LeverDocument::of(&taken.table), levers.unix_ms());
    let sealed = match is_new {
        true => {
            let text = document.to_bytes();
            let text = text.map_err(|_| EverywhereError::System("they have no text"))?;
            let sealed = seal.seal(text);
            Some(sealed.ok_or(EverywhereError::System("the system has no randomness"))?)
        }
        false => None,
    };
    let problem = match (left_out, taken.left_out) {
        (0, 0) => None,
        (0, here) => Some(EverywhereError::FullHere(here)),
        (left_out, _) => Some(EverywhereError::Full(left_out)),
    };
    Ok(Merged {
        table: taken.table,
        sealed,
        problem,
    })
}

impl std::fmt::Debug for Everywhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Everywhere").finish_non_exhaustive()
    }
}
