//! `unknown-signal`: asks for a signal that does not exist, one letter away from one that does.

use wastegate_policy::prelude::*;
use wastegate_test_guests::{honest, named};

struct UnknownSignal;

impl Policy for UnknownSignal {
    const MANIFEST: Manifest = Manifest {
        signals: &["idle-mss"],
        ..named("unknown-signal")
    };

    fn rank(_call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        Ok(honest(rows))
    }
}

export!(UnknownSignal);
