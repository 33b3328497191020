//! A refusal, with all that a client and its operator need to know.

use std::time::Duration;

use serde::Serialize;

use crate::cleanup::TierRun;
use crate::types::UserId;

/// Why somebody was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
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
}

impl Why {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::RateLimited,
        Self::UserLimit,
        Self::NodeLimit,
        Self::QueueFull,
        Self::QueueTimeout,
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
        }
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denied {
    /// Why.
    #[serde(rename = "error")]
    pub why: Why,
    /// Who.
    pub user: UserId,
    /// The limit that was met: the user's or the node's.
    pub limit: u32,
    /// How many managers the user, or the node, holds.
    pub held: u32,
    /// When it may be worth another try.
    #[serde(rename = "retry_after_ms", serialize_with = "as_millis")]
    pub retry_after: Duration,
    /// What was tried, tier by tier.
    pub tiers: Vec<TierRun>,
}

fn as_millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
