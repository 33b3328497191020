//! Figures as a table.

use std::fmt;

use super::{Bench, Point};
use crate::workbench::text::grouped;

impl fmt::Display for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (policy, scope, tier) = (&self.policy, self.scope.name(), self.tier);
        writeln!(
            f,
            "{} {} ({scope} scope, tier {tier}; wall time of a call, median and minimum of {} rounds)",
            policy.name,
            policy.version,
            super::ROUNDS
        )?;
        if cfg!(debug_assertions) {
            writeln!(
                f,
                "  this program is a debug build: fuel is as ever, and times say little, the native ones least"
            )?;
        }
        writeln!(
            f,
            "  {:>9} {:>12} {:>9} {:>11} {:>11} {:>11} {:>8}",
            "rows", "fuel", "budget", "median us", "min us", "native us", "ratio"
        )?;
        self.points
            .iter()
            .try_for_each(|point| writeln!(f, "  {point}"))
    }
}

impl fmt::Display for Point {
    #[expect(clippy::cast_precision_loss, reason = "a share, for people")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9} ", grouped(u64::from(self.rows)))?;
        match self.fuel {
            Some(fuel) => {
                let share = fuel as f64 / self.budget.max(1) as f64 * 100.0;
                write!(f, "{:>12} {share:>7.0} %", grouped(fuel))?;
            }
            None => write!(f, "{:>12} {:>9}", "no answer", "")?,
        }
        write!(
            f,
            " {:>11.1} {:>11.1} {:>11.1} {:>8.1}",
            self.time.median_us,
            self.time.min_us,
            self.native.median_us,
            self.ratio()
        )?;
        match &self.fault {
            Some(fault) => write!(f, "  it {fault}"),
            None => Ok(()),
        }
    }
}
