//! The one who keeps the ledger, the store, the audit log and the seats in step.
//!
//! Everything that compiles, waits for a disk or changes something runs on threads that may block,
//! a bounded number at once; nobody who serves clients waits for any of it. Changes go one after
//! another (`changing`), and a policy is compiled before its change takes its turn, so a compiler
//! that takes long never keeps an operator from rolling back.
//!
//! A change is first in the ledger on disk, then in the seats, then answered for. If the disk does
//! not take it, it is made all the same and said to be in memory only.

mod arm;
mod awaited;
mod change;
mod follow;
mod guard;
mod load;
mod look;
mod receive;
mod refused;
mod settings;
mod start;
mod submit;
mod turns;
mod under_way;
mod warm;

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;

pub use awaited::{Awaits, InItsPlace};
pub use change::{Activation, Changed, Expected};
pub use load::Engines;
pub use look::{PolicyView, RevisionState, RevisionView, SeatView, Status};
pub use settings::{LimitsPatch, ParamsPatch, Patch, SettingsSource};
pub use start::{ConfiguredPolicy, RolloutContext, StartError};
pub use submit::Submitted;
pub use turns::{CHANGES_MAX, SUBMISSIONS_MAX};
pub use under_way::{Stage, UnderWay};

use self::awaited::Awaited;
use self::refused::RefusedBefore;
use self::turns::Turns;
use self::under_way::Submissions;
use self::warm::Warm;
use super::audit::AuditLog;
use super::config::Config;
use super::error::RolloutError;
use super::ledger::RevisionLedger;
use super::source;
use super::store::Store;
use wastegate_core::types::Clock;

/// Which policy is active, how it became active, and the way back. Share it as an `Arc`.
pub struct Rollout {
    engines: Engines,
    sources: source::Config,
    config: Config,
    clock: Clock,
    store: Store,
    audit: AuditLog,
    /// What there is, as one value; replaced only while `changing` is held.
    ledger: ArcSwap<RevisionLedger>,
    /// One change at a time. Held while the ledger goes to disk, on threads that may block only.
    changing: Mutex<()>,
    /// What sources brought in vain.
    refused_before: RefusedBefore,
    /// What is configured and was not to be had at the start. Never held while anything waits.
    awaited: Mutex<Option<Awaited>>,
    /// Policies that are ready and sit in no seat. Never held while anything waits.
    warm: Mutex<Warm>,
    under_way: Submissions,
    turns: Turns,
}

impl std::fmt::Debug for Rollout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rollout")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl AsRef<AuditLog> for Rollout {
    fn as_ref(&self) -> &AuditLog {
        &self.audit
    }
}

impl Rollout {
    fn new(
        engines: Engines,
        given: RolloutContext,
        (store, audit): (Store, AuditLog),
        ledger: RevisionLedger,
    ) -> Self {
        let RolloutContext {
            sources,
            config,
            clock,
        } = given;
        Self {
            warm: Mutex::new(Warm::new(config.warm_max)),
            engines,
            sources,
            config,
            clock,
            store,
            audit,
            ledger: ArcSwap::from_pointee(ledger),
            changing: Mutex::default(),
            refused_before: RefusedBefore::default(),
            awaited: Mutex::default(),
            under_way: Submissions::default(),
            turns: Turns::default(),
        }
    }

    /// What there is at this moment.
    #[must_use]
    pub fn ledger(&self) -> Arc<RevisionLedger> {
        self.ledger.load_full()
    }

    /// The audit log.
    #[must_use]
    pub const fn audit(&self) -> &AuditLog {
        &self.audit
    }

    /// Whether changes survive a restart.
    #[must_use]
    pub(crate) const fn is_durable(&self) -> bool {
        self.store.is_durable()
    }

    /// The largest file that is taken, bytes.
    #[must_use]
    pub fn size_bytes_max(&self) -> u64 {
        self.engines.catalog.engine().config().file_bytes_max()
    }

    /// Runs a submission on a thread for blocking work.
    async fn submitting<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, RolloutError> + Send + 'static,
    ) -> Result<T, RolloutError> {
        self.blocking(self.turns.submission()?, work).await
    }

    /// Runs a change on a thread for blocking work.
    async fn in_turn<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, RolloutError> + Send + 'static,
    ) -> Result<T, RolloutError> {
        self.blocking(self.turns.change()?, work).await
    }

    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        place: OwnedSemaphorePermit,
        work: impl FnOnce(&Self) -> Result<T, RolloutError> + Send + 'static,
    ) -> Result<T, RolloutError> {
        let this = self.clone();
        let worked = tokio::task::spawn_blocking(move || {
            let done = work(&this);
            drop(place);
            done
        });
        worked.await.unwrap_or(Err(RolloutError::Interrupted))
    }
}
