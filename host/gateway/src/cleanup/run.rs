//! What cleanups report: tier by tier, and as a whole.

use serde::Serialize;

use super::pass::Pass;
use crate::observe::spans::{self, SpanValue};
use wastegate_core::types::{Scope, Tier};

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

impl Cleanup {
    /// Notes in its span what it did.
    pub(super) fn note(&self, scope: Scope, pass: Pass) {
        spans::note("wastegate.cleanup.scope", || scope.name());
        spans::note("wastegate.cleanup.pass", || match pass {
            Pass::BelowForce => "below-force",
            Pass::BelowForceOnly => "below-force-only",
            Pass::Force => "force",
        });
        spans::note("wastegate.cleanup.tiers", || {
            let tiers = self.runs.iter().map(|run| run.tier.name());
            SpanValue::Words(tiers.collect())
        });
        spans::note("wastegate.cleanup.freed", || self.freed);
        spans::note("wastegate.cleanup.enough", || self.enough);
    }
}
