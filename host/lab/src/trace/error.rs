//! Why a trace was refused: which file, which line, and what to do.

use std::path::PathBuf;

use super::encoding::Foreign;

/// What is wrong with a trace, and where.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be opened or read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The path of the file, as it was given.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A line is none of the format.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The path of the file, as it was given.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it, with the remedy.
        problem: LineProblem,
    },
    /// It is no text.
    #[error("{}: {found}", path.display())]
    Foreign {
        /// The path of the file, as it was given.
        path: PathBuf,
        /// What it is, with the remedy.
        found: Foreign,
    },
    /// One file is named more than once: each of its events would count as several.
    #[error("{} is named twice; name every file once", .0.display())]
    Twice(PathBuf),
    /// There is nothing in it.
    #[error("{}: holds no {what}", path.display())]
    Empty {
        /// The path of the file, as it was given.
        path: PathBuf,
        /// What was looked for, with the remedy if there is one.
        what: &'static str,
    },
    /// It has more of something than is kept in memory.
    #[error("{}:{line}: more than {most} {what}; cut it with `wastegate trace slice`", path.display())]
    TooMany {
        /// The path of the file, as it was given.
        path: PathBuf,
        /// The line that went over.
        line: u64,
        /// The kind of thing that there is too much of.
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
    /// It begins with a byte order mark and is not the first.
    #[error("begins with a byte order mark, as where files were joined; take it away")]
    Mark,
    /// It holds a NUL byte.
    #[error(
        "holds a NUL byte, as a file does that was being written when its machine stopped; cut it there"
    )]
    Nul,
    /// It is not JSON, or not of this shape.
    #[error("{0}")]
    Json(String),
    /// It is a JSON list.
    #[error("a JSON list; write one object a line (`jq -c '.[]'`)")]
    List,
    /// A file of KONECT with weights and without times.
    #[error(
        "the first line says that this is a file of KONECT, and its third column is a weight: it has no times, so nothing can be replayed; take a network with times, or give `--time-unit` if the third column is one"
    )]
    NoTimes,
    /// A field is missing.
    #[error("`{0}` is missing")]
    Missing(String),
    /// The time is missing, under the names that it may have.
    #[error("`t_ms` is missing; the line has {0}")]
    NoTime(String),
    /// A field is there and empty.
    #[error("`{0}` is empty; give a name, or leave the line out")]
    Empty(String),
    /// Two fields say the same.
    #[error("`{0}` and `{1}` are both given; keep one")]
    Both(&'static str, &'static str),
    /// A field does not hold what it should.
    #[error("`{field}` is `{found}`; it has to be {expected}")]
    Field {
        /// The name of the field, as the file has it.
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
    /// A line of a message log has another number of fields than those before it.
    #[error(
        "`{line}` has {found} fields, and the lines before it have {expected}; mend or remove it"
    )]
    MessageFields {
        /// How it begins.
        line: String,
        /// How many it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// A line of a message log has four fields, and it is not clear which of them is the time.
    #[error(
        "`{0}` has four fields, and the last two may both be the time, or the third alone; keep `src dst \
         unixtime`, or `src dst weight unixtime`"
    )]
    TwoTimes(String),
    /// The first line of a message log begins with what may be its time, and ends with what may not.
    #[error(
        "`{0}` may begin with the time, where a message is `src dst unixtime`; name the columns in a first \
         line, such as `time src dst`"
    )]
    TimeFirst(String),
    /// A line of a message log begins as a comment does and reads as a message.
    #[error(
        "`{0}` begins like a comment and reads as a message; put a blank behind the mark of a comment, or \
         take the mark off the name"
    )]
    Comment(String),
    /// The first line names columns, and none that we know.
    #[error("the first line names {0}; {COLUMNS}")]
    Columns(String),
    /// A record has another number of fields than its table has columns.
    #[error(
        "{found} fields, and the first line names {expected} columns; a field that holds {separator} has \
         to stand in quotes (RFC 4180)"
    )]
    Fields {
        /// How many it has.
        found: usize,
        /// How many it should have.
        expected: usize,
        /// What separates them.
        separator: &'static str,
    },
    /// A record has more fields than any.
    #[error("more than {0} fields; is this a trace?")]
    TooManyFields(usize),
    /// A quote stands inside a field.
    #[error(
        "a quote stands inside a field; put the whole field in quotes, with no blank around them, and \
         double the quotes in it (RFC 4180)"
    )]
    Quote,
    /// A quote is opened and never closed.
    #[error("a quote is opened here and never closed")]
    Unclosed,
    /// There is a carriage return inside a line.
    #[error("a carriage return inside the line; end lines with a line feed (`tr '\\r' '\\n'`)")]
    CarriageReturn,
    /// It is earlier than one before it.
    #[error(
        "{back_ms} ms earlier than a line before it; {most_ms} ms are put in order, more has to be \
         sorted by time first, or by `--sort`"
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
    /// It is implausible in the unit that it was taken for, and plausible in another.
    #[error("{0}")]
    Unit(Box<Implausible>),
    /// The table has no such column.
    #[error("the first line names no column `{wanted}`, but {found}; {COLUMNS}")]
    NoColumn {
        /// The name that was asked for.
        wanted: String,
        /// Which there are.
        found: String,
    },
    /// Two columns of a table hold the same.
    #[error("the first line names `{0}` and `{1}`, which are one column; keep one")]
    Doubled(String, String),
    /// Nothing says what a column of times counts.
    #[error(
        "the column `{0}` does not say what it counts; call it `t_ms` if that is milliseconds, or give \
         `--time-unit s`, `ms`, `us` or `ns`"
    )]
    NoUnit(String),
}

/// A time that is implausible in the unit that it was taken for, and plausible in another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{field}` `{found}` taken as {taken} is {taken_date}, and as {better} {better_date}: give \
     `--time-unit {option}`, or `--time-unit {keep}` if it is right as it is"
)]
pub struct Implausible {
    /// The name of the field, as the file has it.
    pub field: String,
    /// What it holds.
    pub found: String,
    /// The unit that it was taken for.
    pub taken: &'static str,
    /// Which day that is.
    pub taken_date: String,
    /// The unit that fits.
    pub better: &'static str,
    /// Which day that would be.
    pub better_date: String,
    /// That unit, as the option has it.
    pub option: &'static str,
    /// The unit that it was taken for, as the option has it.
    pub keep: &'static str,
}

/// Which columns a first line may name.
const COLUMNS: &str = "a table of events needs `t_ms`, `user` and `key` (or `session`), a message log \
                       `src`, `dst` and `time`";
