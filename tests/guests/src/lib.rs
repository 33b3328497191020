//! What the misbehaving guests share: a manifest that nothing is wrong with, and an honest answer.
//!
//! Each guest under `examples/` breaks one rule and keeps all others, so that a test which meets it
//! knows what it tests. They are examples rather than packages because an example is all that
//! cargo needs to make a module of one file.

use wastegate_policy::prelude::*;
use wastegate_policy::{Column, Reason};

/// The idle time, the only signal of [`named`].
pub const IDLE: Column = Column::at(0);

/// The only reason of [`named`].
pub const FIXTURE: Reason = Reason::at(0);

/// The manifest of a guest that asks for idle times and offers one reason.
#[must_use]
pub const fn named(name: &'static str) -> Manifest {
    Manifest {
        name,
        version: "1.0.0",
        summary: "Misbehaves, for tests.",
        signals: &["idle-ms"],
        parameters: &[],
        reasons: &["fixture"],
        scopes: &[Scope::User, Scope::Node],
    }
}

/// The longest idle first; to be wrapped.
#[derive(Debug)]
pub struct LongestIdle;

impl Policy for LongestIdle {
    const MANIFEST: Manifest = named("longest-idle");

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        Ok(top_k(rows, call.enough(rows), |row| {
            Some(Bid::new([row.value(IDLE)], FIXTURE))
        }))
    }
}

/// The most bytes queued first; to be wrapped. It reads the idle time as well, from another column.
#[derive(Debug)]
pub struct MostBytes;

impl Policy for MostBytes {
    const MANIFEST: Manifest = Manifest {
        signals: &["queued-bytes", "idle-ms"],
        reasons: &["large"],
        ..named("most-bytes")
    };

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let [queued, idle] = [Column::at(0), Column::at(1)];
        Ok(top_k(rows, call.enough(rows), |row| {
            Some(Bid::new([row.value(queued), row.value(idle)], FIXTURE))
        }))
    }
}

/// The answer of an honest policy: every row, the longest idle first.
#[must_use]
pub fn honest(rows: &Rows<'_>) -> Vec<Choice> {
    top_k(rows, rows.len(), |row| {
        Some(Bid::new([row.value(IDLE)], FIXTURE))
    })
}

/// A choice of a row, whether it exists or not.
#[must_use]
pub fn choice(row: u32) -> Choice {
    Choice {
        row,
        score: 1.0,
        reason: FIXTURE,
    }
}
