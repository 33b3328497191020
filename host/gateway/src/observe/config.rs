//! The settings of this room, checked by their types.
//!
//! Values here cannot be senseless on their own: limits are non-zero, thresholds are built by
//! [`PressureThresholds::new`], a key by parsing. Whether a path can be written and a filter parses
//! shows when they are used, which is still before the first connection. Reading files and the
//! environment is `config`'s work, not this module's.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use super::alerts::{PressureThresholds, STABILISE};
use super::logging::LogFormat;
use super::pseudonym::PseudonymKey;

/// Default of [`LogConfig::repeats_per_s_max`].
const REPEATS_PER_S_MAX: NonZeroU32 = NonZeroU32::new(20).expect("a number that is not zero");
/// Default of [`JournalConfig::rotate_bytes`].
const ROTATE_BYTES: NonZeroU64 = NonZeroU64::new(64 << 20).expect("a number that is not zero");
/// Default of [`JournalConfig::queue_lines_max`].
const QUEUE_LINES_MAX: NonZeroUsize =
    NonZeroUsize::new(131_072).expect("a number that is not zero");
/// Default of [`JournalConfig::queue_bytes_max`].
const QUEUE_BYTES_MAX: NonZeroUsize =
    NonZeroUsize::new(32 << 20).expect("a number that is not zero");

/// How the host is observed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// The format of log lines, and which of them are written.
    pub log: LogConfig,
    /// Where decision records go; none keeps no journal of them.
    pub decisions: Option<JournalConfig>,
    /// Where the activity stream goes; none keeps no journal of it.
    pub activity: Option<JournalConfig>,
    /// What pseudonyms are made with; none generates a key at every start, so that records of two
    /// runs cannot be joined.
    pub pseudonym_key: Option<PseudonymKey>,
    /// When to speak up.
    pub alerts: AlertConfig,
}

/// Which log lines are written, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct LogConfig {
    /// In the syntax of `tracing`'s `EnvFilter`. Default `info`.
    pub filter: String,
    /// How a line looks. Default [`LogFormat::Human`].
    pub format: LogFormat,
    /// Lines from one place in the sources a second; what is over is counted and told. Lines of policies
    /// have their own quota, and those below `info` are not counted. Default 20.
    pub repeats_per_s_max: NonZeroU32,
    /// Whether the end of each connection is a line. Default [`AccessLog::Off`].
    pub access: AccessLog,
}

/// How a line about the end of a connection names its user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AccessLog {
    /// There is no such line.
    #[default]
    Off,
    /// User and manager are keyed hashes, as in the journals.
    Hashed,
    /// User and manager are named as they are.
    Plain,
}

/// Where a journal is written, and how large it may become.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalConfig {
    /// The file that is appended to. Its folder must exist; rotated files are put beside it.
    pub path: PathBuf,
    /// The file is rotated before it would grow beyond this, bytes. Default 64 MiB.
    pub rotate_bytes: NonZeroU64,
    /// The file is rotated when it is older than this and is written to. Default: never.
    pub rotate_age: Option<Duration>,
    /// Rotated files kept, newest first. 0 keeps none. Default 16.
    pub keep_files: usize,
    /// Lines that may wait for the disk; beyond it lines are dropped. Default 131,072: two full
    /// windows of the activity stream.
    pub queue_lines_max: NonZeroUsize,
    /// Bytes that may wait for the disk; beyond it lines are dropped. Default 32 MiB.
    pub queue_bytes_max: NonZeroUsize,
}

/// When to speak up.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertConfig {
    /// Levels of pressure, of users and of the node. Default 40, 60, 80 and 90 %.
    pub pressure: PressureThresholds,
    /// Admission latency above which an alert is raised. Default 1,000 ms.
    pub latency_max: Duration,
    /// Resident memory above which an alert is raised, bytes. Default: none, since the right figure
    /// is the machine's, not ours.
    pub memory_bytes_max: Option<NonZeroU64>,
    /// How long a value must be at or below its limit before its alert is cleared. Default 10 s.
    pub stabilise: Duration,
}

impl JournalConfig {
    /// A journal at that path, with the default limits.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            rotate_bytes: ROTATE_BYTES,
            rotate_age: None,
            keep_files: 16,
            queue_lines_max: QUEUE_LINES_MAX,
            queue_bytes_max: QUEUE_BYTES_MAX,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: LogFormat::default(),
            repeats_per_s_max: REPEATS_PER_S_MAX,
            access: AccessLog::Off,
        }
    }
}

impl Default for AlertConfig {
    fn default() -> Self {
        Self {
            pressure: PressureThresholds::default(),
            latency_max: Duration::from_millis(1_000),
            memory_bytes_max: None,
            stabilise: STABILISE,
        }
    }
}
