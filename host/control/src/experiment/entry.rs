//! One line of the ledger: a checksum, a space, and what happened as JSON.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::curve::CurvePoint;
use super::definition::{ACTIVE, Definition};
use super::explore::Explore;
use super::tally::{Exposure, ExposureTally};
use wastegate::observe::pseudonym::Pseudonym;
use wastegate_core::types::RevisionId;

/// Hexadecimal digits of the checksum: the first of the SHA-256 of the JSON.
const SUM_DIGITS: usize = 8;

/// One line of the ledger of experiments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LedgerEntry {
    /// An experiment was started.
    Started {
        /// When, ms since the Unix epoch.
        unix_ms: u64,
        /// The operator, or the part of the gateway, that started it.
        by: String,
        /// The definition as the operator sent it.
        definition: Definition,
    },
    /// A phase of it began: what is compared, or the limit, is another from here on.
    Phase {
        /// The experiment's name.
        experiment: String,
        /// The phase, with its arms and what they were made from.
        phase: PhaseKey,
    },
    /// More users take part; no user changes its arm.
    Coverage {
        /// The experiment's name.
        experiment: String,
        /// The share that takes part now.
        coverage: f64,
        /// When, ms since the Unix epoch.
        unix_ms: u64,
    },
    /// A user was exposed; written before the arm was asked.
    Exposed {
        /// The experiment's name.
        experiment: String,
        /// The number of the phase, from 1.
        phase: u32,
        /// On which node.
        node: String,
        /// Who, and to what.
        exposure: Exposure,
    },
    /// What has happened to a user so far. The last of a user counts, so none is counted twice.
    Tally {
        /// The experiment's name.
        experiment: String,
        /// The number of the phase, from 1.
        phase: u32,
        /// The keyed hash of the user or of the window of time.
        unit: Pseudonym,
        /// The counts since the exposure, in full and not as a difference.
        tally: ExposureTally,
    },
    /// A look of a phase that is kept for the report.
    Looked {
        /// The experiment's name.
        experiment: String,
        /// The number of the phase, from 1.
        phase: u32,
        /// What was seen.
        point: CurvePoint,
    },
    /// An experiment came to an end of some kind.
    Ended {
        /// The experiment's name.
        experiment: String,
        /// The state from now on.
        state: ExperimentState,
        /// When, ms since the Unix epoch.
        unix_ms: u64,
        /// Why, with the numbers.
        reason: String,
    },
}

/// How an experiment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExperimentState {
    /// Users are exposed.
    Running,
    /// It was found to do harm: all of its users are in the control arm until an operator stops it.
    RolledBack,
    /// An operator stopped it, or an arm cannot be had any more.
    Stopped,
}

/// What a phase is keyed by: users of two phases are never put together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseKey {
    /// Which phase, from 1.
    pub number: u32,
    /// When it began, ms since the Unix epoch.
    pub unix_ms: u64,
    /// The version of the contract with policies.
    pub contract: String,
    /// Managers that a user may hold.
    pub cap: u32,
    /// By which key users are hashed: another key makes other units of the same users. None in ledgers of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hashed_by: Option<String>,
    /// Each arm's share.
    pub weights: Vec<f64>,
    /// Each arm's policy.
    pub arms: Vec<ArmKey>,
}

/// Which code an arm is, with which settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArmKey {
    /// The arm's name within its experiment.
    pub name: String,
    /// The policy's name.
    pub policy: String,
    /// The policy's version, from its manifest.
    pub version: String,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// Its revision on this node, where it is one: arms keep to it until a new phase is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<RevisionId>,
    /// Its parameters, in its order.
    pub params: Vec<f64>,
    /// How its first choice is drawn, if at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explore: Option<Explore>,
}

impl PhaseKey {
    /// Whether the same is compared, under the same limit.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let keys = [&self.hashed_by, &other.hashed_by];
        let is_one_key = keys.contains(&&None) || self.hashed_by == other.hashed_by;
        is_one_key
            && self.contract == other.contract
            && self.cap == other.cap
            && self.weights == other.weights
            && self.arms.len() == other.arms.len()
            && self
                .arms
                .iter()
                .zip(&other.arms)
                .all(|(a, b)| a.name == b.name && a.ranks_as(b))
    }
}

impl ArmKey {
    /// The arm of a holdout that has whatever its users get without it: no policy of its own.
    #[must_use]
    pub fn of_everything(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            policy: ACTIVE.to_owned(),
            version: String::new(),
            digest: String::new(),
            revision: None,
            params: Vec::new(),
            explore: None,
        }
    }

    /// Whether it is the same code with the same settings, whatever revision it was taken in as.
    #[must_use]
    pub fn ranks_as(&self, other: &Self) -> bool {
        (&self.digest, &self.params, self.explore) == (&other.digest, &other.params, other.explore)
    }
}

/// Why a line is none of ours.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
pub enum Broken {
    /// It is not in the form of a line.
    #[error("it does not begin with a checksum of {SUM_DIGITS} digits and a space")]
    Form,
    /// Something changed it.
    #[error("its checksum is {found} and would be {expected}: the line was changed or damaged")]
    Sum { found: String, expected: String },
    /// Another version wrote it.
    #[error("it is not as this version writes it: {0}")]
    Json(#[from] serde_json::Error),
}

impl LedgerEntry {
    /// As a line, with its end.
    ///
    /// # Errors
    /// None that is known: every entry is JSON.
    pub fn line(&self) -> Result<String, serde_json::Error> {
        let json = serde_json::to_string(self)?;
        Ok(format!("{} {json}\n", sum(&json)))
    }

    /// Out of a line without its end.
    ///
    /// # Errors
    /// [`Broken`] if it is none of ours.
    pub fn parse(line: &str) -> Result<Self, Broken> {
        let (found, json) = line.split_once(' ').ok_or(Broken::Form)?;
        if found.len() != SUM_DIGITS {
            return Err(Broken::Form);
        }
        let expected = sum(json);
        if found != expected {
            let found = found.to_owned();
            return Err(Broken::Sum { found, expected });
        }
        Ok(serde_json::from_str(json)?)
    }
}

fn sum(json: &str) -> String {
    let digest = Sha256::digest(json.as_bytes());
    digest
        .iter()
        .take(SUM_DIGITS / 2)
        .fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
