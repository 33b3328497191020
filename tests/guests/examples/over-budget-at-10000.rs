//! `over-budget-at-10000`: compares rows with each other: within the fuel of a thousand rows, not of ten thousand.

use wastegate_policy::prelude::*;
use wastegate_test_guests::{IDLE, honest, named};

struct OverBudgetAt10000;

impl Policy for OverBudgetAt10000 {
    const MANIFEST: Manifest = named("over-budget-at-10000");

    fn rank(_call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let column = rows.column(IDLE);
        let mut pairs = 0_u32;
        for a in column {
            for b in column.iter().step_by(64) {
                pairs = pairs.wrapping_add(std::hint::black_box(u32::from(a < b)));
            }
        }
        std::hint::black_box(pairs);
        Ok(honest(rows))
    }
}

export!(OverBudgetAt10000);
