//! `duplicate-signal`: asks for the same signal twice.

use wastegate_policy::prelude::*;
use wastegate_test_guests::{honest, named};

struct DuplicateSignal;

impl Policy for DuplicateSignal {
    const MANIFEST: Manifest = Manifest {
        signals: &["idle-ms", "idle-ms"],
        ..named("duplicate-signal")
    };

    fn rank(_call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        Ok(honest(rows))
    }
}

export!(DuplicateSignal);
