//! `flaky`: traps on odd seeds (`armed` = 1) or always (`armed` = 2); honest as it comes.

use wastegate_policy::prelude::*;
use wastegate_policy::{Param, Parameter};
use wastegate_test_guests::{honest, named};

struct Flaky;

impl Policy for Flaky {
    const MANIFEST: Manifest = Manifest {
        parameters: &[ARMED_PARAMETER],
        ..named("flaky")
    };

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let trap = match call.param(ARMED) {
            2.0 => true,
            1.0 => call.seed % 2 == 1,
            _ => false,
        };
        assert!(!trap, "this guest traps now and then");
        Ok(honest(rows))
    }
}

export!(Flaky);

const ARMED: Param = Param::at(0);

const ARMED_PARAMETER: Parameter = Parameter {
    name: "armed",
    default: 0.0,
    min: 0.0,
    max: 2.0,
    doc: "When it traps: 0 never, 1 on odd seeds, 2 always.",
};
