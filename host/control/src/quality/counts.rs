//! What is counted of one policy.

use std::collections::BTreeMap;

/// One policy's evictions and what came of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counts {
    /// Managers that went by its choice.
    pub(super) evictions: u64,
    /// Victims that answered our Close.
    pub(super) echoed: u64,
    /// Victims that did not.
    pub(super) silent: u64,
    /// Victims of which neither can be said.
    pub(super) undecided: u64,
    /// Victims without a connection that could have answered.
    pub(super) unattended: u64,
    /// Victims taken because they seemed gone, and those of them that were.
    pub(super) zombies: (u64, u64),
    /// Returns within each horizon.
    pub(super) returned: [u64; 5],
    /// Returns within a minute.
    pub(super) thrash: u64,
    /// Victims that had to be forgotten before the last horizon was over.
    pub(super) forgotten: u64,
    /// By device class, by its code: evictions, and returns within the headline's horizon.
    pub(super) by_device: BTreeMap<u8, (u64, u64)>,
}
