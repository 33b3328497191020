//! `foreign-rows`: names only rows that do not exist.

use wastegate_policy::prelude::*;
use wastegate_test_guests::{choice, named};

struct ForeignRows;

impl Policy for ForeignRows {
    const MANIFEST: Manifest = named("foreign-rows");

    fn rank(_call: &Call, _rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        Ok(vec![
            choice(u32::MAX),
            choice(u32::MAX - 1),
            choice(1 << 31),
        ])
    }
}

export!(ForeignRows);
