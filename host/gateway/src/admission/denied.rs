//! A refusal, with all that a client and its operator need to know.

use std::time::Duration;

use serde::Serialize;

use crate::cleanup::TierRun;
use wastegate_core::types::UserId;
use wastegate_core::types::time::whole_ms;

/// Why an admission was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DenialReason {
    /// Too many attempts of this user in a while.
    RateLimited,
    /// The user holds its limit and nothing may be evicted.
    UserLimit,
    /// The node holds its limit and nothing may be evicted.
    NodeLimit,
    /// The user's queue is full.
    QueueFull,
    /// The wait in the queue took too long.
    QueueTimeout,
    /// The manager has as many connections as it may, and all of them answer.
    ManagerConnections,
    /// The manager was evicted while it answered a moment ago, and could come back only by evicting
    /// another one that answers.
    Displaced,
    /// Connections of one device took each other's place too often.
    DeviceContested,
    /// An operator has blocked the user.
    Blocked,
    /// An operator drains the node: it takes no new connection.
    Draining,
    /// The cluster's engine is away, and `cluster.away` lets no new manager in.
    ClusterAway,
}

impl DenialReason {
    /// Every reason, in the order of the variants.
    pub const ALL: [Self; 11] = [
        Self::RateLimited,
        Self::UserLimit,
        Self::NodeLimit,
        Self::QueueFull,
        Self::QueueTimeout,
        Self::ManagerConnections,
        Self::Displaced,
        Self::DeviceContested,
        Self::Blocked,
        Self::Draining,
        Self::ClusterAway,
    ];

    /// Its name in labels, bodies and close reasons.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RateLimited => "rate-limited",
            Self::UserLimit => "user-limit",
            Self::NodeLimit => "node-limit",
            Self::QueueFull => "queue-full",
            Self::QueueTimeout => "queue-timeout",
            Self::ManagerConnections => "manager-connections",
            Self::Displaced => "displaced",
            Self::DeviceContested => "device-contested",
            Self::Blocked => "blocked",
            Self::Draining => "draining",
            Self::ClusterAway => "cluster-away",
        }
    }

    /// Whether an operator wanted it, at once or by a setting, so that it says nothing of limits and policies.
    #[must_use]
    pub const fn is_operators(self) -> bool {
        matches!(self, Self::Blocked | Self::Draining | Self::ClusterAway)
    }
}

/// The answer to an admission that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denied {
    /// The reason, as metrics and the client's answer name it.
    #[serde(rename = "error")]
    pub why: DenialReason,
    /// The user whose limit the admission counted against.
    pub user: UserId,
    /// The limit that was met: the user's, the node's, or the manager's connections.
    pub limit: u32,
    /// How many the user, the node or the manager holds.
    pub held: u32,
    /// When it may be worth another try.
    #[serde(rename = "retry_after_ms", serialize_with = "as_millis")]
    pub retry_after: Duration,
    /// What was tried, tier by tier.
    pub tiers: Vec<TierRun>,
}

fn as_millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(whole_ms(*duration))
}
