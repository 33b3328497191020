//! A snapshot as a file: what the host knew of a set of managers at one moment, with what it wanted
//! to know. [`RecordedSnapshot::question`] asks it again as the server would.
//!
//! # The form (version 1)
//! ```json
//! { "v": 1, "tier": "force", "scope": "user", "needed": 1, "limit": 20, "held": 20,
//!   "now_ms": 1000000, "seed": 7,
//!   "rows": [ { "key": "chat-1", "idle-ms": 93000, "health": "half-open" },
//!             { "key": "chat-2", "idle-ms": 12, "health": "alive" } ] }
//! ```
//! Everything but `rows` has a default. A row holds signals by name; one that is absent or null is
//! unknown; codes are words or numbers; `key` is a label and nothing else. A row may say its
//! `standing` (`newborn`, `never-attached`, `attached`, `detached`, `expired`), which otherwise
//! follows from its signals. The order of rows does not matter: the host sorts them, the least
//! recently active first.
//!
//! Two more fields keep what a server has recorded as it was. `most` is how many it would have
//! taken; without it, what the tier table says. `as_asked` is true where the rows are exactly those
//! that a policy saw, in that order: none is left out because of its tier, and none is moved.
//!
//! Not here: reading it (`parse`), other forms of the same (`foreign`), expectations
//! ([`super::case`]).

mod canonical;
pub(super) mod foreign;
pub(super) mod parse;

use std::cmp::Ordering;
use std::time::Duration;

use wastegate_core::decision::{self, Question, Row, Standing, TierTable};
use wastegate_core::signals::Lifetimes;
use wastegate_core::types::time::whole_ms;
use wastegate_core::types::{
    DecisionId, Health, ManagerId, ManagerKey, Protection, ProtectionReason, Scope, Signal,
    SignalRow, Tier, Timestamp, UserId,
};

/// The version of the form; a reader refuses one it does not know.
pub(crate) const SNAPSHOT_VERSION: u64 = 1;

/// Rows of one snapshot.
pub const ROWS_MAX: usize = 100_000;

/// The latest moment, milliseconds: 285 years.
pub(crate) const NOW_MS_MAX: u64 = u64::MAX / 1_000 / 2_048;

/// What the host knew at one moment, and what it was short of.
#[derive(Debug, Clone)]
pub struct RecordedSnapshot {
    /// How hard the host was looking.
    pub tier: Tier,
    /// Whose managers the rows are.
    pub scope: Scope,
    /// How many had to go.
    pub needed: u32,
    /// How many the host would have taken; none leaves it to the tier table.
    pub most: Option<u32>,
    /// How many the scope may hold.
    pub limit: u32,
    /// How many it held.
    pub held: u32,
    /// When, on the host's monotonic clock.
    pub now_ms: u64,
    /// From which all randomness is derived.
    pub seed: u64,
    /// Whether the rows are what a policy saw, in its order.
    pub as_asked: bool,
    /// The managers, in the order of the file.
    pub rows: Vec<RecordedManager>,
}

/// One manager of a snapshot.
#[derive(Debug, Clone)]
pub struct RecordedManager {
    /// What to call it; its place where it has no name.
    pub key: Option<String>,
    /// Whether somebody was attached; none where it follows from the signals.
    pub standing: Option<Standing>,
    /// What was measured.
    pub signals: SignalRow,
}

impl RecordedSnapshot {
    /// The question that the host asks about it: narrowed to what the tier may touch, the least
    /// recently active first. A row's [`ManagerId`] is its place in the file.
    #[must_use]
    pub fn question(&self, table: &TierTable) -> Question {
        let rows: Vec<Row> = self
            .order()
            .into_iter()
            .filter_map(|place| self.row(place))
            .collect();
        let now = Timestamp::from_millis(self.now_ms);
        let decision = DecisionId::from_raw(0);
        let mut question = if self.as_asked {
            let eligible = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            Question {
                decision,
                tier: self.tier,
                scope: self.scope,
                needed: self.needed,
                most: table.most(self.tier, self.needed, eligible),
                limit: self.limit,
                held: self.held,
                now,
                seed: self.seed,
                rows,
                kept_responsive: Vec::new(),
            }
        } else {
            let snapshot = decision::Snapshot {
                scope: self.scope,
                now,
                limit: self.limit,
                held: self.held,
                rows,
            };
            Question::new(
                &snapshot,
                table,
                self.tier,
                self.needed,
                decision,
                self.seed,
            )
        };
        question.most = self.most.unwrap_or(question.most);
        question
    }

