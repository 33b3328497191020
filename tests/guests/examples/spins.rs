//! `spins`: never comes back from `rank`.

use wastegate_policy::prelude::*;
use wastegate_test_guests::named;

struct Spins;

impl Policy for Spins {
    const MANIFEST: Manifest = named("spins");

    fn rank(_call: &Call, _rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        loop {
            std::hint::spin_loop();
        }
    }
}

export!(Spins);
