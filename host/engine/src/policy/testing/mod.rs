//! Guests, engines and questions for the room's tests. Real misbehaving guests, in Rust, are the
//! matter of the integration tests.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "it is for tests"
)]

mod guest;

use std::sync::Arc;

pub use guest::{Guest, LOOP, WIT};

use super::call::Input;
use super::{Config, Engine};
use wastegate_core::decision::{Question, Row, Standing};
use wastegate_core::types::time::Clock;
use wastegate_core::types::{
    DecisionId, Health, ManagerId, ManagerKey, Protection, Scope, Signal, SignalRow, Tier,
    Timestamp, UserId,
};

/// An engine with few slots and short deadlines.
pub fn engine() -> Engine {
    Engine::new(config(), Clock::system()).unwrap()
}

/// Settings of [`engine`].
pub fn config() -> Config {
    Config {
        instances_max: 8,
        ..Config::default()
    }
}

/// Rows of one user, least recently active first.
pub fn question(scope: Scope, rows: u32) -> Arc<Question> {
    Arc::new(Question {
        decision: DecisionId::from_raw(1),
        tier: Tier::Force,
        scope,
        needed: 2,
        most: 3,
        limit: rows,
        held: rows,
        now: Timestamp::from_millis(1_000_000),
        seed: 7,
        rows: (0..rows).map(|index| row(rows - index)).collect(),
        kept_responsive: Vec::new(),
    })
}

fn row(idle_s: u32) -> Row {
    let mut signals = SignalRow::default();
    signals[Signal::IdleMs] = f64::from(idle_s) * 1e3;
    Row {
        manager: ManagerId::next(),
        user: UserId::new("ann").unwrap(),
        key: ManagerKey::new("k").unwrap(),
        last_activity: Timestamp::ZERO,
        standing: Standing::Attached,
        health: Health::Alive,
        taken_over: false,
        protection: Protection::Evictable,
        signals,
        elsewhere: None,
    }
}

/// What a policy with two columns is asked about so many rows at user scope.
pub fn input(rows: u32) -> Input {
    let signals = [Signal::IdleMs, Signal::QueuedBytes];
    super::convert::input(&question(Scope::User, rows), &signals)
}
