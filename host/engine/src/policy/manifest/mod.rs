//! What a policy says of itself, checked before anybody relies on it.
//!
//! All that is wrong is told at once, one sentence each, with the nearest name where one was
//! mistyped. Not here: the bytes it comes from (`load`), and whether it keeps its word (`kit`).

mod problem;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use wastegate_core::types::spelling;

pub use problem::{BadParameter, ManifestProblem};

use wastegate_core::types::{Scope, Signal};

/// The longest name of a policy or a parameter, bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// The longest sentence: a summary, a doc or a reason, bytes.
pub const SENTENCE_BYTES_MAX: usize = 512;
/// How many parameters and how many reasons a policy may have.
pub const LIST_MAX: usize = 64;

/// A checked manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Lower case words joined by hyphens.
    pub name: Arc<str>,
    /// The version, as `major.minor.patch`.
    pub version: Arc<str>,
    /// One sentence for the operator.
    pub summary: String,
    /// The columns it wants, in its order.
    pub signals: Arc<[Signal]>,
    /// The parameters it understands, in its order.
    pub parameters: Vec<Parameter>,
    /// What its choices refer to; at least one.
    pub reasons: Arc<[String]>,
    /// Where it can rank; at least one.
    pub scopes: Vec<Scope>,
}

/// A number that the operator may set.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Lower case words joined by hyphens, unique in the manifest.
    pub name: String,
    /// Used where the operator sets nothing; within `min` and `max`.
    pub default: f64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// One sentence for the operator, with the unit.
    pub doc: String,
}

/// A manifest as it came from the guest.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "it is for the tests of other crates")]
#[doc(hidden)]
pub struct RawManifest {
    pub name: String,
    pub version: String,
    pub summary: String,
    pub signals: Vec<String>,
    pub parameters: Vec<Parameter>,
    pub reasons: Vec<String>,
    pub scopes: Vec<Scope>,
}

impl Manifest {
    /// Checks what a guest said.
    pub(super) fn check(raw: RawManifest) -> Result<Self, Vec<ManifestProblem>> {
        let mut problems = Vec::new();
        identity(&raw, &mut problems);
        let signals = signals(&raw.signals, &mut problems);
        parameters(&raw.parameters, &mut problems);
        reasons(&raw.reasons, &mut problems);
        if raw.scopes.is_empty() {
            problems.push(ManifestProblem::NoScopes);
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            name: raw.name.into(),
            version: raw.version.into(),
            summary: raw.summary,
            signals: signals.into(),
            parameters: raw.parameters,
            reasons: raw.reasons.into(),
            scopes: raw.scopes,
        })
    }

    /// The values of its parameters, in its order: what was set, else the default.
    ///
    /// # Errors
    /// Everything that was set and is unknown or out of range.
    pub fn params(&self, set: &BTreeMap<String, f64>) -> Result<Arc<[f64]>, Vec<BadParameter>> {
        let mut bad: Vec<BadParameter> = set
            .keys()
            .filter(|name| !self.parameters.iter().any(|known| known.name == **name))
            .map(|name| self.unknown(name))
            .collect();
        let mut values = Vec::with_capacity(self.parameters.len());
        for known in &self.parameters {
            let value = set.get(&known.name).copied().unwrap_or(known.default);
            if !(known.min..=known.max).contains(&value) {
                bad.push(BadParameter::OutOfRange {
                    name: known.name.clone(),
                    value,
                    min: known.min,
                    max: known.max,
                });
            }
            values.push(value);
        }
        if bad.is_empty() {
            Ok(values.into())
        } else {
            Err(bad)
        }
    }

    fn unknown(&self, name: &str) -> BadParameter {
        let names = self.parameters.iter().map(|known| known.name.as_str());
        match spelling::closest(name, names) {
            Some(nearest) => BadParameter::Unknown {
                name: name.to_owned(),
                nearest: nearest.to_owned(),
            },
            None => BadParameter::None(name.to_owned()),
        }
    }
}

fn identity(raw: &RawManifest, problems: &mut Vec<ManifestProblem>) {
    name("policy", &raw.name, problems);
    let numbers: Vec<&str> = raw.version.split('.').collect();
    let is_number =
        |part: &&str| (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if numbers.len() != 3 || !numbers.iter().all(is_number) {
        problems.push(ManifestProblem::Version(super::call::clip(&raw.version)));
    }
    sentence("summary", &raw.summary, problems);
}

fn signals(names: &[String], problems: &mut Vec<ManifestProblem>) -> Vec<Signal> {
    let mut signals = Vec::new();
    for name in names.iter().take(Signal::COUNT * 2) {
        match Signal::by_name(name) {
            Some(signal) if signals.contains(&signal) => {
                problems.push(ManifestProblem::SignalTwice(signal.name()));
            }
            Some(signal) => signals.push(signal),
            None => {
                let name = super::call::clip(name);
                let nearest = Signal::nearest(&name);
                problems.push(ManifestProblem::UnknownSignal { name, nearest });
            }
        }
    }
    if names.len() > Signal::COUNT * 2 {
        problems.push(ManifestProblem::TooMany {
            what: "signals",
            count: names.len(),
        });
    }
    signals
}

fn parameters(parameters: &[Parameter], problems: &mut Vec<ManifestProblem>) {
    too_many("parameters", parameters.len(), problems);
    let mut seen = HashSet::new();
    for parameter in parameters.iter().take(LIST_MAX) {
        let Parameter {
            default, min, max, ..
        } = *parameter;
        name("parameter", &parameter.name, problems);
        sentence(
            &format!("doc of `{}`", super::call::clip(&parameter.name)),
            &parameter.doc,
            problems,
        );
        let name = super::call::clip(&parameter.name);
        if !seen.insert(&parameter.name) {
            problems.push(ManifestProblem::ParameterTwice(name.clone()));
        }
        if !(min.is_finite() && max.is_finite() && min <= max) {
            problems.push(ManifestProblem::Range { name, min, max });
        } else if !(min..=max).contains(&default) {
            problems.push(ManifestProblem::Default {
                name,
                default,
                min,
                max,
            });
        }
    }
}

fn reasons(reasons: &[String], problems: &mut Vec<ManifestProblem>) {
    too_many("reasons", reasons.len(), problems);
    if reasons.is_empty() {
        problems.push(ManifestProblem::NoReasons);
    }
    for (index, reason) in reasons.iter().enumerate().take(LIST_MAX) {
        if reason.trim().is_empty() {
            problems.push(ManifestProblem::EmptyReason(index));
        }
        sentence(&format!("reason {index}"), reason, problems);
    }
}

fn too_many(what: &'static str, count: usize, problems: &mut Vec<ManifestProblem>) {
    if count > LIST_MAX {
        problems.push(ManifestProblem::TooMany { what, count });
    }
}

fn sentence(what: &str, text: &str, problems: &mut Vec<ManifestProblem>) {
    if text.len() > SENTENCE_BYTES_MAX {
        problems.push(ManifestProblem::Sentence {
            what: what.to_owned(),
            bytes: text.len(),
        });
    }
}

fn name(what: &'static str, name: &str, problems: &mut Vec<ManifestProblem>) {
    if !is_name(name) {
        problems.push(ManifestProblem::Name {
            what,
            name: super::call::clip(name),
        });
    }
}

/// Whether a policy or a parameter may have this name: lower case words joined by hyphens, a letter
/// first, at most [`NAME_BYTES_MAX`] bytes.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let starts_well = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    starts_well && name.len() <= NAME_BYTES_MAX && name.split('-').all(word)
}
