//! `silent`: never proposes anybody, at any tier.

use wastegate_policy::prelude::*;
use wastegate_test_guests::named;

struct Silent;

impl Policy for Silent {
    const MANIFEST: Manifest = named("silent");

    fn rank(_call: &Call, _rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        Ok(Vec::new())
    }
}

export!(Silent);
