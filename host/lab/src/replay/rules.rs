//! By what rules a trace is run again.

use std::time::Duration;

use super::yielding::Yielding;
use wastegate_core::decision::TierTable;
use wastegate_core::signals::{Heartbeats, Lifetimes};
use wastegate_core::types::Tier;

/// Everything that a gateway would have been configured with.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Managers that a user may hold.
    pub limit: u32,
    /// What each tier may do.
    pub table: TierTable,
    /// The last tier that an admission may go to.
    pub last_tier: Tier,
    /// From which share of the limit on the background pass runs.
    pub proactive_from: f64,
    /// Graces and protection.
    pub manager: Lifetimes,
    /// When a silent peer is what.
    pub health: Heartbeats,
    /// How reluctantly a manager that answers is evicted.
    pub yielding: Yielding,
    /// Between two runs of the background pass, ms, where the trace does not tell them.
    pub sweep_interval_ms: u64,
    /// How long a manager has to be dead to be given up at any occupancy.
    pub dead_for: Duration,
    /// Users' own limits, where the trace tells them, go before `limit`.
    pub own_limits: bool,
    /// From which every decision's seed is derived.
    pub seed: u64,
}

impl Rules {
    /// Whether an admission that `may_displace` or not has nothing left to try once this tier is over.
    pub(super) fn is_last(&self, tier: Tier, may_displace: bool) -> bool {
        let next = |other: &Tier| {
            *other > tier
                && *other <= self.last_tier
                && self.table.rule(*other).enabled
                && (may_displace || *other != Tier::Force)
        };
        !Tier::ADMISSION.iter().any(next)
    }

    /// The tiers that an admission works through.
    pub(super) fn tiers(&self) -> impl Iterator<Item = Tier> {
        Tier::ADMISSION
            .into_iter()
            .filter(|tier| *tier <= self.last_tier && self.table.rule(*tier).enabled)
    }
}
