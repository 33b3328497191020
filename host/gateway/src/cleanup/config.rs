//! Settings of the room.

use std::time::Duration;

use wastegate_core::decision::{Hold, TierTable};
use wastegate_core::types::Tier;

/// Who is cleaned up, when, and how far it may go.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What every tier may do.
    pub table: TierTable,
    /// The last tier that an admission may reach for its own user. `force`.
    pub user_last_tier: Tier,
    /// The last tier that the node's own pressure may reach. `aggressive`.
    pub node_last_tier: Tier,
    /// Occupancy of a user from which on its managers are cleaned up in the background; 1,000 for never, since
    /// temporary slots go beyond 1. 0.6.
    pub proactive_from: f64,
    /// Between two background passes. 5 s.
    pub sweep_interval: Duration,
    /// Users looked at in one background pass. 10,000.
    pub sweep_users_max: usize,
    /// Resident memory from which on the node is under pressure, bytes; 0 for nine tenths of what the
    /// control group may use, and for no limit where it has none. 0.
    pub memory_bytes_max: u64,
    /// How much of a node-scope limit is freed below it, as a share, so that the next one need
    /// not clean up again. 0.01.
    pub node_reserve: f64,
    /// Evictions of one user's responsive managers in `force_window`; 0 for no limit. 20.
    pub force_per_user_max: u32,
    /// The window of `force_per_user_max`. 10 min.
    pub force_window: Duration,
    /// How long a manager that was evicted while it answered may not displace another one that
    /// answers. 60 s, doubling to 10 min with each one that does after its hold.
    pub displaced: Hold,
    /// How long a manager must have been dead, or have taken nothing, to be evicted at any occupancy.
    /// 60 s.
    pub dead_for: Duration,
    /// How long a client has to answer our Close; the live-kill label's horizon. 2 s.
    pub close_deadline: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            table: TierTable::default(),
            user_last_tier: Tier::Force,
            node_last_tier: Tier::Aggressive,
            proactive_from: 0.6,
            sweep_interval: Duration::from_secs(5),
            sweep_users_max: 10_000,
            memory_bytes_max: 0,
            node_reserve: 0.01,
            force_per_user_max: 20,
            force_window: Duration::from_secs(600),
            displaced: Hold {
                first: Duration::from_secs(60),
                max: Duration::from_secs(600),
            },
            dead_for: Duration::from_secs(60),
            close_deadline: Duration::from_secs(2),
        }
    }
}
