//! An append-only journal of JSON lines that never makes its writer wait.
//!
//! [`Journal::write`] serialises a record and puts it into a bounded queue; a thread of its own
//! takes everything that has gathered, appends it to the file, and now and then turns the file into
//! a compressed one and begins anew. It is a thread and not a task because disks block.
//!
//! # What is promised
//! - **The caller never waits.** No room in the queue means the line is dropped and counted, and
//!   once there is room a line `{"dropped":n}` stands where the lines are missing.
//! - **An accepted line reaches the disk.** It is handed to the system within a second, so a crash
//!   of the process costs at most that; [`JournalThread::close`] waits for all of them and for the
//!   disk itself. A disk that refuses (full, forbidden) is retried until it takes them or the
//!   journal is closed; meanwhile the queue fills. Where a retry cannot tell what an attempt has
//!   left behind, a line may be there twice, never less than once.
//! - **Every line is whole.** A line that a crash tore is ended by a newline when the file is next
//!   opened, so that only it is lost.
//! - **A compressed file is complete.** It gets its final name only when it is on disk.
//!
//! # What it is not
//! It is no store: nothing reads it back here, nothing indexes it, and nobody else may rotate its
//! file. Two processes cannot write to one journal: the second is refused.

mod file;
mod queue;
mod rotation;
mod thread;

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use prometheus_client::registry::Registry;
use serde::Serialize;

use self::file::JournalFile;
use self::queue::Queue;
use self::rotation::Rotation;
use self::thread::Writer;
use super::config::JournalConfig;
use super::error::Error;
use wastegate_core::types::Clock;

/// Where lines are handed in. Cheap to clone; clones share one queue.
#[derive(Debug, Clone)]
pub struct Journal(Option<Arc<Queue>>);

/// The thread that writes a journal. Dropping it ends the journal without waiting for the disk;
/// [`JournalThread::close`] waits.
#[derive(Debug)]
#[must_use = "close it, or the last lines may not reach the disk"]
pub struct JournalThread {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<Result<(), Error>>>,
    path: PathBuf,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
    /// It will be on disk when [`JournalThread::close`] returns without an error.
    Accepted,
    /// There was no room, or the journal is closed, or the record cannot be written as JSON.
    Dropped,
    /// There is no journal.
    Disabled,
}

thread_local! {
    /// Where a line is put together, so that the queue is locked for no longer than a copy takes.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A scratch buffer that a huge record has made larger than this is not kept, bytes.
const SCRATCH_BYTES_MAX: usize = 64 << 10;

/// Whether a journal's path can name one.
///
/// # Errors
/// [`Error::JournalPath`] when it names no file.
pub fn check(config: &JournalConfig) -> Result<(), Error> {
    let path = config.path.clone();
    match Rotation::new(&path, config.keep_files) {
        Some(_) => Ok(()),
        None => Err(Error::JournalPath { path }),
    }
}

impl Journal {
    /// Opens a journal and starts its thread. `clock` dates the rotated files.
    ///
    /// # Errors
    /// [`Error::JournalPath`] when the path names no file, [`Error::JournalOpen`] when the file
    /// cannot be opened for appending or another process writes to it, [`Error::JournalSpawn`] when
    /// the system starts no thread.
    pub fn open(config: &JournalConfig, clock: Clock) -> Result<(Self, JournalThread), Error> {
        let path = config.path.clone();
        let rotation = Rotation::new(&path, config.keep_files)
            .ok_or_else(|| Error::JournalPath { path: path.clone() })?;
        let mut file = JournalFile::new(config, rotation, clock);
        if let Err(source) = file.open() {
            return Err(Error::JournalOpen { path, source });
        }
        let queue = Arc::new(Queue::new(config.queue_lines_max, config.queue_bytes_max));
        let writer = Writer::new(queue.clone(), file);
        let spawned = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run());
        match spawned {
            Ok(thread) => Ok((
                Self(Some(queue.clone())),
                JournalThread {
                    queue,
                    thread: Some(thread),
                    path,
                },
            )),
            Err(source) => Err(Error::JournalSpawn { path, source }),
        }
    }

    /// A journal that is none: it costs a branch and writes nothing.
    #[must_use]
    pub const fn disabled() -> Self {
        Self(None)
    }

    /// Whether lines go anywhere.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.0.is_some()
    }

    /// Hands in a record as one line. Never waits for the disk.
    pub fn write(&self, record: &impl Serialize) -> WriteOutcome {
        let Some(queue) = &self.0 else {
            return WriteOutcome::Disabled;
        };
        let mut line = SCRATCH.take();
        line.clear();
        let outcome = match serde_json::to_writer(&mut line, record) {
            Ok(()) => {
                line.push(b'\n');
                queue.push(&line)
            }
            Err(_) => {
                queue.count_dropped(1);
                WriteOutcome::Dropped
            }
        };
        if line.capacity() <= SCRATCH_BYTES_MAX {
            SCRATCH.set(line);
        }
        outcome
    }

    /// Writes a record, and again at the head of each file that a rotation begins: what a reader of one file has to
    /// know. Only the first such record of a journal is repeated.
    pub fn write_head(&self, record: &impl Serialize) -> WriteOutcome {
        if let (Some(queue), Ok(mut line)) = (&self.0, serde_json::to_vec(record)) {
            line.push(b'\n');
            queue.set_head(line);
        }
        self.write(record)
    }

    /// Counts lines that were lost before they were handed in, so that the journal shows the gap.
    pub fn count_dropped(&self, lines: u64) {
        if let Some(queue) = &self.0 {
            queue.count_dropped(lines);
        }
    }

    /// Adds the journal's own metrics to a registry; a disabled one has none.
    pub fn register(&self, registry: &mut Registry) {
        if let Some(queue) = &self.0 {
            queue.counts.register(registry);
        }
    }
}

impl JournalThread {
    /// Takes no further lines and waits until all accepted ones are on disk. Blocks: call it from a
    /// thread that may, after everyone who writes has stopped.
    ///
    /// # Errors
    /// [`Error::JournalLost`] when the disk still refuses, [`Error::JournalPanicked`] on a bug.
    pub fn close(mut self) -> Result<(), Error> {
        self.queue.close();
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(Error::JournalPanicked {
                path: std::mem::take(&mut self.path),
            }),
        }
    }
}

impl Drop for JournalThread {
    fn drop(&mut self) {
        self.queue.close();
    }
}
