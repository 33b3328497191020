//! What can go wrong in this room, each with what an operator needs to mend it.
//!
//! Only starting and closing can fail. In between, a failing disk is counted and retried: it is
//! never an error that reaches whoever is being observed.

use std::io;
use std::path::PathBuf;

/// Why something in this room could not be started or closed.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
#[non_exhaustive]
pub enum Error {
    /// The log filter does not parse.
    #[error("log filter `{filter}` is not valid; write for example `info,wastegate=debug`")]
    LogFilter {
        /// The filter as given.
        filter: String,
        /// What the parser says.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Logging is set up in this process already.
    #[error("logging is already set up in this process")]
    LogTwice {
        /// What the second attempt was told.
        source: tracing::subscriber::SetGlobalDefaultError,
    },
    /// A journal's path names no file.
    #[error("journal path `{path}` names no file")]
    JournalPath {
        /// The path as configured.
        path: PathBuf,
    },
    /// A journal's file could not be opened for appending.
    #[error("journal `{path}` cannot be opened")]
    JournalOpen {
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A journal's thread could not be started.
    #[error("the thread of journal `{path}` cannot be started")]
    JournalSpawn {
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A journal was closed while its disk refused to take its last lines.
    #[error("journal `{path}` was closed with {lines} accepted lines not on disk")]
    JournalLost {
        path: PathBuf,
        /// How many lines, at most; some of them may have reached the disk.
        lines: u64,
        /// What the last attempt was told.
        source: io::Error,
    },
    /// A journal's thread panicked: a bug.
    #[error("the thread of journal `{path}` panicked")]
    JournalPanicked { path: PathBuf },
    /// A pseudonym key has the wrong form. The message does not repeat it.
    #[error("the pseudonym key must be 32 hexadecimal digits (16 bytes)")]
    PseudonymKey,
    /// The system gave no random bytes for a pseudonym key.
    #[error("no random bytes for a pseudonym key")]
    Entropy {
        /// What the system says.
        source: getrandom::Error,
    },
    /// A threshold makes no sense.
    #[error("`{setting}` is {value}, but {must}")]
    Threshold {
        /// Which one, by the name of its setting.
        setting: &'static str,
        value: f64,
        /// What it must be.
        must: &'static str,
    },
}
