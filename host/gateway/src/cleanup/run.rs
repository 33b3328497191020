//! What cleanups report: tier by tier, and as a whole.

use serde::Serialize;

use wastegate_core::types::Tier;

/// What one tier did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TierRun {
    /// The tier that ran.
    pub tier: Tier,
    /// Managers that it might have touched.
    pub eligible: u32,
    /// Slots that it freed.
    pub freed: u32,
    /// The policy gave no usable ranking, and the built-in one decided.
    pub fault: bool,
}

/// What a cleanup came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cleanup {
    /// The tiers that ran, in order.
    pub runs: Vec<TierRun>,
    /// Slots that were freed.
    pub freed: u32,
    /// Nothing is short any more; also when there was nothing to do.
    pub enough: bool,
    /// Some managers' first connections are on their way: what they turn out to be may help.
    pub newborns: bool,
}
