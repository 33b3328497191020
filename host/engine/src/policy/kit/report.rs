//! What the kit found out about a policy that passed: what it costs, and where it would break.

use std::fmt;

/// Beyond this many rows nobody asks where a policy breaks.
const ROWS_MAX: u32 = 10_000_000;

/// What a policy that passed the kit costs.
#[derive(Debug, Clone, PartialEq)]
pub struct KitReport {
    /// How many calls were made.
    pub calls: u32,
    /// Fuel of a middling and of the largest call.
    pub fuel: [FuelPoint; 2],
    /// The share of its budget that the largest call used, 0 to 1.
    pub fuel_share: f64,
    /// From how many rows on it would run out of fuel, in the order that is hardest to rank or going by how
    /// its use grows; none if not within ten million.
    pub breaking_point: Option<u32>,
    /// The same when not a twentieth but all of the rows are needed.
    pub everything_breaks_at: Option<u32>,
}

/// What a call of a size used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FuelPoint {
    /// How many rows.
    pub rows: u32,
    /// Units of fuel.
    pub fuel: u64,
}

/// The share of its budget that the larger of two calls used.
pub(super) fn share(fuel: [FuelPoint; 2], budget: impl Fn(u32) -> u64) -> f64 {
    let [_, largest] = fuel;
    float(largest.fuel) / float(budget(largest.rows))
}

/// From how many rows on the budget would not do, going by two calls for which it did.
pub(super) fn breaking_point(fuel: [FuelPoint; 2], budget: impl Fn(u32) -> u64) -> Option<u32> {
    let [middle, largest] = fuel;
    let growth = Growth::through(middle, largest);
    first_failure(largest.rows, |rows| {
        growth.fuel(rows) <= float(budget(rows))
    })
}

impl fmt::Display for KitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, largest] = self.fuel;
        let (share, fuel, rows) = (self.fuel_share * 100.0, largest.fuel, largest.rows);
        write!(
            f,
            "passed {} calls; {rows} rows take {fuel} units of fuel, {share:.0} % of the budget; ",
            self.calls
        )?;
        match (self.breaking_point, self.everything_breaks_at) {
            (None, None) => f.write_str("it does not run out at any number of rows"),
            // What is too much where few are needed is too much where all are.
            (Some(few), Some(all)) if few > all => write!(
                f,
                "it runs out from about {all} rows on where all are needed, as in the background, and from about {few} on where few are"
            ),
            (Some(rows), _) => write!(f, "it runs out from about {rows} rows on"),
            (None, Some(rows)) => write!(
                f,
                "it runs out from about {rows} rows on where all are needed, as in the background, and not where few are"
            ),
        }
    }
}

/// Fuel as a power of the rows, through two points.
struct Growth {
    rows: f64,
    fuel: f64,
    exponent: f64,
}

impl Growth {
    fn through(middle: FuelPoint, largest: FuelPoint) -> Self {
        let times_fuel = float(largest.fuel) / float(middle.fuel.max(1));
        let times_rows = f64::from(largest.rows) / f64::from(middle.rows.max(1));
        Self {
            rows: f64::from(largest.rows),
            fuel: float(largest.fuel),
            exponent: times_fuel.ln() / times_rows.ln(),
        }
    }

    fn fuel(&self, rows: u32) -> f64 {
        self.fuel * (f64::from(rows) / self.rows).powf(self.exponent)
    }
}

/// The first number of rows above `fits_at` that does not fit: doubled until one fails, then halved.
fn first_failure(fits_at: u32, fits: impl Fn(u32) -> bool) -> Option<u32> {
    let (mut good, mut bad) = (fits_at, fits_at.saturating_mul(2));
    while fits(bad) {
        if bad >= ROWS_MAX {
            return None;
        }
        (good, bad) = (bad, bad.saturating_mul(2));
    }
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        *(if fits(middle) { &mut good } else { &mut bad }) = middle;
    }
    Some(bad)
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

    fn report(middle: u64, largest: u64) -> KitReport {
        let fuel =
            [(1_000, middle), (10_000, largest)].map(|(rows, fuel)| FuelPoint { rows, fuel });
        let budget = |rows| 20_000 + 1_000 * u64::from(rows);
        KitReport {
            calls: 40,
            fuel,
            fuel_share: share(fuel, budget),
            breaking_point: breaking_point(fuel, budget),
            everything_breaks_at: Some(567),
        }
    }

    #[test]
    fn linear_use_never_breaks_and_quadratic_use_soon_does() {
        let linear = report(240_000, 2_400_000);
        assert_eq!(linear.breaking_point, None);
        assert_eq!(
            linear.to_string(),
            "passed 40 calls; 10000 rows take 2400000 units of fuel, 24 % of the budget; it runs out from about 567 rows on where all are needed, as in the background, and not where few are"
        );
        let ends = |breaking_point, everything_breaks_at| {
            let report = KitReport {
                breaking_point,
                everything_breaks_at,
                ..report(240_000, 2_400_000)
            };
            let text = report.to_string();
            text.rsplit_once("; ").map(|(_, end)| end.to_owned())
        };
        let said = |text: &str| Some(text.to_owned());
        assert_eq!(
            ends(None, None),
            said("it does not run out at any number of rows")
        );
        assert_eq!(
            ends(Some(67), Some(589)),
            said("it runs out from about 67 rows on")
        );
        assert_eq!(
            ends(Some(900), Some(589)),
            said(
                "it runs out from about 589 rows on where all are needed, as in the background, and from about 900 on where few are"
            )
        );
        let breaks = report(50_000, 5_000_000).breaking_point.unwrap();
        assert!((20_000..20_050).contains(&breaks), "{breaks}");
    }
}
