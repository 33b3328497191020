//! What a ranker is asked: the rows that a tier allows, and how many of them have to go.

use super::snapshot::{Class, Row, Snapshot, occupancy};
use super::tiers::TierTable;
use crate::types::{DecisionId, Scope, Tier, Timestamp, UserId};

/// One decision to make.
#[derive(Debug, Clone)]
pub struct Question {
    /// Under which id it is recorded.
    pub decision: DecisionId,
    /// How hard the host is looking.
    pub tier: Tier,
    /// Whose managers the rows are.
    pub scope: Scope,
    /// How many the host is short of.
    pub needed: u32,
    /// How many it will take at the most: `needed`, and the reserve where the tier has one.
    pub most: u32,
    /// The limit that the scope is held to.
    pub limit: u32,
    /// How many managers it holds.
    pub held: u32,
    /// When the snapshot was taken.
    pub now: Timestamp,
    /// From which all randomness of this decision is derived.
    pub seed: u64,
    /// The managers that the tier may touch, least recently active first.
    pub rows: Vec<Row>,
    /// Whose responsive managers the tier may not touch, one entry each. Filled only where the
    /// operator lets every user keep one.
    pub kept_responsive: Vec<UserId>,
}

impl Question {
    /// Narrows a snapshot to what a tier may touch.
    #[must_use]
    pub fn new(
        snapshot: &Snapshot,
        table: &TierTable,
        tier: Tier,
        needed: u32,
        decision: DecisionId,
        seed: u64,
    ) -> Self {
        let occupancy = snapshot.occupancy();
        let rows: Vec<Row> = snapshot
            .rows
            .iter()
            .filter(|row| table.admits(tier, occupancy, row))
            .cloned()
            .collect();
        let keeps = tier == Tier::Force && table.keep_one;
        let kept_responsive = snapshot
            .rows
            .iter()
            .filter(|row| keeps && row.class() == Some(Class::Responsive))
            .filter(|row| !table.admits(tier, occupancy, row))
            .map(|row| row.user.clone())
            .collect();
        let eligible = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        Self {
            decision,
            tier,
            scope: snapshot.scope,
            needed,
            most: table.most(tier, needed, eligible),
            limit: snapshot.limit,
            held: snapshot.held,
            now: snapshot.now,
            seed,
            rows,
            kept_responsive,
        }
    }

    /// Held over limit, as the tier table sees it.
    #[must_use]
    pub fn occupancy(&self) -> f64 {
        occupancy(self.held, self.limit)
    }
}
