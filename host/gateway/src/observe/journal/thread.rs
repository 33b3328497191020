//! The journal's thread: takes what has gathered, makes the disk take it, tries again if it will
//! not.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::file::JournalFile;
use super::queue::{Phase, Queue};
use crate::observe::error::Error;

/// How long the thread rests before it tries a refusing disk again.
const RETRY: Duration = Duration::from_secs(1);
/// How often it tries again once the journal is being closed, before it gives the lines up.
const CLOSE_RETRIES: u32 = 3;
/// How long it rests between those, so that closing is soon over.
const CLOSE_RETRY: Duration = Duration::from_millis(50);
/// A batch buffer that a burst has made larger than this is not kept, bytes.
const BATCH_BYTES_KEPT: usize = 1 << 20;

/// What the thread owns.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Arc<Queue>,
    file: JournalFile,
    appending: Trouble,
    rotating: Trouble,
}

/// The failure that was told last, so that a lasting one is told once.
#[derive(Debug, Default)]
struct Trouble(Option<(io::ErrorKind, Option<i32>)>);

impl Writer {
    pub(super) fn new(queue: Arc<Queue>, file: JournalFile) -> Self {
        Self {
            queue,
            file,
            appending: Trouble::default(),
            rotating: Trouble::default(),
        }
    }

    /// Runs until the journal is closed and everything accepted is on disk.
    pub(super) fn run(mut self) -> Result<(), Error> {
        let mut batch = Vec::new();
        self.tidy();
        loop {
            let phase = self.queue.take(&mut batch);
            self.deliver(&batch)?;
            if phase == Phase::Closing {
                return Ok(());
            }
            batch.clear();
            batch.shrink_to(BATCH_BYTES_KEPT);
        }
    }

    /// Appends a batch of whole lines, however long it takes while the journal is open.
    fn deliver(&mut self, batch: &[u8]) -> Result<(), Error> {
        let mut rest = batch;
        let mut retries_left = CLOSE_RETRIES;
        loop {
            let phase = self.queue.phase();
            let attempt = self.append(&mut rest).and_then(|()| match phase {
                Phase::Open => Ok(()),
                Phase::Closing => self.file.sync(),
            });
            let Err(error) = attempt else {
                self.appending.over(self.file.path());
                return Ok(());
            };
            self.queue.counts.errors.inc();
            self.appending.report(self.file.path(), &error);
            if phase == Phase::Open {
                self.queue.rest(RETRY);
            } else if retries_left > 0 {
                retries_left -= 1;
                std::thread::sleep(CLOSE_RETRY);
            } else {
                return Err(Error::JournalLost {
                    path: self.file.path().to_owned(),
                    lines: lines(batch).saturating_add(self.queue.waiting()),
                    source: error,
                });
            }
        }
    }

    /// Appends as much as it can; `rest` is what is left. A rotation that fails holds no line up:
    /// the file grows beyond its limit until one succeeds.
    fn append(&mut self, rest: &mut &[u8]) -> io::Result<()> {
        let mut rotatable = true;
        while !rest.is_empty() {
            self.file.open()?;
            let fitting = if rotatable {
                self.file.fitting(rest)
            } else {
                rest.len()
            };
            if fitting == 0 {
                rotatable = self.rotate();
                continue;
            }
            let (chunk, after) = rest.split_at(fitting);
            self.file.append(chunk)?;
            *rest = after;
        }
        Ok(())
    }

    /// Begins another file and tidies up behind it. False if the current one has to go on.
    fn rotate(&mut self) -> bool {
        match self.file.rotate() {
            Ok(()) => {
                self.queue.counts.rotations.inc();
                self.tidy();
                if let Err(error) = self.file.begin(self.queue.head()) {
                    self.queue.counts.errors.inc();
                    self.appending.report(self.file.path(), &error);
                }
                true
            }
            Err(error) => {
                self.queue.counts.errors.inc();
                self.rotating.report(self.file.path(), &error);
                false
            }
        }
    }

    /// Compresses and removes rotated files. What fails is left for the next time.
    fn tidy(&mut self) {
        match self.file.rotation().tidy() {
            Ok(()) => self.rotating.over(self.file.path()),
            Err(error) => {
                self.queue.counts.errors.inc();
                self.rotating.report(self.file.path(), &error);
            }
        }
    }
}

impl Trouble {
    fn report(&mut self, journal: &Path, error: &io::Error) {
        let kind = Some((error.kind(), error.raw_os_error()));
        if self.0 != kind {
            self.0 = kind;
            tracing::warn!(journal = %journal.display(), %error, "journal failed; retrying");
        }
    }

    fn over(&mut self, journal: &Path) {
        if self.0.take().is_some() {
            tracing::info!(journal = %journal.display(), "journal works again");
        }
    }
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte == b'\n')).sum()
}
