//! Levers of operators: limits, blocks and pins of single users, revoked tokens, a drained node, for a time.
//!
//! A lever is set with a reason, is in the audit log, and ends by itself where it has an end. With a state
//! directory it survives a restart (`file`). A disk that does not take it never stops it: a user that does
//! harm is blocked all the same, and the answer says that it is in memory only.
//!
//! In a cluster limits, blocks and revocations are those of all its nodes (`everywhere`).
//!
//! Not here: how operators reach it (`admin`), and what a limit or a block means to an admission (the
//! gateway's registry).

mod error;
pub mod everywhere;
mod file;
mod node;
mod order;
mod pin;
mod revocation;
mod table;
#[cfg(test)]
mod tests;
mod user;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Notify;

pub use error::LeverError;
pub use node::{Disconnecting, PER_S_MAX};
pub use order::{LASTING_MAX, LeverOrder, REASON_BYTES_MAX};
pub use revocation::{Revocation, RevocationTarget, Revocations, TOKEN_ID_BYTES_MAX};
pub use table::{LEVERS_MAX, LeverTable, LeverTerms, LimitLever, UserLevers};

use self::everywhere::{LeverName, LeverSetting};
use self::file::LeverFile;
use self::table::Over;
use crate::rollout::audit::{Note, What};
use crate::rollout::{Actor, AuditLog};
use wastegate::registry::{BlockTerm, Registry};
use wastegate_core::types::{Clock, Timestamp, UserId};

/// What operators set for single users. Share it as an `Arc`.
pub struct Levers {
    registry: Arc<Registry>,
    audit: Arc<dyn AsRef<AuditLog> + Send + Sync>,
    clock: Clock,
    /// This node's name in its cluster; none where it is in none.
    node: Option<Arc<str>>,
    /// None: levers are kept in memory only.
    file: Option<LeverFile>,
    /// One change at a time. Held while the file goes to disk, on threads that may block only.
    changing: Mutex<()>,
    /// What is set, as one value; replaced only while `changing` is held.
    table: ArcSwap<LeverTable>,
    /// Another lever may be the next that ends.
    changed: Notify,
    /// Connections that are being closed. Held for map operations, and while a part of them is asked to close.
    closing: Mutex<Option<node::Closing>>,
    /// There are connections to close.
    to_close: Notify,
}

/// What a change of a lever came to.
#[derive(Debug, Clone, PartialEq)]
pub struct LeverChange<T = UserLevers> {
    /// What is set now.
    pub levers: T,
    /// Whether the change did anything.
    pub is_new: bool,
    /// Managers that were evicted for it, or connections that were closed.
    pub evicted: usize,
    /// Whether it survives a restart.
    pub is_durable: bool,
}

impl std::fmt::Debug for Levers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Levers")
            .field("set", &self.table.load().len())
            .finish_non_exhaustive()
    }
}

impl Levers {
    /// With what a state directory keeps of them, if there is one. A node of a cluster gives its name there, and is to be
    /// connected with the others by [`everywhere::Everywhere`]. Blocks on the disk.
    #[must_use]
    pub fn open(
        registry: Arc<Registry>,
        audit: Arc<dyn AsRef<AuditLog> + Send + Sync>,
        clock: Clock,
        folder: Option<&Path>,
        node: Option<&str>,
    ) -> Arc<Self> {
        let file = folder.map(LeverFile::in_folder);
        let (table, problem) = file.as_ref().map(LeverFile::read).unwrap_or_default();
        if let Some(problem) = problem {
            tracing::error!("{problem}");
            let note = Note::new(What::FellBack, problem);
            (*audit).as_ref().write(&Actor::config(), note);
        }
        let node: Option<Arc<str>> = node.map(Into::into);
        let table = match &node {
            Some(node) => table.of_node(node),
            None => table,
        };
        let this = Arc::new(Self {
            registry,
            audit,
            clock,
            node,
            file,
            changing: Mutex::default(),
            table: ArcSwap::from_pointee(table),
            changed: Notify::new(),
            closing: Mutex::default(),
            to_close: Notify::new(),
        });
        this.expire();
        for (user, levers) in this.table.load().users() {
            if let Some(limit) = &levers.limit {
                this.registry.override_limit(user, Some(limit.managers));
            }
            if let Some(block) = &levers.block {
                this.registry.block(user, this.term(block));
            }
            this.pin_again(user, &levers.pins);
        }
        this.registry
            .set_drained(this.table.load().drain().is_some());
        let revoked = revocation::in_force(this.table.load().revoked());
        this.registry.set_revoked(revoked);
        this
    }

    /// What is set for a user.
    #[must_use]
    pub fn of(&self, user: &UserId) -> UserLevers {
        self.table.load().of(user)
    }

