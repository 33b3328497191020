//! The experiments' memory on disk: lines that are only ever added.
//!
//! Every line carries a checksum. A line that a crash cut short is taken away at the next start, and
//! nothing before it is lost; a damaged line in the middle is told and skipped. When the file has grown
//! to [`LEDGER_BYTES_MAX`] it is written anew with what still counts, beside the old one, and takes its
//! place in one step.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::entry::LedgerEntry;
use wastegate_files as files;

/// Bytes of the file from which on it is written anew.
pub const LEDGER_BYTES_MAX: u64 = 64 << 20;
/// The file, in the state directory.
pub const FILE_NAME: &str = "experiments.jsonl";
/// Damaged lines that are told one by one.
const REPORTED_MAX: usize = 8;

/// The file, or nothing where nothing is kept.
#[derive(Debug, Default)]
pub struct ExperimentLedger {
    on_disk: Option<OnDisk>,
}

#[derive(Debug)]
struct OnDisk {
    path: PathBuf,
    file: File,
    bytes: u64,
}

/// What a file held.
#[derive(Debug, Default)]
pub struct StoredEntries {
    /// Its entries, in order.
    pub entries: Vec<LedgerEntry>,
    /// What was wrong with it, as sentences.
    pub problems: Vec<String>,
    /// Lines that are skipped because they are damaged.
    pub damaged: usize,
}

impl ExperimentLedger {
    /// The one in a state directory.
    ///
    /// # Errors
    /// When it cannot be read or opened for writing.
    pub fn open(folder: &Path) -> io::Result<(Self, StoredEntries)> {
        files::make_folder(folder)?;
        let path = folder.join(FILE_NAME);
        let mut bytes = Vec::new();
        let opened = files::read(&path).and_then(|mut file| file.read_to_end(&mut bytes));
        let bytes = match opened {
            Ok(_) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let (lines, torn) = bytes.split_at(whole);
        let mut found = read(&path, lines);
        let file = files::append_state(&path)?;
        if !torn.is_empty() {
            found.problems.push(format!(
                "{}: the last line was cut short by a crash and is taken away; nothing before it is lost",
                path.display()
            ));
            file.set_len(whole as u64)?;
        }
        let on_disk = OnDisk {
            path,
            file,
            bytes: whole as u64,
        };
        Ok((
            Self {
                on_disk: Some(on_disk),
            },
            found,
        ))
    }

    /// Whether anything outlives the process.
    #[must_use]
    pub const fn is_durable(&self) -> bool {
        self.on_disk.is_some()
    }

    /// Whether it is time to write it anew.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.on_disk
            .as_ref()
            .is_some_and(|on_disk| on_disk.bytes >= LEDGER_BYTES_MAX)
    }

