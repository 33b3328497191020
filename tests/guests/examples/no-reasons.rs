//! `no-reasons`: offers no reason for its choices.

use wastegate_policy::prelude::*;
use wastegate_test_guests::{honest, named};

struct NoReasons;

impl Policy for NoReasons {
    const MANIFEST: Manifest = Manifest {
        reasons: &[],
        ..named("no-reasons")
    };

    fn rank(_call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        Ok(honest(rows))
    }
}

export!(NoReasons);
