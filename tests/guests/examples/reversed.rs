//! `reversed`: the most recently active first: lawful, and as bad as it gets.

use wastegate_policy::prelude::*;
use wastegate_test_guests::{FIXTURE, IDLE, named};

struct Reversed;

impl Policy for Reversed {
    const MANIFEST: Manifest = named("reversed");

    fn rank(_call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        Ok(top_k(rows, rows.len(), |row| {
            Some(Bid::new([-row.value(IDLE)], FIXTURE))
        }))
    }
}

export!(Reversed);
