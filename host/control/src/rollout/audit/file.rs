//! The audit log on disk: a line an entry, on disk before it counts, bounded by rotation.
//!
//! `audit.jsonl` is appended to; when it is full it becomes `audit.1.jsonl`, that one `audit.2.jsonl`,
//! and the oldest is removed. A line that a crash cut short is ended, so that the next one is whole.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::RECENT_MAX;
use super::entry::AuditEntry;
use wastegate_files as files;

/// Bytes of one file; a line that would go beyond starts the next.
pub const AUDIT_FILE_BYTES_MAX: u64 = 4 << 20;
/// Full files that are kept besides the current one.
pub const AUDIT_FILES_KEPT: usize = 4;

#[derive(Debug)]
pub(super) struct AuditFile {
    folder: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
}

impl AuditFile {
    /// Opens the file for appending. With it its last entries, oldest first, and what was wrong.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, Vec<AuditEntry>, Vec<String>)> {
        let (mut entries, mut problems) = (Vec::new(), Vec::new());
        // The current one may just have been started: the one before it counts too.
        for path in [name(folder, 1), name(folder, 0)] {
            match read(&path) {
                Ok(text) => parse(&path, &text, &mut entries, &mut problems),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => problems.push(format!("{}: {error}", path.display())),
            }
        }
        let surplus = entries.len().saturating_sub(RECENT_MAX);
        entries.drain(..surplus);
        let path = name(folder, 0);
        let mut file = files::append_state(&path)?;
        let bytes = file.metadata()?.len();
        let ends_well = bytes == 0 || {
            file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            last == *b"\n"
        };
        if !ends_well {
            file.write_all(b"\n")?;
        }
        let this = Self {
            folder: folder.to_owned(),
            file,
            bytes,
            bytes_max: AUDIT_FILE_BYTES_MAX,
        };
        Ok((this, entries, problems))
    }

    /// Writes one line and waits until it is on disk.
    pub(super) fn append(&mut self, entry: &AuditEntry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.bytes > 0 && self.bytes.saturating_add(length) > self.bytes_max {
            self.rotate()?;
        }
        self.file.write_all(&line)?;
        self.bytes = self.bytes.saturating_add(length);
        self.file.sync_data()
    }

    fn rotate(&mut self) -> io::Result<()> {
        for older in (0..AUDIT_FILES_KEPT).rev() {
            let from = name(&self.folder, older);
            match fs::rename(&from, name(&self.folder, older + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        self.file = files::append_state(&name(&self.folder, 0))?;
        self.bytes = 0;
        files::sync_folder(&self.folder)
    }

    #[cfg(test)]
    pub(super) fn with_bytes_max(mut self, bytes_max: u64) -> Self {
        self.bytes_max = bytes_max;
        self
    }
}

/// The current file, or the one that was full so many files ago.
pub(super) fn name(folder: &Path, age: usize) -> PathBuf {
    folder.join(match age {
        0 => "audit.jsonl".to_owned(),
        age => format!("audit.{age}.jsonl"),
    })
}

/// The end of a file, no more than a full file has.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = files::read(path)?;
    let bytes = file.metadata()?.len();
    file.seek(SeekFrom::Start(bytes.saturating_sub(AUDIT_FILE_BYTES_MAX)))?;
    let mut text = Vec::new();
    file.take(AUDIT_FILE_BYTES_MAX).read_to_end(&mut text)?;
    Ok(text)
}

/// Every line that is an entry; how many are none is said once a file.
fn parse(path: &Path, text: &[u8], entries: &mut Vec<AuditEntry>, problems: &mut Vec<String>) {
    let lines = text.split(|byte| *byte == b'\n');
    let mut unreadable = 0_u32;
    for line in lines.filter(|line| !line.is_empty()) {
        match serde_json::from_slice::<AuditEntry>(line) {
            // Numbers that do not rise are lines that the gateway did not write.
            Ok(entry) if entries.last().is_none_or(|last| last.seq < entry.seq) => {
                entries.push(entry);
            }
            Ok(_) | Err(_) => unreadable += 1,
        }
    }
    if unreadable > 0 {
        problems.push(format!(
            "{}: {unreadable} lines are no entries of the audit log, perhaps cut short by a crash; they are left as they are",
            path.display()
        ));
    }
}
