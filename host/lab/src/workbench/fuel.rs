//! What a policy's calls take: fuel over the number of rows as a model, and where the budget ends.
//!
//! Fuel is counted, not timed: on one version of the engine the same call takes the same fuel on
//! every machine, so what is said here holds wherever the policy runs. The rows are the acceptance
//! kit's. The model is a base and a price for each row, fitted by least squares of the relative
//! error, since a call of ten rows matters as much as one of ten thousand.

use serde::Serialize;

use wastegate_core::decision::Fault;
use wastegate_core::types::{Scope, Tier};
use wastegate_engine::policy::{CallOptions, Program, kit};

/// Row counts at which calls are made for the model.
pub const SIZES: [u32; 11] = [1, 2, 5, 10, 20, 50, 100, 300, 1_000, 3_000, 10_000];

/// From this error on a straight line is no description any more.
const LINEAR_ERROR_MAX: f64 = 0.25;

/// Nobody asks beyond so many rows where a policy breaks.
const ROWS_MAX: u32 = 100_000;

/// The cost of one call, at a number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Point {
    /// How many rows.
    pub rows: u32,
    /// Units of fuel.
    pub fuel: u64,
    /// The most linear memory that it held, bytes.
    pub memory_bytes: u64,
}

/// Fuel as a base and a price for each row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Model {
    /// Of a call without rows.
    pub base: f64,
    /// Of each row on top.
    pub per_row: f64,
    /// By how much the worst of the calls is off, as a share of what it took.
    pub error: f64,
    /// How fuel grows from the middling to the largest call, as a power of the rows: 1 is linear.
    pub exponent: f64,
}

impl Model {
    /// Whether a base and a price for each row describe it.
    #[must_use]
    pub(crate) fn is_linear(&self) -> bool {
        self.error <= LINEAR_ERROR_MAX
    }
}

/// What a policy takes in one way of being asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// At which scope.
    pub scope: Scope,
    /// At which tier; it decides how many rows are needed.
    pub tier: Tier,
    /// The calls that succeeded.
    pub points: Vec<Point>,
    /// Fitted to them; none if fewer than three succeeded.
    pub model: Option<Model>,
    /// The first number of rows for which the budget does not do, found by calls; none if it does
    /// up to a hundred thousand.
    pub breaks_at: Option<u32>,
    /// Why another call failed, if one did.
    pub fault: Option<String>,
}

/// Asks a program about more and more rows. Blocks for some tens of calls.
#[must_use]
pub fn cost(program: &Program, params: &[f64], scope: Scope, tier: Tier) -> Cost {
    let ask = |rows| {
        let input = kit::ordinary(program.signals(), scope, tier, rows);
        program.ask(&input, params, &CallOptions::OFF_PATH)
    };
    let mut cost = Cost {
        scope,
        tier,
        points: Vec::new(),
        model: None,
        breaks_at: None,
        fault: None,
    };
    let mut out = None;
    for rows in SIZES.into_iter().chain([ROWS_MAX]) {
        let outcome = ask(rows);
        match outcome.result {
            // The last one is asked to see whether it breaks; no model needs it.
            Ok(_) if rows == ROWS_MAX => {}
            Ok(_) => cost.points.push(Point {
                rows,
                fuel: outcome.fuel,
                memory_bytes: outcome.memory_bytes,
            }),
            Err(Fault::OutOfFuel(_)) => {
                out = out.or(Some(rows));
            }
            Err(fault) => {
                cost.fault
                    .get_or_insert_with(|| format!("with {rows} rows it {fault}"));
            }
        }
    }
    cost.breaks_at = out.map(|rows| {
        let good = cost.points.iter().map(|point| point.rows);
        let mut good = good.filter(|good| *good < rows).max().unwrap_or(0);
        let mut bad = rows;
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            let broke = matches!(ask(middle).result, Err(Fault::OutOfFuel(_)));
            *(if broke { &mut bad } else { &mut good }) = middle;
        }
        bad
    });
    cost.model = fit(&cost.points);
    cost
}