    /// What to call a row, by its place in the file.
    #[must_use]
    pub fn label(&self, place: usize) -> String {
        match self.rows.get(place).and_then(|row| row.key.as_deref()) {
            Some(key) => key.to_owned(),
            None => format!("#{place}"),
        }
    }

    /// The places of the file in the order in which the host asks about them.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        if !self.as_asked {
            order.sort_by(|a, b| match (self.rows.get(*a), self.rows.get(*b)) {
                (Some(a), Some(b)) => a.before(b),
                _ => Ordering::Equal,
            });
        }
        order
    }

    /// A row as the host's guard sees it.
    pub(super) fn row(&self, place: usize) -> Option<Row> {
        let manager = self.rows.get(place)?;
        let signals = &manager.signals;
        let idle = Duration::try_from_secs_f64(known(signals[Signal::IdleMs]) / 1e3);
        let idle_ms = idle.map_or(0, whole_ms);
        Some(Row {
            manager: ManagerId::from_raw(place as u64),
            user: UserId::new("snapshot").ok()?,
            key: ManagerKey::held(&self.label(place)).ok()?,
            last_activity: Timestamp::from_millis(self.now_ms.saturating_sub(idle_ms)),
            standing: manager.standing(),
            health: manager.health(),
            taken_over: signals[Signal::TakenOver] > 0.5,
            protection: manager.protection(),
            signals: signals.clone(),
            elsewhere: None,
        })
    }
}

impl RecordedManager {
    /// Whether somebody is attached. Where the file does not say: detached if it has been for a
    /// while or has no connections, expired if that is longer than the default reconnect grace,
    /// else attached.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let grace_ms = Lifetimes::default().reconnect_grace.as_secs_f64() * 1e3;
        let detached_ms = self.signals[Signal::DetachedMs];
        match self.standing {
            Some(standing) => standing,
            None if detached_ms > grace_ms => Standing::Expired,
            None if !detached_ms.is_nan() || self.signals[Signal::Connections] == 0.0 => {
                Standing::Detached
            }
            None => Standing::Attached,
        }
    }

    /// What is believed of its peer: by the signal's code, else nothing.
    #[must_use]
    pub fn health(&self) -> Health {
        let code = self.signals[Signal::Health];
        let known = Health::ALL.into_iter().find(|health| health.code() == code);
        known.unwrap_or_default()
    }

    /// How strongly it is held. A snapshot does not know why, and nothing depends on it.
    #[must_use]
    pub fn protection(&self) -> Protection {
        let protected = Protection::Protected(ProtectionReason::Hinted);
        let code = self.signals[Signal::Protection];
        [protected, Protection::Pinned]
            .into_iter()
            .find(|protection| protection.code() == code)
            .unwrap_or(Protection::Evictable)
    }

    /// The order in which the host asks: the least recently active first, then by key. What has
    /// none is told apart by its numbers, so that the order of the file never matters.
    fn before(&self, other: &Self) -> Ordering {
        let idle = |manager: &Self| known(manager.signals[Signal::IdleMs]);
        let numbers = |a: &SignalRow, b: &SignalRow| {
            let compared = Signal::ALL
                .iter()
                .map(|&signal| a[signal].total_cmp(&b[signal]));
            compared.fold(Ordering::Equal, Ordering::then)
        };
        idle(other)
            .total_cmp(&idle(self))
            .then_with(|| self.key.cmp(&other.key))
            .then_with(|| numbers(&self.signals, &other.signals))
            .then_with(|| (self.standing() as u8).cmp(&(other.standing() as u8)))
    }
}

/// A value, or zero where it is unknown.
const fn known(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value }
}

#[cfg(test)]
mod tests;
