//! The facts as a stream: a reader keeps the number of the last one that it has, and takes those behind it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::timeline::TimelineLine;
use wastegate_core::types::UserId;

/// Events that one look returns at the most.
pub const EVENTS_MAX: usize = 200;

/// Which events a reader wants.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of which kinds ([`FactKind::NAMES`](super::FactKind::NAMES)); of all if it is empty.
    pub kinds: Vec<String>,
    /// About whom; about all if none is named.
    pub user: Option<UserId>,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Its number among all facts of the process.
    pub number: u64,
    /// Whose manager it is about; null where it is about the node.
    pub user: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub line: TimelineLine,
}

/// What a look returned.
#[derive(Debug, Clone, PartialEq)]
pub struct Events {
    /// Oldest first.
    pub events: Vec<Event>,
    /// The number of the last fact that was looked at: where to go on.
    pub seen: u64,
    /// Whether facts were dropped between the last look and this one.
    pub missed: bool,
    /// Whether there is more to look at now.
    pub is_more: bool,
}

impl EventFilter {
    pub(super) fn takes(&self, kind: &str, user: Option<&UserId>) -> bool {
        let is_kind = self.kinds.is_empty() || self.kinds.iter().any(|known| known == kind);
        is_kind && self.user.as_ref().is_none_or(|named| Some(named) == user)
    }
}
