//! Figures that were saved, and what changed since. Only fuel is compared: it is exact, so a build
//! can be made to fail by it, and it means something within one version of the engine only.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Bench;
use crate::workbench::text::grouped;
use wastegate_engine::policy::engine::ENGINE_VERSION;

/// The version of the file's own shape.
const VERSION: u32 = 1;

/// Figures in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    v: u32,
    engine: String,
    policies: Vec<Saved>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Saved {
    name: String,
    version: String,
    digest: String,
    points: Vec<SavedPoint>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SavedPoint {
    rows: u32,
    fuel: Option<u64>,
    /// For whoever reads the file; never compared.
    median_us: f64,
}

/// Why saved figures cannot be compared with.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It is not a file of ours.
    #[error("these are no figures that `wastegate policy bench --save` wrote")]
    Malformed(#[source] serde_json::Error),
    /// Its shape is of another time.
    #[error(
        "these figures were saved in form {0}, and this program reads form {VERSION}: save them anew"
    )]
    Version(u32),
    /// Its figures are another engine's.
    #[error(
        "these figures were taken on {saved} and this program runs {ENGINE_VERSION}: fuel is comparable within one version only, so save them anew"
    )]
    Engine {
        /// The engine that they were taken on.
        saved: String,
    },
}

/// What became of one figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FigureChange {
    /// The name and version of the policy.
    pub policy: String,
    /// With how many rows.
    pub rows: u32,
    /// Units of fuel as saved; none if it gave no answer then.
    pub before: Option<u64>,
    /// Units of fuel now; none if it gives no answer.
    pub now: Option<u64>,
}

impl Baseline {
    /// Of the figures of this run.
    #[must_use]
    pub fn of(benches: &[Bench]) -> Self {
        let saved = benches.iter().map(|bench| Saved {
            name: bench.policy.name.as_ref().to_owned(),
            version: bench.policy.version.as_ref().to_owned(),
            digest: bench.policy.digest.as_ref().to_owned(),
            points: bench
                .points
                .iter()
                .map(|point| SavedPoint {
                    rows: point.rows,
                    fuel: point.fuel,
                    median_us: point.time.median_us,
                })
                .collect(),
        });
        Self {
            v: VERSION,
            engine: ENGINE_VERSION.to_owned(),
            policies: saved.collect(),
        }
    }

    /// As a file.
    #[must_use]
    pub fn text(&self) -> String {
        // No map with keys that are no strings, no number that is none: it cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// From a file.
    ///
    /// # Errors
    /// [`BaselineError`] if it is none of ours, or not comparable.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let baseline: Self = serde_json::from_str(text).map_err(BaselineError::Malformed)?;
        if baseline.v != VERSION {
            return Err(BaselineError::Version(baseline.v));
        }
        if baseline.engine != ENGINE_VERSION {
            return Err(BaselineError::Engine {
                saved: baseline.engine,
            });
        }
        Ok(baseline)
    }

    /// Every figure that is in both, in the order of this run. Policies go by their names: a changed
    /// policy has another digest.
    #[must_use]
    pub fn changes(&self, benches: &[Bench]) -> Vec<FigureChange> {
        let mut changes = Vec::new();
        for bench in benches {
            let saved = self.policies.iter().find(|s| s.name == *bench.policy.name);
            for point in &bench.points {
                let saved = saved.and_then(|s| s.points.iter().find(|p| p.rows == point.rows));
                if let Some(saved) = saved {
                    changes.push(FigureChange {
                        policy: bench.policy.name.as_ref().to_owned(),
                        rows: point.rows,
                        before: saved.fuel,
                        now: point.fuel,
                    });
                }
            }
        }
        changes
    }
}

impl FigureChange {
    /// By how much fuel grew, percent; infinite where there was an answer and is none, none where
    /// there was none to compare with.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a percentage; fuel is far below 2^53"
    )]
    pub fn growth(&self) -> Option<f64> {
        let before = self.before?;
        Some(match self.now {
            Some(now) => (now as f64 - before as f64) / before.max(1) as f64 * 100.0,
            None => f64::INFINITY,
        })
    }
}

impl fmt::Display for FigureChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fuel = |fuel: Option<u64>| fuel.map_or_else(|| "no answer".to_owned(), grouped);
        let (before, now) = (fuel(self.before), fuel(self.now));
        let (policy, rows) = (&self.policy, grouped(u64::from(self.rows)));
        write!(f, "{policy}, {rows} rows: {before} -> {now}")?;
        match self.growth() {
            Some(growth) if growth.is_finite() => write!(f, " ({growth:+.2} %)"),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(before: Option<u64>, now: Option<u64>) -> FigureChange {
        FigureChange {
            policy: "p".to_owned(),
            rows: 1_000,
            before,
            now,
        }
    }

    #[test]
    fn growth_is_in_percent_and_no_answer_is_the_worst() {
        assert_eq!(change(Some(200), Some(205)).growth(), Some(2.5));
        assert_eq!(change(Some(200), Some(100)).growth(), Some(-50.0));
        assert_eq!(change(Some(200), None).growth(), Some(f64::INFINITY));
        assert_eq!(change(None, Some(1)).growth(), None);
        let report = [
            change(Some(20_000), Some(20_500)).to_string(),
            change(Some(1), None).to_string(),
        ];
        assert_eq!(
            report,
            [
                "p, 1,000 rows: 20,000 -> 20,500 (+2.50 %)",
                "p, 1,000 rows: 1 -> no answer"
            ]
        );
    }

    #[test]
    fn only_figures_of_this_engine_are_compared_with() {
        let ours = Baseline::of(&[]);
        assert_eq!(Baseline::parse(&ours.text()).unwrap(), ours);
        let message = |text: &str| Baseline::parse(text).unwrap_err().to_string();
        assert_eq!(
            message(&ours.text().replace(ENGINE_VERSION, "wasmtime 1.0.0")),
            format!(
                "these figures were taken on wasmtime 1.0.0 and this program runs {ENGINE_VERSION}: fuel is comparable within one version only, so save them anew"
            )
        );
        assert_eq!(
            message(&ours.text().replace("\"v\": 1", "\"v\": 9")),
            "these figures were saved in form 9, and this program reads form 1: save them anew"
        );
        assert_eq!(
            message("{}"),
            "these are no figures that `wastegate policy bench --save` wrote"
        );
    }
}
