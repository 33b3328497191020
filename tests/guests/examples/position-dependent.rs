//! `position-dependent`: goes by row numbers, so another order of the rows changes its mind.

use wastegate_policy::prelude::*;
use wastegate_test_guests::{choice, named};

struct PositionDependent;

impl Policy for PositionDependent {
    const MANIFEST: Manifest = named("position-dependent");

    fn rank(_call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        Ok(rows.iter().rev().map(|row| choice(row.index())).collect())
    }
}

export!(PositionDependent);
