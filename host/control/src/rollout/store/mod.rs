//! Where bytes and the ledger are kept: in memory, or in a folder that a crash at any point leaves
//! usable.
//!
//! ```text
//! STATE_DIR/lock                 held by the process that uses the folder
//! STATE_DIR/ledger.json          which revisions there are, who sits where
//! STATE_DIR/ledger.previous.json the one before
//! STATE_DIR/ledger.unreadable.json  one that could not be read, set aside
//! STATE_DIR/wasm/DIGEST.wasm     a policy's bytes, by their SHA-256
//! STATE_DIR/audit.jsonl          who changed what (`audit`)
//! ```
//!
//! Bytes are on disk before the ledger names them, and the ledger is replaced by a rename. Whatever
//! is missing or cut short at a start is told and done without. Compiled code is never kept here.

mod folder;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use self::folder::Folder;
use super::ledger::RevisionLedger;

/// Where revisions are kept.
#[derive(Debug)]
pub struct Store(Kind);

#[derive(Debug)]
enum Kind {
    /// Bytes by digest. A lock, because submissions come at once; never held while anything waits.
    Memory(Mutex<BTreeMap<String, Arc<[u8]>>>),
    Disk(Folder),
}

/// What a folder held.
#[derive(Debug)]
pub struct StoredState {
    /// The ledger; none if there was none, or none that could be read.
    pub ledger: Option<RevisionLedger>,
    /// What was wrong and what was done about it, a sentence each.
    pub problems: Vec<String>,
}

/// Why something could not be kept or found.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
pub enum StoreError {
    /// The folder cannot be used at all.
    #[error(
        "cannot use {path} (`policy.rollout.state_dir`): make it a folder that this process may write to, or leave the key empty",
        path = path.display()
    )]
    Folder {
        /// The folder, or what in it.
        path: PathBuf,
        source: std::io::Error,
    },
    /// Another process has it.
    #[error(
        "{path} (`policy.rollout.state_dir`) is in use by another process: give each server a folder of its own",
        path = path.display()
    )]
    InUse { path: PathBuf },
    /// A file cannot be written.
    #[error("cannot write {path}: make room or mend its permissions, and do it again", path = path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: submit the policy again", path = path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A file is not what it was.
    #[error(
        "{path} is not what was written there (its digest is {found}): submit the policy again",
        path = path.display()
    )]
    Changed {
        path: PathBuf,
        /// The digest of what is there.
        found: String,
    },
    /// The bytes are not there any more.
    #[error("the bytes of {0} are not kept any more: submit the policy again")]
    Gone(String),
}

impl Store {
    /// In memory: gone with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self(Kind::Memory(Mutex::default()))
    }

    /// In a folder, which is made if it is not there. With it what it holds.
    ///
    /// # Errors
    /// [`StoreError::Folder`] and [`StoreError::InUse`]; what is wrong with single files is told in
    /// [`StoredState`] and does not stop anything.
    pub fn open(folder: &Path) -> Result<(Self, StoredState), StoreError> {
        let (folder, found) = Folder::open(folder)?;
        Ok((Self(Kind::Disk(folder)), found))
    }

    /// Whether what is kept survives the process.
    #[must_use]
    pub(crate) const fn is_durable(&self) -> bool {
        matches!(self.0, Kind::Disk(_))
    }

    /// Keeps bytes. When this returns they are on disk, if there is one. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn keep(&self, digest: &str, bytes: &Arc<[u8]>) -> Result<(), StoreError> {
        match &self.0 {
            Kind::Memory(kept) => {
                kept.lock().insert(digest.to_owned(), bytes.clone());
                Ok(())
            }
            Kind::Disk(folder) => folder.keep(digest, bytes),
        }
    }

    /// The bytes of a digest, which they are held against. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when they are gone or changed.
    pub fn bytes(&self, digest: &str) -> Result<Arc<[u8]>, StoreError> {
        match &self.0 {
            Kind::Memory(kept) => {
                let found = kept.lock().get(digest).cloned();
                found.ok_or_else(|| StoreError::Gone(digest.to_owned()))
            }
            Kind::Disk(folder) => folder.bytes(digest),
        }
    }

    /// Replaces the ledger. When this returns it is on disk, if there is one. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Write`]; the one that was there is still there.
    pub fn write(&self, ledger: &RevisionLedger) -> Result<(), StoreError> {
        match &self.0 {
            Kind::Memory(_) => Ok(()),
            Kind::Disk(folder) => folder.write(ledger),
        }
    }

    /// Lets go of all bytes but these. Blocks. What cannot be removed is removed the next time.
    pub(crate) fn keep_only(&self, digests: &BTreeSet<String>) {
        match &self.0 {
            Kind::Memory(kept) => kept.lock().retain(|digest, _| digests.contains(digest)),
            Kind::Disk(folder) => folder.keep_only(digests),
        }
    }
}
