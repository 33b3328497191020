//! Why a file is no snapshot and no case: the place, what is wrong there, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use super::{DEPTH_MAX, FILES_MAX};
use crate::workbench::snapshot::foreign::Foreign;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system does not give it.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The path of the file or folder, as it was given.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// One of its objects is too large.
    #[error("{} has an object of more than {max} bytes (OBJECT_BYTES_MAX); it is no snapshot", path.display())]
    TooLarge {
        /// The path of the file or folder, as it was given.
        path: PathBuf,
        /// The limit, bytes.
        max: u64,
    },
    /// It holds nothing.
    #[error("{} holds no snapshot", .0.display())]
    Empty(PathBuf),
    /// Folders lie too deep in one another.
    #[error("{} is more than {DEPTH_MAX} folders deep (DEPTH_MAX); name a folder nearer to the files", .0.display())]
    TooDeep(PathBuf),
    /// Too many files.
    #[error("{} brings it to more than {FILES_MAX} files (FILES_MAX); name a smaller folder", .0.display())]
    TooMany(PathBuf),
    /// Something is wrong at one place.
    #[error("{}:{line}:{column}: {what}", path.display())]
    Malformed {
        /// In which file.
        path: PathBuf,
        /// In which line, from 1.
        line: usize,
        /// At or just before which column, from 1.
        column: usize,
        /// What is wrong, and what belongs there.
        what: String,
    },
    /// Something is wrong with it as a whole.
    #[error("{}: {what}", path.display())]
    Wrong {
        /// The path of the file or folder, as it was given.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
}

/// What is wrong with one object, before it is known where it lies.
#[derive(Debug)]
pub(super) enum Problem {
    /// It is JSON and no snapshot.
    Unusable(serde_json::Error),
    /// It has a server's form, and does not fit it.
    Unfit(&'static str, serde_json::Error),
    /// It is no JSON: as a line of a journal, what a crash tore.
    Torn(serde_json::Error),
    /// A server's own form, and damaged.
    Foreign(Foreign),
    /// An expectation names a row that there is none of.
    Row(String),
    /// The snapshot that a case names.
    Named(Box<FileError>),
    /// A case names a case.
    NotASnapshot(PathBuf),
    /// Events, not decisions.
    Activity,
    /// What a server said instead of an answer.
    Refusal(String),
    /// A journal's mark.
    Gap,
}

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Self {
        match error.classify() {
            serde_json::error::Category::Data => Self::Unusable(error),
            serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof
            | serde_json::error::Category::Io => Self::Torn(error),
        }
    }
}

impl From<Foreign> for Problem {
    fn from(error: Foreign) -> Self {
        Self::Foreign(error)
    }
}

impl Problem {
    /// The error of a file, whose object began at that line; 0 where it is the whole file.
    pub(super) fn at(self, path: &Path, line: usize) -> FileError {
        let what = match self {
            Self::Unusable(error) => return malformed(path, line, &error, ""),
            Self::Unfit(form, error) => {
                return malformed(path, line, &error, &format!("as {form}: "));
            }
            Self::Torn(error) => return malformed(path, line, &error, "this is not JSON: "),
            Self::Named(error) => match *error {
                FileError::Unreadable { path, source } => {
                    format!("`snapshot` names {}, which cannot be read: {source}", path.display())
                }
                FileError::Empty(path) => {
                    format!("`snapshot` names {}, which holds no snapshot", path.display())
                }
                elsewhere => return elsewhere,
            },
            Self::Foreign(error) => error.to_string(),
            Self::Row(what) => what,
            Self::NotASnapshot(named) => format!(
                "`snapshot` names {}, which is a case; name the file of a snapshot",
                named.display()
            ),
            Self::Activity => "this is an activity stream: it tells what happened and not what was \
                               decided on, so there is no snapshot in it; give the decision journal \
                               (`observe.decisions.path` of the server's configuration)"
                .to_owned(),
            Self::Refusal(message) => format!(
                "this is no snapshot but what a server said: {message:?}; ask it again, e.g. `curl \
                 --fail` on GET /v1/users/USER of its admin listener"
            ),
            Self::Gap => "a journal's mark that lines were dropped, and no snapshot".to_owned(),
        };
        let path = path.to_owned();
        if line == 0 {
            return FileError::Wrong { path, what };
        }
        let column = 1;
        FileError::Malformed {
            path,
            line,
            column,
            what,
        }
    }
}

fn malformed(path: &Path, line: usize, error: &serde_json::Error, before: &str) -> FileError {
    let sentence = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let sentence = sentence.strip_suffix(&place).unwrap_or(&sentence);
    let sentence = plainly(sentence);
    // The parser calls it a mistake of syntax.
    let range = sentence.starts_with("number out of range");
    let (before, behind) = if range {
        ("", "; null says that a value is unknown")
    } else {
        (before, "")
    };
    FileError::Malformed {
        path: path.to_owned(),
        line: error.line() + line.saturating_sub(1),
        column: error.column(),
        what: format!("{before}{sentence}{behind}"),
    }
}

/// The parser's words for what it found, in ours.
fn plainly(sentence: &str) -> String {
    let Some((found, expected)) = sentence
        .strip_prefix("invalid type: ")
        .and_then(|sentence| sentence.split_once(", expected "))
    else {
        return sentence.to_owned();
    };
    let found = match found {
        "sequence" => "a list",
        "map" => "an object",
        "unit value" => "null",
        other => other
            .split_once(' ')
            .map_or(other, |(_, value)| value.trim_matches('`')),
    };
    format!("expected {expected}, and found {found}")
}
