//! `liar`: puts rows that do not exist, and one row twice, before an honest answer.

use wastegate_policy::prelude::*;
use wastegate_test_guests::{choice, honest, named};

struct Liar;

impl Policy for Liar {
    const MANIFEST: Manifest = named("liar");

    fn rank(_call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let honest = honest(rows);
        let beyond = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let mut choices = vec![choice(beyond), choice(u32::MAX)];
        choices.extend(honest.first().copied());
        choices.extend(honest);
        Ok(choices)
    }
}

export!(Liar);
