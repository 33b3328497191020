//! How intervals became narrower: the looks of a phase that are kept, for the report.
//!
//! Looks are taken every two seconds, and kept at most once a minute and once in a fiftieth of the phase's age: a
//! phase of four weeks has some four hundred. Every interval is always-valid, so the whole curve
//! holds with the error of the definition, not only its last point.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metric::Metric;
use super::verdict::PhaseAssessment;

/// Looks that are kept of a phase; later ones are not.
pub const CURVE_POINTS_MAX: usize = 1_000;
/// Between two looks that are kept, ms at least.
const APART_MS: u64 = 60_000;
/// Between two looks that are kept, as a part of the phase's age, at least.
const APART_PART: u64 = 50;

/// A look that was kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CurvePoint {
    /// When it was taken, ms since the Unix epoch.
    pub unix_ms: u64,
    /// Users of each arm.
    pub users: Vec<u64>,
    /// The intervals that there were.
    pub intervals: Vec<CurveInterval>,
}

/// The interval of one metric of one arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CurveInterval {
    /// The arm's name.
    pub arm: String,
    /// The metric that is compared.
    pub metric: Metric,
    /// The arm's value less the control's.
    pub delta: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

impl CurvePoint {
    /// What an assessment says at a moment.
    pub(super) fn of(assessment: &PhaseAssessment, unix_ms: u64) -> Self {
        let comparisons = assessment.comparisons.iter();
        let intervals = comparisons.flat_map(|comparison| {
            let findings = comparison.findings.iter();
            findings.filter_map(|finding| {
                let it = finding.difference?;
                Some(CurveInterval {
                    arm: comparison.arm.clone(),
                    metric: finding.metric,
                    delta: it.delta,
                    low: it.low,
                    high: it.high,
                })
            })
        });
        Self {
            unix_ms,
            users: assessment.users.iter().map(|arm| arm.users).collect(),
            intervals: intervals.collect(),
        }
    }
}

/// Whether a look is to be kept beside those that are, of a phase that began at a moment.
pub(super) fn is_due(kept: &[CurvePoint], began_ms: u64, unix_ms: u64) -> bool {
    let last_ms = kept.last().map_or(began_ms, |point| point.unix_ms);
    let apart_ms = APART_MS.max(unix_ms.saturating_sub(began_ms) / APART_PART);
    kept.len() < CURVE_POINTS_MAX && unix_ms.saturating_sub(last_ms) >= apart_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_of_weeks_has_some_hundred_points() {
        let mut kept = Vec::new();
        let two_s_of_four_weeks = 28 * 86_400 / 2;
        for look in 1..=two_s_of_four_weeks {
            let unix_ms = 5_000 + look * 2_000;
            if is_due(&kept, 5_000, unix_ms) {
                kept.push(CurvePoint {
                    unix_ms,
                    users: Vec::new(),
                    intervals: Vec::new(),
                });
            }
        }
        assert!((300..600).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept[0].unix_ms, 65_000);
        // The last one is at most a fiftieth of the time ago.
        let last = kept.last().unwrap().unix_ms;
        assert!(last > 28 * 86_400_000 / 100 * 97, "{last}");
    }
}
