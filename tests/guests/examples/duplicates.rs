//! `duplicates`: an honest order in which every row comes twice.

use wastegate_policy::prelude::*;
use wastegate_test_guests::{honest, named};

struct Duplicates;

impl Policy for Duplicates {
    const MANIFEST: Manifest = named("duplicates");

    fn rank(_call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        Ok(honest(rows)
            .into_iter()
            .flat_map(|choice| [choice, choice])
            .collect())
    }
}

export!(Duplicates);
