//! The file that is being appended to: opening it after a crash, appending whole lines, telling
//! when it is time to begin another.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::rotation::Rotation;
use crate::observe::config::JournalConfig;
use wastegate_core::types::Clock;
use wastegate_core::types::time::whole_ms;
use wastegate_files as files;

/// The journal's current file. Closed after a failure and opened again by the next append.
#[derive(Debug)]
pub(super) struct JournalFile {
    rotation: Rotation,
    clock: Clock,
    rotate_bytes: u64,
    rotate_age: Option<Duration>,
    active: Option<Active>,
}

#[derive(Debug)]
struct Active {
    file: File,
    /// Its length up to the last whole line.
    bytes: u64,
    born_unix_ms: u64,
}

impl JournalFile {
    pub(super) fn new(config: &JournalConfig, rotation: Rotation, clock: Clock) -> Self {
        Self {
            rotation,
            clock,
            rotate_bytes: config.rotate_bytes.get(),
            rotate_age: config.rotate_age,
            active: None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.rotation.active()
    }

    pub(super) fn rotation(&self) -> &Rotation {
        &self.rotation
    }

    /// Opens the file if it is not open, ending a line that a crash has torn.
    pub(super) fn open(&mut self) -> io::Result<()> {
        self.active().map(|_| ())
    }

    /// How many bytes of `lines` may be appended before the file must be rotated; always whole
    /// lines, and at least one if the file is empty. 0 says: rotate first.
    pub(super) fn fitting(&self, lines: &[u8]) -> usize {
        let Some(active) = self.active.as_ref().filter(|active| active.bytes > 0) else {
            return first_lines(lines, self.rotate_bytes)
                .or_else(|| first_line(lines))
                .unwrap_or(lines.len());
        };
        let age_ms = self.now_unix_ms().saturating_sub(active.born_unix_ms);
        if self
            .rotate_age
            .is_some_and(|most| Duration::from_millis(age_ms) > most)
        {
            return 0;
        }
        first_lines(lines, self.rotate_bytes.saturating_sub(active.bytes)).unwrap_or(0)
    }

    /// Appends whole lines: all of them, or an error and none as far as the system lets us.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let active = self.active()?;
        let written = active.file.write_all(lines);
        match written {
            Ok(()) => active.bytes = active.bytes.saturating_add(lines.len() as u64),
            Err(_) => {
                // Best effort: what stays behind is dealt with when the file is opened again.
                _ = active.file.set_len(active.bytes);
                self.active = None;
            }
        }
        written
    }

    /// Appends the head of a new file, unless it would fill most of what a file may have.
    pub(super) fn begin(&mut self, head: &[u8]) -> io::Result<()> {
        let fits = (head.len() as u64).saturating_mul(2) < self.rotate_bytes;
        if head.is_empty() || !fits {
            return Ok(());
        }
        self.append(head)
    }

    /// Waits until everything appended is on disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.active()?.file.sync_data()
    }

    /// Gives the file its rotated name; the next append begins another. Compressing it is
    /// [`Rotation::tidy`]'s work.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        self.sync()?;
        let set_aside = self.rotation.set_aside(self.now_unix_ms());
        // Also after a failure: if the file was removed, a new one is created.
        self.active = None;
        set_aside
    }

    fn active(&mut self) -> io::Result<&mut Active> {
        let active = match self.active.take() {
            Some(active) => active,
            None => Active::open(self.rotation.active(), self.now_unix_ms())?,
        };
        Ok(self.active.insert(active))
    }

    fn now_unix_ms(&self) -> u64 {
        self.clock.unix_ms(self.clock.now())
    }
}

impl Active {
    fn open(path: &Path, now_unix_ms: u64) -> io::Result<Self> {
        let mut file = files::append(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(
                    io::ErrorKind::ResourceBusy,
                    "another process writes to it",
                ));
            }
            // A file system without locks: nothing to be done.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let mut bytes = file.seek(SeekFrom::End(0))?;
        if bytes > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                bytes = bytes.saturating_add(1);
            }
        }
        // Only a file that is taken up again has an age; it cannot be born after now.
        let born = born_unix_ms(&file).filter(|_| bytes > 0);
        Ok(Self {
            file,
            bytes,
            born_unix_ms: born.unwrap_or(now_unix_ms).min(now_unix_ms),
        })
    }
}

/// When the file was created, if the file system knows.
fn born_unix_ms(file: &File) -> Option<u64> {
    let since_epoch = file
        .metadata()
        .ok()?
        .created()
        .ok()?
        .duration_since(UNIX_EPOCH);
    since_epoch.ok().map(whole_ms)
}

/// The length of the longest run of whole lines within `room`, if there is one.
fn first_lines(lines: &[u8], room: u64) -> Option<usize> {
    let room = usize::try_from(room).unwrap_or(usize::MAX).min(lines.len());
    let last = lines.get(..room)?.iter().rposition(|&byte| byte == b'\n')?;
    Some(last + 1)
}

/// The length of the first line.
fn first_line(lines: &[u8]) -> Option<usize> {
    Some(lines.iter().position(|&byte| byte == b'\n')? + 1)
}