/// The line through the points whose relative errors are smallest in the square.
fn fit(points: &[Point]) -> Option<Model> {
    if points.len() < 3 {
        return None;
    }
    // Weighted by 1/fuel², the normal equations of base + per_row * rows.
    let (mut w, mut wx, mut wxx, mut wy, mut wxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for point in points {
        let (x, y) = (f64::from(point.rows), float(point.fuel.max(1)));
        let weight = 1.0 / (y * y);
        w += weight;
        wx += weight * x;
        wxx += weight * x * x;
        wy += weight * y;
        wxy += weight * x * y;
    }
    let determinant = w * wxx - wx * wx;
    let base = (wy * wxx - wx * wxy) / determinant;
    let per_row = (w * wxy - wx * wy) / determinant;
    let off = |point: &Point| {
        let actual = float(point.fuel.max(1));
        (base + per_row * f64::from(point.rows) - actual).abs() / actual
    };
    Some(Model {
        base,
        per_row,
        error: points.iter().map(off).fold(0.0, f64::max),
        exponent: exponent(points),
    })
}

/// The slope of fuel over rows, both on a logarithmic scale, from the middle to the end.
fn exponent(points: &[Point]) -> f64 {
    let (Some(middle), Some(last)) = (points.get(points.len() / 2), points.last()) else {
        return 1.0;
    };
    let fuel = float(last.fuel.max(1)) / float(middle.fuel.max(1));
    let rows = f64::from(last.rows) / f64::from(middle.rows.max(1));
    fuel.ln() / rows.ln()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an estimate; fuel is far below 2^53 in any case"
)]
const fn float(fuel: u64) -> f64 {
    fuel as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use wastegate_engine::policy::testing::Guest;

    fn points(fuel: impl Fn(u64) -> u64) -> Vec<Point> {
        let point = |rows| Point {
            rows,
            fuel: fuel(u64::from(rows)),
            memory_bytes: 0,
        };
        SIZES.into_iter().map(point).collect()
    }

    #[test]
    fn a_line_is_found_exactly() {
        let model = fit(&points(|rows| 5_000 + 120 * rows)).unwrap();
        assert!((model.base - 5_000.0).abs() < 1e-3, "{model:?}");
        assert!((model.per_row - 120.0).abs() < 1e-6, "{model:?}");
        assert!(model.error < 1e-9 && model.is_linear());
    }

    #[test]
    fn what_is_no_line_is_not_called_one() {
        let model = fit(&points(|rows| 1_000 + 3 * rows * rows)).unwrap();
        assert!(!model.is_linear(), "{model:?}");
        assert!((1.9..2.1).contains(&model.exponent), "{model:?}");
        assert_eq!(fit(&points(|rows| rows)[..2]), None);
    }

    /// The guest looks at every value once, in a loop of a known number of instructions.
    #[test]
    fn a_guest_that_reads_once_is_linear_and_never_breaks() {
        let program = Guest::default().program();
        let cost = cost(&program, &[0.5], Scope::User, Tier::Force);
        let model = cost.model.unwrap();
        assert!(model.error < 0.02, "{model:?}");
        assert!(model.per_row > 5.0 && model.per_row < 100.0, "{model:?}");
        assert_eq!((cost.breaks_at, cost.fault), (None, None));
        assert_eq!(cost.points[0].memory_bytes, 2 * 64 * 1024);
        let largest = cost.points.last().unwrap();
        assert!(largest.memory_bytes >= 2 * 8 * 10_000, "{largest:?}");
    }

    /// Some 5 n² instructions, whatever is needed.
    #[test]
    fn where_the_budget_breaks_is_measured() {
        let guest = Guest::ranks(
            "(local $left i32)
            (local.set $left (i32.mul
                (call $rows (local.get $columns)) (call $rows (local.get $columns))))
            (loop $burn
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br_if $burn (i32.gt_s (local.get $left) (i32.const 0))))
            (call $answer (i32.const 0) (i32.const 0))",
        );
        let program = guest.program();
        let cost = cost(&program, &[0.5], Scope::User, Tier::Force);
        let breaks = cost.breaks_at.unwrap();
        let ask = |rows| {
            let input = kit::ordinary(program.signals(), Scope::User, Tier::Force, rows);
            program.ask(&input, &[0.5], &CallOptions::OFF_PATH).result
        };
        assert!(ask(breaks - 1).is_ok());
        assert!(matches!(ask(breaks), Err(Fault::OutOfFuel(_))));
        assert!(!cost.model.unwrap().is_linear());
    }
}
