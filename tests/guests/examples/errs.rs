//! `errs`: answers with an error.

use wastegate_policy::prelude::*;
use wastegate_test_guests::named;

struct Errs;

impl Policy for Errs {
    const MANIFEST: Manifest = named("errs");

    fn rank(_call: &Call, _rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        Err("this guest never answers".to_owned())
    }
}

export!(Errs);
