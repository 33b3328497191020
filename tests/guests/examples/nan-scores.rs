//! `nan-scores`: an honest order in which every score is NaN.

use wastegate_policy::prelude::*;
use wastegate_test_guests::{honest, named};

struct NanScores;

impl Policy for NanScores {
    const MANIFEST: Manifest = named("nan-scores");

    fn rank(_call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let nan = |choice| Choice {
            score: f64::NAN,
            ..choice
        };
        Ok(honest(rows).into_iter().map(nan).collect())
    }
}

export!(NanScores);
