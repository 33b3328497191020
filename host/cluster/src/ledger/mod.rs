//! The words of the ledger and what it promises, whatever engine holds it.
//!
//! Not here: an engine, and whom to evict.

mod calls;
mod columns;
mod error;
mod guarded;
mod membership;
mod message;
mod names;
mod part;

use std::fmt::Debug;
use std::time::Duration;

use futures_util::future::BoxFuture;

pub use calls::{
    Beat, BeatAnswer, BeatMode, BeatVerdict, EnterAnswer, EnterAsk, Holdings, Leases, LeaveAnswer,
    LedgerVictim, LendAnswer, LendAsk, NodeNote, NodeSeen, Publication, PublishAnswer,
    ReassertAnswer, ReassertAsk, Stamped, UserLever,
};
pub use columns::{COLUMNS_MAX, Columns};
pub use error::{AwayRule, LedgerError};
pub use guarded::{Guarded, LedgerBudgets};
pub use membership::{BeatNews, Membership, ReassertCause};
pub use message::{
    Inbox, MessagesRead, NewsKind, NodeAnswer, NodeCommand, NodeMessage, NodeOrder, NodeOutcome,
    UserNews, WAITING_MAX,
};
pub use names::{
    ClientHash, DeviceHash, Epoch, InvalidClusterName, KeyHash, Life, NODE_NAME_BYTES_MAX,
    NameHasher, NodeName, SECRET_BYTES_MIN, UserHash,
};
#[cfg(feature = "redis")]
pub(crate) use part::number;
pub use part::{HeldEntry, NodePart, PartState};

/// A call that is on its way. Dropping it does not take it back.
pub type LedgerCall<'a, T> = BoxFuture<'a, Result<Stamped<T>, LedgerError>>;

/// The one counter of what users hold on all nodes.
///
/// Each call is one step: nothing else happens within it. Each may be carried out twice, or late, or carried out
/// and its answer lost, without harm. Futures are boxed, because a gateway holds one `Arc<dyn Ledger>` whichever
/// engine it has; beside the way to the engine the allocation is nothing.
pub trait Ledger: Debug + Send + Sync + 'static {
    /// Joins a manager's entry, takes a free one, or one of victims. At no time does this give a user more
    /// entries than its limit.
    fn enter<'a>(&'a self, user: UserHash, ask: &'a EnterAsk) -> LedgerCall<'a, EnterAnswer>;

    /// Takes a part away, if it is of that very life.
    fn leave(&self, user: UserHash, key: KeyHash, life: Life) -> LedgerCall<'_, LeaveAnswer>;

    /// Renews parts of one node with what it knows of them. It brings nothing back that is not there.
    fn publish<'a>(
        &'a self,
        user: UserHash,
        epoch: Epoch,
        parts: &'a [Publication],
    ) -> LedgerCall<'a, PublishAnswer>;

    /// Adds what lives on one node, after the engine or the node was away. The only call that can bring a user
    /// above its limit; it says by how much.
    fn reassert<'a>(
        &'a self,
        user: UserHash,
        ask: &'a ReassertAsk,
    ) -> LedgerCall<'a, ReassertAnswer>;

    /// What a user holds and may hold.
    fn read<'a>(
        &'a self,
        user: UserHash,
        limit: u32,
        dead: &'a [Epoch],
    ) -> LedgerCall<'a, Holdings>;

    /// Sets what an operator says about a user, for so long; none until it is taken back.
    fn set_lever(
        &self,
        user: UserHash,
        lever: UserLever,
        lasting: Option<Duration>,
    ) -> LedgerCall<'_, ()>;

    /// Lends a user its temporary slots, once per cool-down.
    fn lend<'a>(&'a self, user: UserHash, ask: &'a LendAsk) -> LedgerCall<'a, LendAnswer>;

    /// Says that a node lives, and learns who does.
    fn beat<'a>(&'a self, beat: &'a Beat) -> LedgerCall<'a, BeatAnswer>;

    /// Sends a message to a node's life.
    fn send<'a>(&'a self, to: Epoch, message: &'a NodeMessage) -> LedgerCall<'a, ()>;

    /// What came for a node's life since it last read; waits for so long if that is nothing.
    fn receive<'a>(
        &'a self,
        epoch: Epoch,
        read: &'a MessagesRead,
        wait: Duration,
    ) -> LedgerCall<'a, Inbox>;
}
