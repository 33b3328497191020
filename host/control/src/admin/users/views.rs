//! What the API says of users, as JSON. The commands read the same types.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::LeverReach;
use crate::levers::UserLevers;

/// A page of users.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UserPage {
    /// In the order that was asked for.
    pub users: Vec<UserRow>,
    /// How many users fit the filter, on all pages.
    pub total: usize,
    /// What to give as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

/// One user in a list.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UserRow {
    /// Its name.
    pub user: String,
    /// How many managers it holds.
    pub held: u32,
    /// How many it may hold, without temporary slots.
    pub limit: u32,
    /// Temporary slots that it has now beside them.
    pub lent: u32,
    /// Its pressure level.
    pub pressure: String,
    /// Its managers that were evicted in the last hour, as far as the server remembers.
    #[serde(default)]
    pub evicted: u32,
    /// What operators set for it.
    pub levers: UserLevers,
}

/// What a lever did.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LeverAnswer {
    /// The user that it is about.
    pub user: String,
    /// Whether it changed anything: false where nothing was set that could be taken back.
    pub changed: bool,
    /// Managers that were evicted for it.
    pub evicted: usize,
    /// Whether it survives a restart. False without a state directory, or where its disk is full.
    pub durable: bool,
    /// What is set for the user now.
    pub levers: UserLevers,
    /// Whether the other nodes of the cluster have it too.
    #[serde(flatten)]
    pub reach: LeverReach,
}

/// What an eviction of all managers came to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EvictedAnswer {
    /// The user that it is about.
    pub user: String,
    /// How many managers were evicted.
    pub evicted: usize,
}

/// One user, as far as a command shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct UserAnswer {
    /// The user, as in a list.
    #[serde(flatten)]
    pub row: UserRow,
    /// Its managers.
    pub managers: Vec<ManagerAnswer>,
}

/// How strongly a manager is held, as far as a command shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct ProtectionAnswer {
    /// `evictable`, `protected` or `pinned`.
    pub level: String,
}

/// One manager, as far as a command shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct ManagerAnswer {
    /// Its key.
    pub key: String,
    /// Whether it has connections.
    pub standing: String,
    /// What is known of its peers.
    pub health: String,
    /// What spares it.
    pub protection: ProtectionAnswer,
    /// Every signal that is known of it.
    pub signals: std::collections::BTreeMap<String, Option<f64>>,
}
