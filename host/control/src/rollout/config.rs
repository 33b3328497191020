//! What the operator may set about revisions. Checked by `config`, which holds the ranges.

use std::path::PathBuf;

/// Policies that are remembered, by name; of more, those brought longest ago are let go.
pub const POLICIES_MAX: usize = 64;
/// Bytes of all revisions together, counted once a file; of more, the oldest are let go.
pub const KEPT_BYTES_MAX: u64 = 512 << 20;

/// What a start does if the configured policy is not to be had: its source is away, or what it brings
/// is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WithoutPolicy {
    /// Serve with the built-in ranking, and go on looking for the policy.
    #[default]
    BuiltIn,
    /// Do not start.
    Fail,
}

/// The room's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The folder that revisions, the ledger and the audit log are kept in. None: in memory only,
    /// so that a restart begins with what is configured. Default none.
    pub state_dir: Option<PathBuf>,
    /// The newest revisions of each policy that are kept, besides those in a seat. Default 8.
    pub revisions_kept: usize,
    /// Revisions that stay compiled although they sit in no seat, those used last. Default 4.
    pub warm_max: usize,
    /// What a start does if the configured policy is not to be had and none was ever active. Default
    /// built-in.
    pub start: WithoutPolicy,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state_dir: None,
            revisions_kept: 8,
            warm_max: 4,
            start: WithoutPolicy::BuiltIn,
        }
    }
}