    /// Adds lines: with the system when this returns, so that they outlive the process.
    ///
    /// # Errors
    /// When the disk does not take them.
    pub fn append(&mut self, entries: &[LedgerEntry]) -> io::Result<()> {
        let Some(on_disk) = &mut self.on_disk else {
            return Ok(());
        };
        let mut text = String::new();
        for entry in entries {
            text.push_str(&entry.line()?);
        }
        match on_disk.file.write_all(text.as_bytes()) {
            Ok(()) => on_disk.bytes = on_disk.bytes.saturating_add(text.len() as u64),
            Err(error) => {
                // Half a line would spoil the next one.
                on_disk.file.set_len(on_disk.bytes)?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// The file, to wait for the disk with while others add lines.
    ///
    /// # Errors
    /// When the system has no descriptor to give.
    pub fn file(&self) -> io::Result<Option<File>> {
        let file = self
            .on_disk
            .as_ref()
            .map(|on_disk| on_disk.file.try_clone());
        file.transpose()
    }

    /// Takes the disk away, or gives it back.
    #[cfg(test)]
    pub(super) fn set_writable(&mut self, is_writable: bool) {
        if let Some(on_disk) = &mut self.on_disk {
            on_disk.file = if is_writable {
                files::append_state(&on_disk.path).unwrap()
            } else {
                File::open(&on_disk.path).unwrap()
            };
        }
    }

    /// Writes the file anew with only these entries.
    ///
    /// # Errors
    /// When the disk does not take them; then the old file stays.
    pub fn rewrite(&mut self, entries: &[LedgerEntry]) -> io::Result<()> {
        let Some(on_disk) = &mut self.on_disk else {
            return Ok(());
        };
        let mut bytes = 0_u64;
        files::replace(&on_disk.path, |file| {
            for entry in entries {
                let line = entry.line()?;
                file.write_all(line.as_bytes())?;
                bytes = bytes.saturating_add(line.len() as u64);
            }
            Ok(())
        })?;
        on_disk.file = files::append_state(&on_disk.path)?;
        on_disk.bytes = bytes;
        Ok(())
    }
}

fn read(path: &Path, lines: &[u8]) -> StoredEntries {
    let mut found = StoredEntries::default();
    let mut damaged = 0;
    for (number, line) in (1..).zip(lines.split(|byte| *byte == b'\n')) {
        if line.is_empty() {
            continue;
        }
        match LedgerEntry::parse(&String::from_utf8_lossy(line)) {
            Ok(entry) => found.entries.push(entry),
            Err(error) => {
                damaged += 1;
                if damaged <= REPORTED_MAX {
                    let path = path.display();
                    found
                        .problems
                        .push(format!("{path}, line {number}, is skipped: {error}"));
                }
            }
        }
    }
    found.damaged = damaged;
    if damaged > REPORTED_MAX {
        found.problems.push(format!(
            "{}: {damaged} lines in all are skipped",
            path.display()
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::experiment::testing::{entries, exposed};

    fn written(folder: &Path) -> Vec<u8> {
        let (mut ledger, found) = ExperimentLedger::open(folder).unwrap();
        assert!(found.entries.is_empty() && found.problems.is_empty());
        for entry in entries() {
            ledger.append(&[entry]).unwrap();
        }
        fs::read(folder.join(FILE_NAME)).unwrap()
    }

    /// A crash in the middle of a write, at every byte of the file: whole lines are kept, and what is
    /// written next is whole.
    #[test]
    fn nothing_whole_is_lost_wherever_a_crash_cuts() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = written(folder.path());
        let path = folder.path().join(FILE_NAME);
        let all = entries();
        for cut in 0..=bytes.len() {
            fs::write(&path, &bytes[..cut]).unwrap();
            let whole = bytes[..cut].iter().filter(|byte| **byte == b'\n').count();
            let (mut ledger, found) = ExperimentLedger::open(folder.path()).unwrap();
            assert_eq!(found.entries, all[..whole], "cut at {cut}");
            let torn = cut > 0 && bytes[cut - 1] != b'\n';
            assert_eq!(found.problems.len(), usize::from(torn), "cut at {cut}");
            ledger.append(&[exposed(99)]).unwrap();
            let (_, found) = ExperimentLedger::open(folder.path()).unwrap();
            assert_eq!(found.entries.len(), whole + 1, "cut at {cut}");
            assert!(found.problems.is_empty(), "cut at {cut}");
        }
    }

    #[test]
    fn a_damaged_line_is_told_and_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = written(folder.path());
        let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 40;
        bytes[second] ^= 1;
        fs::write(folder.path().join(FILE_NAME), bytes).unwrap();
        let (_, found) = ExperimentLedger::open(folder.path()).unwrap();
        assert_eq!(
            (found.entries.len(), found.damaged),
            (entries().len() - 1, 1)
        );
        let [problem] = &found.problems[..] else {
            panic!("{:?}", found.problems)
        };
        assert!(
            problem.contains("line 2") && problem.contains("checksum"),
            "{problem}"
        );
    }

    #[test]
    fn written_anew_it_holds_what_counts() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let (mut ledger, _) = ExperimentLedger::open(folder.path()).unwrap();
        ledger.rewrite(&entries()[..2]).unwrap();
        ledger.append(&[exposed(7)]).unwrap();
        ledger.file().unwrap().unwrap().sync_data().unwrap();
        let (_, found) = ExperimentLedger::open(folder.path()).unwrap();
        assert_eq!(found.entries[..2], entries()[..2]);
        assert_eq!(found.entries[2], exposed(7));
        assert!(
            ExperimentLedger::default().append(&entries()).is_ok(),
            "in memory only"
        );
    }
}
