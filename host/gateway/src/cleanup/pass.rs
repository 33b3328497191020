//! Which tiers one cleanup works through.
//!
//! What does not answer may go before anything else is known. What answers goes last: after temporary
//! slots, and in front of a backend only once that has answered the newcomer. So an admission asks for
//! the tiers in two steps.

use wastegate_core::types::Tier;

/// Which tiers one cleanup works through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pass {
    /// All below `force`, which may follow in a pass of its own.
    BelowForce,
    /// All below `force`, which will not follow: the built-in ranking completes what a policy leaves at
    /// the last of them.
    BelowForceOnly,
    /// The tier `force` only.
    Force,
}

impl Pass {
    /// Whether a tier is one of its own.
    #[must_use]
    pub fn has(self, tier: Tier) -> bool {
        (tier == Tier::Force) == (self == Self::Force)
    }
}
