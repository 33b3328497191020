//! Who changed what, when and why: written down and never changed.
//!
//! With a state directory every entry is a line of `audit.jsonl`, on disk before the change is
//! answered for. Without one, and besides, the last ones are kept in memory, and each is a line of the
//! program's log. A line that cannot be written never stops a change: a full disk must not keep a
//! bad policy active. It is told instead.

mod entry;
mod file;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::OnceLock;

use parking_lot::Mutex;

pub use entry::{AuditEntry, Note, REASON_BYTES_MAX, What, in_words};
pub use file::{AUDIT_FILE_BYTES_MAX, AUDIT_FILES_KEPT};

use self::file::AuditFile;
use super::actor::Actor;
use wastegate_core::types::{Clock, RevisionId};

/// Entries that are kept in memory.
pub const RECENT_MAX: usize = 1_024;

/// The audit log.
pub struct AuditLog {
    clock: Clock,
    /// A lock, because entries are numbered in the order in which they are written. Held while a
    /// line goes to disk, so it is taken on threads that may block.
    writer: Mutex<Writer>,
    /// The last entries, for the API. Never held while anything waits.
    recent: Mutex<VecDeque<AuditEntry>>,
    /// Who is told of each entry.
    observer: OnceLock<Box<AuditObserver>>,
}

/// What is told of each entry, once it is written. It must not wait.
pub type AuditObserver = dyn Fn(&AuditEntry) + Send + Sync;

#[derive(Debug)]
struct Writer {
    next: u64,
    file: Option<AuditFile>,
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditLog")
            .field("last", &self.last())
            .finish_non_exhaustive()
    }
}

impl AuditLog {
    /// A log that is kept in memory only and lost with the process.
    #[must_use]
    pub fn in_memory(clock: Clock) -> Self {
        Self::new(clock, None, Vec::new())
    }

    /// With the file in a state directory, carrying on where it ends. With it, what was wrong with
    /// what is there, as sentences.
    ///
    /// # Errors
    /// When the file cannot be opened for writing.
    pub fn open(clock: Clock, folder: &Path) -> std::io::Result<(Self, Vec<String>)> {
        let (file, entries, problems) = AuditFile::open(folder)?;
        Ok((Self::new(clock, Some(file), entries), problems))
    }

    fn new(clock: Clock, file: Option<AuditFile>, entries: Vec<AuditEntry>) -> Self {
        let next = entries
            .last()
            .map_or(1, |entry| entry.seq.saturating_add(1));
        Self {
            clock,
            writer: Mutex::new(Writer { next, file }),
            recent: Mutex::new(entries.into()),
            observer: OnceLock::new(),
        }
    }

    /// Writes an entry down. Blocks until it is on disk. False if it is in memory only although
    /// there is a file.
    pub fn write(&self, by: &Actor, note: Note) -> bool {
        let mut writer = self.writer.lock();
        let entry = AuditEntry {
            seq: writer.next,
            unix_ms: self.clock.unix_ms(self.clock.now()),
            by: by.clone(),
            note,
        };
        writer.next = writer.next.saturating_add(1);
        entry.log();
        let written = match writer.file.as_mut().map(|file| file.append(&entry)) {
            None | Some(Ok(())) => true,
            Some(Err(error)) => {
                tracing::error!(seq = entry.seq, %error, "cannot write the audit log; this entry is in memory only");
                false
            }
        };
        if let Some(observer) = self.observer.get() {
            observer(&entry);
        }
        let mut recent = self.recent.lock();
        if recent.len() >= RECENT_MAX {
            recent.pop_front();
        }
        recent.push_back(entry);
        written
    }

    /// Tells an observer of every entry from now on. The first observer stays.
    pub fn watched_by(&self, observer: Box<AuditObserver>) {
        // Set once, when the application is put together.
        let _ = self.observer.set(observer);
    }

    /// The last entries, oldest first: at most `max`, of those with a number above `after`.
    #[must_use]
    pub fn recent(&self, after: u64, max: usize) -> Vec<AuditEntry> {
        let recent = self.recent.lock();
        let newer = recent.iter().filter(|entry| entry.seq > after);
        let skipped = newer.clone().count().saturating_sub(max);
        newer.skip(skipped).cloned().collect()
    }

    /// The number of the last entry; 0 if there is none.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.recent.lock().back().map_or(0, |entry| entry.seq)
    }

    /// The highest revision number that an entry in memory names.
    #[must_use]
    pub(crate) fn highest_revision(&self) -> Option<RevisionId> {
        let recent = self.recent.lock();
        recent.iter().flat_map(|entry| entry.note.revisions()).max()
    }
}

impl AsRef<Self> for AuditLog {
    fn as_ref(&self) -> &Self {
        self
    }
}

#[cfg(test)]
mod tests;
