//! Rows, snapshots and answers for the room's tests.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "it is for tests"
)]

use std::sync::Arc;
use std::time::Duration;

use super::{
    Choice, Fault, PolicyRef, Question, Ranked, Ranking, Row, Snapshot, Standing, TierTable,
};
use crate::types::{
    DecisionId, Health, ManagerId, ManagerKey, Protection, Scope, Signal, SignalRow, Tier,
    Timestamp, UserId,
};

/// When every snapshot of these tests is taken.
pub const NOW: Timestamp = Timestamp::from_millis(100_000_000);

/// An attached, responsive manager, idle for so many milliseconds.
pub fn row(key: &str, idle_ms: u64) -> Row {
    let mut signals = SignalRow::default();
    #[expect(clippy::cast_precision_loss, reason = "small test values")]
    let idle = idle_ms as f64;
    signals[Signal::IdleMs] = idle;
    Row {
        manager: ManagerId::next(),
        user: UserId::new("ann").unwrap(),
        key: ManagerKey::new(key).unwrap(),
        last_activity: Timestamp::from_millis(NOW.millis() - idle_ms),
        standing: Standing::Attached,
        health: Health::Alive,
        taken_over: false,
        protection: Protection::Evictable,
        signals,
        elsewhere: None,
    }
}

impl Row {
    pub fn with_health(mut self, health: Health) -> Self {
        self.health = health;
        self
    }

    pub fn with_standing(mut self, standing: Standing) -> Self {
        self.standing = standing;
        self
    }

    pub fn with_protection(mut self, protection: Protection) -> Self {
        self.protection = protection;
        self
    }

    pub fn of(mut self, user: &str) -> Self {
        self.user = UserId::new(user).unwrap();
        self
    }
}

/// A snapshot of one user's managers at that limit.
pub fn snapshot(limit: u32, rows: Vec<Row>) -> Snapshot {
    let held = u32::try_from(rows.len()).unwrap();
    Snapshot {
        scope: Scope::User,
        now: NOW,
        limit,
        held,
        rows,
    }
    .sorted()
}

/// A question about a snapshot.
pub fn ask(snapshot: &Snapshot, table: &TierTable, tier: Tier, needed: u32) -> Question {
    Question::new(snapshot, table, tier, needed, DecisionId::from_raw(1), 7)
}

/// An answer that proposes rows in that order.
pub fn answer(rows: &[u32]) -> Ranked {
    let choices = rows
        .iter()
        .map(|&row| Choice {
            row,
            score: 1.0,
            reason: 0,
        })
        .collect();
    ranked(Ok(Ranking { choices }))
}

/// An answer with that outcome.
pub fn ranked(outcome: Result<Ranking, Fault>) -> Ranked {
    let policy = PolicyRef {
        name: "test".into(),
        version: "1.0.0".into(),
        digest: "00".into(),
    };
    Ranked {
        reasons: Arc::new(["because".to_owned()]),
        signals: Arc::new([Signal::IdleMs]),
        fuel: Some(1),
        duration: Duration::from_micros(5),
        ..Ranked::of(policy, outcome)
    }
}
