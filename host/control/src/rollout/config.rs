//! What the operator may set about revisions. Checked by `config`, which holds the ranges.

use std::path::PathBuf;

/// Policies that are remembered, by name; of more, those brought longest ago are let go.
pub const POLICIES_MAX: usize = 64;
/// Bytes of all revisions together, counted once a file; of more, the oldest are let go.
pub const KEPT_BYTES_MAX: u64 = 512 << 20;

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
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state_dir: None,
            revisions_kept: 8,
            warm_max: 4,
        }
    }
}
