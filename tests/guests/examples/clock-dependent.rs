//! `clock-dependent`: shuffles by the time of day, so a shifted clock changes its mind.

use wastegate_policy::prelude::*;
use wastegate_policy::random::{mix, unit};
use wastegate_test_guests::{FIXTURE, IDLE, named};

struct ClockDependent;

impl Policy for ClockDependent {
    const MANIFEST: Manifest = named("clock-dependent");

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        Ok(top_k(rows, rows.len(), |row| {
            let lot = mix(call.now_ms, row.value(IDLE).to_bits());
            Some(Bid::new([unit(lot)], FIXTURE))
        }))
    }
}

export!(ClockDependent);
