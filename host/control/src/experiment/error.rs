//! Why an operator's request about an experiment was refused, in sentences with a remedy.

use super::definition::Invalid;

/// Experiments that are kept, ended ones included; of more, the oldest that ended are forgotten.
pub const EXPERIMENTS_MAX: usize = 32;
/// Experiments that may run at once.
pub const RUNNING_MAX: usize = 8;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
pub enum ExperimentError {
    /// The definition makes no sense.
    #[error("the experiment cannot be as it is defined: {0}")]
    Invalid(#[from] Invalid),
    /// There is one of that name.
    #[error(
        "there is an experiment `{0}` already, and its users must not be counted again: give this one another name"
    )]
    Exists(String),
    /// Too many run.
    #[error("{RUNNING_MAX} experiments run already: stop one first")]
    TooMany,
    /// Two experiments would share users.
    #[error(
        "the experiment would share users with `{other}`{}: give both a `layer` of the same name with ranges that do not overlap, or stop the other",
        .layer.as_ref().map(|layer| format!(" in the layer `{layer}`")).unwrap_or_default()
    )]
    Overlaps {
        /// The one that runs.
        other: String,
        /// The layer that both are in, if in one.
        layer: Option<String>,
    },
    /// A holdout beside what runs.
    #[error(
        "a holdout starts before every other experiment, since users of `{other}` would be held and counted there all the same: stop `{other}`, start the holdout, then start another experiment; there is one holdout at a time"
    )]
    HoldoutFirst {
        /// One that runs.
        other: String,
    },
    /// An arm's policy cannot be had.
    #[error("the arm `{arm}` cannot be made ready: {why}")]
    Arm { arm: String, why: String },
    /// There is none of that name.
    #[error("there is no experiment `{0}`: `wastegate experiment status` shows those there are")]
    NoSuch(String),
    /// It is over.
    #[error(
        "the experiment `{0}` is over: its report stays, and it is never resumed; start another"
    )]
    Over(String),
    /// Coverage went down.
    #[error(
        "`coverage` is {now} and cannot become {asked}: it is raised only, up to 1, since users who are in would leave; stop the experiment instead"
    )]
    Coverage {
        now: f64,
        /// What it should have become.
        asked: f64,
    },
    /// The disk does not take it.
    #[error(
        "the experiments' ledger cannot be written ({0}): an experiment that forgets whom it exposed is none, so nothing was started"
    )]
    Ledger(String),
}

impl ExperimentError {
    /// In a word, for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "definition",
            Self::Exists(_) => "exists",
            Self::TooMany => "busy",
            Self::Overlaps { .. } | Self::HoldoutFirst { .. } => "overlaps",
            Self::Arm { .. } => "arm",
            Self::NoSuch(_) => "not-found",
            Self::Over(_) => "over",
            Self::Coverage { .. } => "coverage",
            Self::Ledger(_) => "storage",
        }
    }
}
