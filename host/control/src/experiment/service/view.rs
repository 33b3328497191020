//! What operators see of experiments.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::curve::CurvePoint;
use super::super::definition::Definition;
use super::super::entry::{ExperimentState, PhaseKey};
use super::super::error::ExperimentError;
use super::super::ramp::RampView;
use super::super::running::Running;
use super::super::tally::Exposure;
use super::super::verdict::PhaseAssessment;
use super::Experiments;
use super::look::assess;
use crate::page::timestamp;

/// One experiment, as the operators' API shows it and the program's own commands read it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ExperimentView {
    /// The experiment's name.
    pub name: String,
    /// Whether it runs, was rolled back, or was stopped.
    pub state: ExperimentState,
    /// Why it came to an end, if it did.
    pub reason: String,
    /// Counts changes of who ranks.
    pub generation: u32,
    /// The operator that started it.
    pub by: String,
    /// When, ms since the Unix epoch.
    pub started_unix_ms: u64,
    /// When this was looked at, ms since the Unix epoch.
    pub seen_unix_ms: u64,
    /// The definition as the operator sent it.
    pub definition: Definition,
    /// What is compared now.
    pub phase: PhaseKey,
    /// Whether it outlives the process as it is now: false in memory only, and as long as the disk has not
    /// taken its end.
    pub durable: bool,
    /// Arms whose policy has another revision by now than the one that ranks for them: `renew` takes it.
    pub outdated: Vec<String>,
    /// What the numbers of this phase say.
    pub assessment: PhaseAssessment,
    /// What its ramp does next, if it has one that goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<RampView>,
    /// How its intervals became narrower: looks of this phase, in order.
    #[serde(default)]
    pub curve: Vec<CurvePoint>,
}

/// The answer to `POST /v1/experiments/{name}/renew`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RenewAnswer {
    /// The experiment as it is now.
    #[serde(flatten)]
    pub experiment: ExperimentView,
    /// Whether a new phase began: false where every arm had the newest revision already.
    #[serde(default)]
    pub renewed: bool,
}

/// The answer to `GET /v1/experiments`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ExperimentList {
    /// All of them, in the order in which they were started.
    pub experiments: Vec<ExperimentView>,
}

impl Experiments {
    /// All experiments, in the order in which they were started.
    #[must_use]
    pub fn views(&self) -> Vec<ExperimentView> {
        let all = self.roster.all();
        all.iter().map(|running| self.view_of(running)).collect()
    }

    /// How many are kept.
    #[must_use]
    pub fn count(&self) -> usize {
        self.roster.all().len()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`ExperimentError::NoSuch`].
    pub fn view(&self, name: &str) -> Result<ExperimentView, ExperimentError> {
        let running = self.named(name)?;
        Ok(self.view_of(&running))
    }

    fn view_of(&self, running: &Running) -> ExperimentView {
        let seen_unix_ms = self.unix_ms();
        let durable = self.ledger.lock().is_durable();
        let outdated = self.outdated(running, |_| true);
        let mut now = running.now.lock();
        let assessment = assess(&mut now, seen_unix_ms);
        ExperimentView {
            name: running.name.clone(),
            state: now.state,
            reason: now.reason.clone(),
            generation: now.generation,
            by: running.by.clone(),
            started_unix_ms: running.unix_ms,
            seen_unix_ms,
            definition: now.definition.clone(),
            phase: now.phase.clone(),
            durable: durable && !now.is_end_unwritten,
            outdated,
            ramp: now
                .ramp(seen_unix_ms, &assessment)
                .filter(|_| now.state == ExperimentState::Running),
            assessment,
            curve: now.curve.clone(),
        }
    }

    /// The exposures of the current phase as GrowthBook reads them: CSV with `user_id`, `timestamp`,
    /// `experiment_id`, `variation_id`, and what else was known. Users are keyed hashes.
    ///
    /// # Errors
    /// [`ExperimentError::NoSuch`].
    pub fn export(&self, name: &str) -> Result<String, ExperimentError> {
        let running = self.named(name)?;
        let now = running.now.lock();
        let mut exposures: Vec<&Exposure> = now.members.values().map(|it| &it.exposure).collect();
        exposures.sort_unstable_by_key(|exposure| (exposure.unix_ms, exposure.unit));
        let mut csv = String::from(
            "user_id,timestamp,experiment_id,variation_id,variation_name,bucket,phase,tier,held,user_limit,node\n",
        );
        for it in exposures {
            let arm = now
                .definition
                .arms
                .get(it.arm)
                .map_or("", |arm| arm.name.as_str());
            // Writing to a string cannot fail.
            let _ = writeln!(
                csv,
                "{},{},{name},{},{arm},{},{},{},{},{},{}",
                it.unit,
                timestamp(it.unix_ms),
                it.arm,
                it.place,
                now.phase.number,
                it.tier.name(),
                it.held,
                it.limit,
                cell(&self.given.node),
            );
        }
        Ok(csv)
    }
}

/// A cell of a CSV file (RFC 4180).
fn cell(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted() {
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
