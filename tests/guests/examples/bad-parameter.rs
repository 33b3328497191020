//! `bad-parameter`: declares a default outside of its own range.

use wastegate_policy::Parameter;
use wastegate_policy::prelude::*;
use wastegate_test_guests::{honest, named};

struct BadParameter;

impl Policy for BadParameter {
    const MANIFEST: Manifest = Manifest {
        parameters: &[SHARE],
        ..named("bad-parameter")
    };

    fn rank(_call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        Ok(honest(rows))
    }
}

export!(BadParameter);

const SHARE: Parameter = Parameter {
    name: "share",
    default: 2.0,
    min: 0.0,
    max: 1.0,
    doc: "A share, from 0 to 1.",
};