    /// All that is set, as it is at this moment.
    #[must_use]
    pub fn all(&self) -> Arc<LeverTable> {
        self.table.load_full()
    }

    /// Takes back every lever whose time is over. Blocks on the disk.
    pub fn expire(&self) {
        let changing = self.changing.lock();
        let (table, over) = self.table.load().expired(self.unix_ms());
        if over.is_empty() {
            return;
        }
        self.keep(&table);
        let Over {
            drain,
            users,
            revoked,
        } = over;
        if drain.is_some() {
            self.registry.set_drained(false);
        }
        if !revoked.is_empty() {
            self.registry
                .set_revoked(revocation::in_force(table.revoked()));
        }
        self.table.store(Arc::new(table));
        for (user, levers) in &users {
            if levers.limit.is_some() {
                self.registry.override_limit(user, None);
            }
            if levers.block.is_some() {
                self.registry.unblock(user);
            }
        }
        drop(changing);
        self.write_allowed(revoked);
        if let Some(drain) = drain {
            self.drain_is_over(drain);
        }
        for (user, UserLevers { limit, block, pins }) in users {
            self.pins_are_over(&user, pins);
            let over = [
                (What::LimitExpired, limit.map(|limit| limit.terms)),
                (What::BlockExpired, block),
            ];
            for (what, terms) in over {
                if let Some(LeverTerms { by, reason, .. }) = terms {
                    let reason = format!("its time is over; {by} set it: {reason}");
                    self.write(&Actor::expiry(), what, &user, &reason);
                }
            }
        }
    }

    /// Takes levers back when their time is over, for ever. To be kept running by a supervisor.
    pub async fn watch(self: Arc<Self>) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let left = self.table.load().next_end().map(|end| {
                // A little late is over; a little early would be a look in vain.
                Duration::from_millis(end.saturating_sub(self.unix_ms()).saturating_add(1))
            });
            match left {
                None => changed.await,
                Some(left) => {
                    if tokio::time::timeout(left, changed).await.is_ok() {
                        continue;
                    }
                    let this = self.clone();
                    let expired = tokio::task::spawn_blocking(move || this.expire()).await;
                    if expired.is_err() {
                        tracing::error!("levers whose time is over were not all taken back");
                    }
                }
            }
        }
    }

    /// Changes what is set for a user: in the file, then in the table, then where it acts.
    fn change(
        &self,
        user: &UserId,
        name: LeverName,
        (set, terms): (LeverSetting, LeverTerms),
        act: impl FnOnce(&Registry) -> usize,
    ) -> Result<LeverChange, LeverError> {
        self.replace(
            |before| before.changed(name, set, terms, self.node.as_ref()),
            |table| table.of(user),
            |registry, _| act(registry),
        )
    }

    /// Changes what is set: in the file, then in the table, then where it acts. `part` is what the change is about.
    fn replace<T: PartialEq>(
        &self,
        change: impl FnOnce(&LeverTable) -> Result<LeverTable, LeverError>,
        part: impl Fn(&LeverTable) -> T,
        act: impl FnOnce(&Registry, &LeverTable) -> usize,
    ) -> Result<LeverChange<T>, LeverError> {
        let changing = self.changing.lock();
        let before = self.table.load_full();
        let table = Arc::new(change(&before)?);
        let levers = part(&table);
        let is_new = levers != part(&before);
        let is_durable = if is_new {
            self.keep(&table)
        } else {
            self.file.is_some()
        };
        self.table.store(table.clone());
        let evicted = act(&self.registry, &table);
        drop(changing);
        self.changed.notify_one();
        Ok(LeverChange {
            levers,
            is_new,
            evicted,
            is_durable,
        })
    }

    /// Puts the table on disk. False if it is in memory only.
    fn keep(&self, table: &LeverTable) -> bool {
        let Some(file) = &self.file else {
            return false;
        };
        match file.write(table) {
            Ok(()) => true,
            Err(error) => {
                let path = file.path().display();
                tracing::error!(%error, "cannot write {path}: levers are in memory only, and end with the process");
                false
            }
        }
    }

    fn write(&self, by: &Actor, what: What, user: &UserId, reason: &str) {
        let note = Note::new(what, reason).about(user);
        (*self.audit).as_ref().write(by, note);
    }

    fn unix_ms(&self) -> u64 {
        self.clock.unix_ms(self.clock.now())
    }

    fn term(&self, terms: &LeverTerms) -> BlockTerm {
        terms.until_unix_ms.map_or(BlockTerm::Open, |until| {
            BlockTerm::Until(self.moment(until))
        })
    }

    /// A moment of the calendar on the clock.
    fn moment(&self, unix_ms: u64) -> Timestamp {
        let left = unix_ms.saturating_sub(self.unix_ms());
        self.clock.now().after(Duration::from_millis(left))
    }
}
