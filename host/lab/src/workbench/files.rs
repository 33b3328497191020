//! Files of snapshots and cases: which form one has, read by what is in it and not by its name, and
//! where in it a mistake is.
//!
//! A file holds one JSON object, or one a line as a server's journals do, plain or zstd. What comes
//! out is always a [`Case`]: a snapshot is a case that expects an answer.

mod error;
mod shape;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

pub use error::FileError;
use error::Problem;
use serde::de::DeserializeOwned;

use self::shape::Shape;
use super::case::{Case, CaseOrigin, CaseParams, Draft, Expect, Where};
use super::snapshot::RecordedSnapshot;
use super::snapshot::foreign::{self, Foreign, Record, UserView};
use crate::trace::encoding::{self, Opened};
use wastegate_engine::policy::TestCase;

/// Bytes of one JSON object: a snapshot of a hundred thousand rows with every signal fits.
pub(crate) const OBJECT_BYTES_MAX: u64 = 128 << 20;

/// How deep folders may lie in one another.
pub const DEPTH_MAX: usize = 16;

/// Files that a folder may hold in all.
pub const FILES_MAX: usize = 100_000;

/// The objects of a file, in its order, not looked into yet. Reads as it goes.
pub struct Objects {
    path: PathBuf,
    source: Source,
}

/// One object of a file.
#[derive(Debug)]
pub struct Object {
    path: PathBuf,
    bytes: Vec<u8>,
    /// In which line it begins, from 1; 0 where it is the whole file.
    line: usize,
}

enum Source {
    /// One object, or what is left of none.
    Whole(Option<Vec<u8>>),
    /// One object a line.
    Lines {
        reader: Box<dyn BufRead>,
        line: usize,
    },
}

/// The one case of a file; of a journal, its first.
///
/// # Errors
/// [`FileError`] with the place and what is wrong there.
pub fn read(path: &Path) -> Result<Case, FileError> {
    for object in open(path)? {
        if let Some(case) = object?.case()? {
            return Ok(case);
        }
    }
    Err(FileError::Empty(path.to_owned()))
}

/// Opens a file of one case or many.
///
/// # Errors
/// [`FileError::Unreadable`], or [`FileError::TooLarge`] where it is one object that is too large.
pub fn open(path: &Path) -> Result<Objects, FileError> {
    let unreadable = |source| FileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let opened = encoding::opened(file).map_err(unreadable)?;
    let Opened { reader, is_packed } = opened.map_err(|found| FileError::Wrong {
        path: path.to_owned(),
        what: found.to_string(),
    })?;
    let lines = |reader| Source::Lines { reader, line: 0 };
    let source = if is_packed || named_as_lines(path) {
        lines(reader)
    } else {
        let mut bytes = Vec::new();
        let mut limited = reader.take(OBJECT_BYTES_MAX + 1);
        limited.read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > OBJECT_BYTES_MAX {
            return Err(FileError::TooLarge {
                path: path.to_owned(),
                max: OBJECT_BYTES_MAX,
            });
        }
        if bytes.trim_ascii().is_empty() {
            Source::Whole(None)
        } else if shape::is_one(&bytes) {
            Source::Whole(Some(bytes))
        } else {
            lines(Box::new(io::Cursor::new(bytes)))
        }
    };
    let path = path.to_owned();
    Ok(Objects { path, source })
}

