//! Why a trace was refused: which file, which line, and what to do.

use std::path::PathBuf;

/// What is wrong with a trace, and where.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be opened or read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is none of the format.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it, with the remedy.
        problem: LineProblem,
    },
    /// There is no event in it.
    #[error("{}: holds no event of the format `{format}`; `--format` names another", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
        /// As what it was read.
        format: &'static str,
    },
    /// It has more of something than is kept in memory.
    #[error("{}:{line}: more than {most} {what}; cut it with `wastegate trace slice`", path.display())]
    TooMany {
        /// Which file.
        path: PathBuf,
        /// The line that went over.
        line: u64,
        /// Of what.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// A user column was named that the format does not have.
    #[error("`--user-column {given}`: this format has {known}")]
    Column {
        /// What was named.
        given: String,
        /// What there is.
        known: &'static str,
    },
}

/// What is wrong with one line.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LineProblem {
    /// It is longer than any line of a trace.
    #[error("longer than {0} bytes; is this a trace?")]
    TooLong(usize),
    /// It is not text.
    #[error("not UTF-8 text; is this a trace? Compressed files end in `.zst`")]
    NotText,
    /// It holds a NUL byte.
    #[error(
        "holds a NUL byte, as a file does that was being written when its machine stopped; cut it there"
    )]
    Nul,
    /// It is not JSON, or not of this shape.
    #[error("{0}")]
    Json(String),
    /// A field is missing.
    #[error("`{0}` is missing")]
    Missing(String),
    /// A field does not hold what it should.
    #[error("`{field}` is `{found}`; it has to be {expected}")]
    Field {
        /// Which field.
        field: String,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: String,
    },
    /// The kind is none that is known.
    #[error("there is no kind `{found}`; the nearest is `{nearest}`")]
    Kind {
        /// What it says.
        found: String,
        /// The kind that is spelled most like it.
        nearest: &'static str,
    },
    /// A line of a message log is not `src dst unixtime`.
    #[error("`{0}` is not `src dst unixtime`, separated by spaces, tabs or commas")]
    Message(String),
    /// It is earlier than one before it.
    #[error(
        "{back_ms} ms earlier than a line before it; {most_ms} ms are put in order, more has to be \
         sorted by time first"
    )]
    Unordered {
        /// By how much.
        back_ms: u64,
        /// How much is mended.
        most_ms: u64,
    },
    /// It lies in the future.
    #[error("`t_ms` {0} is in the year 3000 or later; times are milliseconds")]
    Future(u64),
    /// The table has no such column.
    #[error("the first line names no column `{0}`")]
    NoColumn(String),
}
