//! The files that a journal leaves beside its current one: named, compressed, and in the end
//! removed.
//!
//! A file goes through three names, each step a rename, so that a crash between any two leaves
//! something that [`Rotation::tidy`] recognises and finishes:
//!
//! ```text
//! NAME.ndjson                          being appended to
//! NAME.<unix_ms>-<seq>.ndjson          set aside, complete, not yet compressed
//! NAME.<unix_ms>-<seq>.ndjson.zst.tmp  half of a compressed copy; after a crash, rubbish
//! NAME.<unix_ms>-<seq>.ndjson.zst      compressed, complete, on disk
//! ```
//!
//! `seq` rises from file to file, also over restarts as long as one is kept, and it alone orders
//! them: the date is for people, and a machine's clock may be set back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use wastegate_files as files;

/// Zstandard's own default: lines of JSON become about a tenth.
const LEVEL: i32 = 3;
const PLAIN: &str = ".ndjson";
const PACKED: &str = ".ndjson.zst";
const HALF: &str = ".ndjson.zst.tmp";

/// The names beside one journal.
#[derive(Debug)]
pub(super) struct Rotation {
    active: PathBuf,
    folder: PathBuf,
    /// The file's name without `.ndjson`.
    name: String,
    keep: usize,
}

/// A file beside the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rotated {
    seq: u64,
    unix_ms: u64,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Plain,
    Packed,
    Half,
}

impl Rotation {
    /// For the journal at `active`, keeping so many rotated files. None if the path names no file.
    pub(super) fn new(active: &Path, keep: usize) -> Option<Self> {
        let file = active.file_name()?.to_str()?;
        let folder = match active.parent()? {
            here if here.as_os_str().is_empty() => Path::new("."),
            folder => folder,
        };
        Some(Self {
            active: active.to_owned(),
            folder: folder.to_owned(),
            name: file.strip_suffix(PLAIN).unwrap_or(file).to_owned(),
            keep,
        })
    }

    pub(super) fn active(&self) -> &Path {
        &self.active
    }

    /// Gives the current file its rotated name.
    pub(super) fn set_aside(&self, unix_ms: u64) -> io::Result<()> {
        let last = self.list()?.last().map_or(0, |file| file.seq);
        let file = Rotated {
            seq: last.saturating_add(1),
            unix_ms,
            form: Form::Plain,
        };
        fs::rename(&self.active, self.path(file))
    }

    /// Brings what is there into order, whatever was left: removes halves, compresses what is
    /// plain, and keeps the newest. Doing it twice is doing it once.
    pub(super) fn tidy(&self) -> io::Result<()> {
        let files = self.list()?;
        for &file in &files {
            match file.form {
                Form::Half => fs::remove_file(self.path(file))?,
                Form::Plain if self.is_surplus(file, &files) => {}
                Form::Plain => self.compress(file)?,
                Form::Packed => {}
            }
        }
        for file in self.list()? {
            if self.is_surplus(file, &files) {
                fs::remove_file(self.path(file))?;
            }
        }
        Ok(())
    }

    fn compress(&self, plain: Rotated) -> io::Result<()> {
        let [packed, half] = [Form::Packed, Form::Half].map(|form| Rotated { form, ..plain });
        // A packed one beside a plain one is complete: only the removal is missing.
        if !self.path(packed).exists() {
            let copied = self.copy_compressed(plain, half);
            if copied.is_err() {
                // Make room again, above all if room was what was missing.
                _ = fs::remove_file(self.path(half));
            }
            copied?;
            fs::rename(self.path(half), self.path(packed))?;
            files::sync_folder(&self.folder)?;
        }
        fs::remove_file(self.path(plain))
    }

    fn copy_compressed(&self, plain: Rotated, half: Rotated) -> io::Result<()> {
        let mut source = files::read(&self.path(plain))?;
        let target = files::create_new(&self.path(half))?;
        target.set_permissions(source.metadata()?.permissions())?;
        let mut encoder = zstd::Encoder::new(target, LEVEL)?;
        encoder.include_checksum(true)?;
        io::copy(&mut source, &mut encoder)?;
        encoder.finish()?.sync_all()
    }

    /// Whether there are enough newer ones to let this one go.
    fn is_surplus(&self, file: Rotated, files: &[Rotated]) -> bool {
        let mut newer: Vec<u64> = files.iter().map(|other| other.seq).collect();
        newer.retain(|seq| *seq > file.seq);
        newer.dedup();
        newer.len() >= self.keep
    }

    /// Everything beside the journal that is its own, oldest first.
    fn list(&self) -> io::Result<Vec<Rotated>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            files.extend(
                entry?
                    .file_name()
                    .to_str()
                    .and_then(|name| self.parse(name)),
            );
        }
        files.sort_unstable();
        Ok(files)
    }

    fn parse(&self, file_name: &str) -> Option<Rotated> {
        let rest = file_name.strip_prefix(&self.name)?.strip_prefix('.')?;
        let (unix_ms, rest) = rest.split_once('-')?;
        let (seq, _) = rest.split_once('.')?;
        let file = |form| {
            Some(Rotated {
                seq: seq.parse().ok()?,
                unix_ms: unix_ms.parse().ok()?,
                form,
            })
        };
        // Only names that we would give: no other file is ever touched.
        [Form::Plain, Form::Packed, Form::Half]
            .into_iter()
            .filter_map(file)
            .find(|file| self.file_name(*file) == file_name)
    }

    fn path(&self, file: Rotated) -> PathBuf {
        self.folder.join(self.file_name(file))
    }

    fn file_name(&self, file: Rotated) -> String {
        let Self { name, .. } = self;
        let Rotated { seq, unix_ms, form } = file;
        let end = match form {
            Form::Plain => PLAIN,
            Form::Packed => PACKED,
            Form::Half => HALF,
        };
        format!("{name}.{unix_ms}-{seq}{end}")
    }
}