/// The files below a folder whose names `wanted` takes, in the order of their paths. Hidden files
/// and folders are left out, and links to folders are not followed.
///
/// # Errors
/// [`FileError`] when a folder cannot be read, is too deep, or holds too many files.
pub fn walk(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, FileError> {
    let mut found = Vec::new();
    let mut waiting = VecDeque::from([(folder.to_owned(), 0)]);
    while let Some((folder, depth)) = waiting.pop_front() {
        let unreadable = |source| FileError::Unreadable {
            path: folder.clone(),
            source,
        };
        if depth > DEPTH_MAX {
            return Err(FileError::TooDeep(folder));
        }
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let (kind, name) = (entry.file_type().map_err(unreadable)?, entry.file_name());
            let name = name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            if kind.is_dir() {
                waiting.push_back((entry.path(), depth + 1));
            } else if wanted(&name) {
                found.push(entry.path());
            }
            if found.len() + waiting.len() > FILES_MAX {
                return Err(FileError::TooMany(folder));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Whether a name is that of a journal.
#[must_use]
pub(crate) fn named_as_lines(path: &Path) -> bool {
    let name = path.to_string_lossy();
    [".jsonl", ".ndjson", ".zst"]
        .iter()
        .any(|end| name.ends_with(end))
}

impl Iterator for Objects {
    type Item = Result<Object, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (bytes, line) = match &mut self.source {
            Source::Whole(bytes) => (bytes.take()?, 0),
            Source::Lines { reader, line } => loop {
                *line += 1;
                match next_line(reader) {
                    Ok(None) => return None,
                    Ok(Some(bytes)) if bytes.trim_ascii().is_empty() => {}
                    Ok(Some(bytes)) => break (bytes, *line),
                    Err(error) => return Some(Err(self.broken(error))),
                }
            },
        };
        let path = self.path.clone();
        Some(Ok(Object { path, bytes, line }))
    }
}

impl Object {
    /// Its size, bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// As it stands in the file.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.bytes
    }

    /// What to call it: its file, and its line where that has several.
    #[must_use]
    pub fn name(&self) -> String {
        match self.line {
            0 => self.path.display().to_string(),
            line => format!("{}:{line}", self.path.display()),
        }
    }

    /// The case that it is; none for a journal's own marks: lines were dropped there, or a crash
    /// tore one.
    ///
    /// # Errors
    /// [`FileError`] with the place and what is wrong there.
    pub fn case(&self) -> Result<Option<Case>, FileError> {
        match case(&self.bytes, &self.path) {
            Ok(case) => Ok(Some(case)),
            Err(Problem::Gap | Problem::Torn(_)) if self.line > 0 => Ok(None),
            Err(problem) => Err(problem.at(&self.path, self.line)),
        }
    }
}

impl Objects {
    /// Nothing more can be read.
    fn broken(&mut self, source: io::Error) -> FileError {
        let path = self.path.clone();
        self.source = Source::Whole(None);
        if source.kind() == io::ErrorKind::FileTooLarge {
            let max = OBJECT_BYTES_MAX;
            return FileError::TooLarge { path, max };
        }
        FileError::Unreadable { path, source }
    }
}

fn next_line(reader: &mut dyn BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    reader
        .take(OBJECT_BYTES_MAX + 1)
        .read_until(b'\n', &mut line)?;
    if line.len() as u64 > OBJECT_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok((!line.is_empty()).then_some(line))
}

/// One object as a case, whatever it is.
fn case(bytes: &[u8], path: &Path) -> Result<Case, Problem> {
    let bare = |snapshot, origin| Case {
        about: None,
        snapshot,
        params: CaseParams::Named(Default::default()),
        expect: Expect::default(),
        origin,
    };
    Ok(match Shape::of(bytes)? {
        Shape::Case => written(bytes, path)?,
        Shape::Snapshot => bare(serde_json::from_slice(bytes)?, CaseOrigin::Snapshot),
        Shape::Record => {
            let record: Record = parsed(bytes, "a line of a decision journal")?;
            let (decision, signals) = (record.id, record.recorded()?);
            bare(record.snapshot()?, CaseOrigin::Record { decision, signals })
        }
        Shape::User => {
            let view: UserView = parsed(bytes, "an answer of GET /v1/users/USER")?;
            bare(view.snapshot()?, CaseOrigin::User)
        }
        Shape::Fault => fault(&parsed(bytes, "a captured fault")?)?,
        Shape::Activity => return Err(Problem::Activity),
        Shape::Refusal(message) => return Err(Problem::Refusal(message)),
        Shape::Gap => return Err(Problem::Gap),
    })
}

/// What a server wrote, or what of it does not fit its form.
fn parsed<T: DeserializeOwned>(bytes: &[u8], form: &'static str) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::Unfit(form, error))
}

fn fault(case: &TestCase) -> Result<Case, Foreign> {
    Ok(Case {
        about: Some(format!("`{}` once {}", case.policy, case.fault)),
        snapshot: foreign::fault(case)?,
        params: CaseParams::Captured(case.params.clone()),
        expect: Expect::default(),
        origin: CaseOrigin::Fault {
            policy: case.policy.clone(),
            fault: case.fault.clone(),
            signals: foreign::recorded(case)?,
        },
    })
}

/// A case that a person wrote, with the snapshot that it names.
fn written(bytes: &[u8], path: &Path) -> Result<Case, Problem> {
    let mut draft: Draft = serde_json::from_slice(bytes)?;
    let elsewhere = Where::In(PathBuf::new());
    let snapshot = match std::mem::replace(&mut draft.snapshot, elsewhere) {
        Where::Here(snapshot) => *snapshot,
        Where::In(file) => named(&path.with_file_name("").join(file))?,
    };
    draft.finish(snapshot).map_err(Problem::Row)
}

fn named(path: &Path) -> Result<RecordedSnapshot, Problem> {
    match read_bare(path) {
        Ok(None) => Err(Problem::NotASnapshot(path.to_owned())),
        Ok(Some(snapshot)) => Ok(snapshot),
        Err(error) => Err(Problem::Named(Box::new(error))),
    }
}

/// The first snapshot of a file; none if it is a case, which is not read, so that no case can name
/// itself.
fn read_bare(path: &Path) -> Result<Option<RecordedSnapshot>, FileError> {
    for object in open(path)? {
        let object = object?;
        if matches!(Shape::of(&object.bytes), Ok(Shape::Case)) {
            return Ok(None);
        }
        if let Some(case) = object.case()? {
            return Ok(Some(case.snapshot));
        }
    }
    Err(FileError::Empty(path.to_owned()))
}

#[cfg(test)]
mod tests;
