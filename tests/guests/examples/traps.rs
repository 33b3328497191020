//! `traps`: panics in `rank`, which is a trap.

use wastegate_policy::prelude::*;
use wastegate_test_guests::named;

struct Traps;

impl Policy for Traps {
    const MANIFEST: Manifest = named("traps");

    fn rank(_call: &Call, _rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        panic!("this guest always traps")
    }
}

export!(Traps);
