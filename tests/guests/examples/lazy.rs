//! `lazy`: answers at the force tier only, and then honestly.

use wastegate_policy::prelude::*;
use wastegate_test_guests::{honest, named};

struct Lazy;

impl Policy for Lazy {
    const MANIFEST: Manifest = named("lazy");

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        if call.tier == Tier::Force {
            Ok(honest(rows))
        } else {
            Ok(Vec::new())
        }
    }
}

export!(Lazy);
