//! Reading traces: from files of any of the forms, in one go, with the place of every mistake.
//!
//! What is not of the form is refused, with the file, the line and the remedy; what is left out is in
//! [`LoadedTrace`]. Nothing is guessed where a guess could be wrong: what was chosen is in [`LoadedTrace`] too.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::builder::TraceBuilder;
use super::clock::TimeUnit;
use super::error::TraceError;
use super::event::Trace;
use super::file::FileReader;
use super::lines::{Lines, cannot_read};
use super::settings::RecorderSettings;

pub use super::lines::LINE_BYTES_MAX;

/// Which form a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Whatever its first line looks like.
    #[default]
    Auto,
    /// JSON lines, or a table with a header, of canonical events.
    Canonical,
    /// `src dst unixtime`.
    Messages,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Self::Auto),
            "canonical" => Ok(Self::Canonical),
            "messages" => Ok(Self::Messages),
            other => Err(format!(
                "`{other}` is no format; there are `canonical`, `messages` and `auto`"
            )),
        }
    }
}

/// How to read.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The form that the file was taken as.
    pub format: Format,
    /// Which column is the user: a field's name in the canonical form (`user` by default); `src`,
    /// `dst` or `both` in a message log.
    pub user_column: Option<String>,
    /// What times count, in place of what the columns' names and the form say.
    pub time_unit: Option<TimeUnit>,
    /// Put lines in order, however far back one lies.
    pub sort: bool,
}

impl Reading {
    /// The name of the user's field in the canonical form.
    pub(super) fn user(&self) -> &str {
        self.user_column.as_deref().unwrap_or("user")
    }

    fn builder(&self) -> TraceBuilder {
        if self.sort {
            TraceBuilder::sorting()
        } else {
            TraceBuilder::default()
        }
    }
}

/// A trace with what was noticed on the way.
#[derive(Debug, Default)]
pub struct LoadedTrace {
    /// All events of the files, in the order of time.
    pub trace: Trace,
    /// The rules that it was recorded by, as the first file says.
    pub settings: Option<RecorderSettings>,
    /// Events that the recorder had to drop, as far as it counted them.
    pub dropped: u64,
    /// Files whose last line was cut off in the middle, and the number of that line. The line is
    /// left out.
    pub cut_off: Vec<(PathBuf, u64)>,
    /// What each file was taken as: its form, its columns, and what its times count.
    pub taken: Vec<(PathBuf, String)>,
    /// What of a file is not read, or may be other than it looks: sentences for people.
    pub remarks: Vec<String>,
}

impl From<Trace> for LoadedTrace {
    /// A trace of which no more is known.
    fn from(trace: Trace) -> Self {
        Self {
            trace,
            ..Self::default()
        }
    }
}

/// Reads files as one trace, in the order given.
///
/// # Errors
/// [`TraceError`] with the file, the line and the remedy.
pub fn read(paths: &[PathBuf], reading: &Reading) -> Result<LoadedTrace, TraceError> {
    distinct(paths)?;
    let mut loaded = LoadedTrace::default();
    let mut builder = reading.builder();
    for path in paths {
        let file = File::open(path).map_err(|source| cannot_read(path, source))?;
        FileReader::new(Lines::new(path, file)?, reading).read(&mut builder, &mut loaded)?;
    }
    loaded.trace = builder.build();
    Ok(loaded)
}

/// Reads one trace from anything that can be read; `name` stands for the file in errors.
///
/// # Errors
/// [`TraceError`] with the line and the remedy.
pub fn read_from(
    name: &Path,
    source: impl Read,
    reading: &Reading,
) -> Result<LoadedTrace, TraceError> {
    let mut loaded = LoadedTrace::default();
    let mut builder = reading.builder();
    FileReader::new(Lines::new(name, source)?, reading).read(&mut builder, &mut loaded)?;
    loaded.trace = builder.build();
    Ok(loaded)
}

/// Fails where a file is named twice, by whatever path.
///
/// # Errors
/// [`TraceError::Twice`].
pub fn distinct(paths: &[PathBuf]) -> Result<(), TraceError> {
    match repeated(paths) {
        Some(path) => Err(TraceError::Twice(path.clone())),
        None => Ok(()),
    }
}

/// The first path that leads to the file of one before it.
pub(crate) fn repeated(paths: &[PathBuf]) -> Option<&PathBuf> {
    let mut seen: HashSet<PathBuf> = HashSet::with_capacity(paths.len());
    // What cannot be resolved cannot be opened either, which is told then.
    let is_again = |path: &&PathBuf| path.canonicalize().is_ok_and(|file| !seen.insert(file));
    paths.iter().find(is_again)
}
