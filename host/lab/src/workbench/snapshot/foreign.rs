//! What a server hands out, as snapshots: a line of its decision journal, the input of a fault, and
//! its operators' view of a user. Machines write them, so an unknown field is a newer one and is
//! passed over; an unknown signal is not, since the policy would rank without it.

use serde::Deserialize;

use super::parse::{STANDINGS, no_such_signal};
use super::{ROWS_MAX, RecordedManager, RecordedSnapshot};
use wastegate_core::decision::record::RECORD_VERSION;
use wastegate_core::decision::{Class, Standing};
use wastegate_core::types::{Health, Scope, Signal, SignalRow, Tier};
use wastegate_engine::policy::TestCase;
use wastegate_engine::policy::evidence::CASE_VERSION;

/// Why what a server wrote is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::workbench) enum Foreign {
    /// It was written by another version.
    #[error("version {found} of {what} is none that this build reads; it reads version {known}")]
    Version {
        /// The kind of contract whose version differs.
        what: &'static str,
        /// The value, as the file has it.
        found: u32,
        /// What we read.
        known: u32,
    },
    /// It names a signal that we do not measure.
    #[error("{0} (a newer server may have written it)")]
    Signal(String),
    /// A word is none of its list.
    #[error("`{field}` is {word:?}, which is none that this build knows")]
    Word {
        /// The field that has the word.
        field: &'static str,
        /// The value, as the file has it.
        word: String,
    },
    /// Lists that belong together are of different lengths.
    #[error("{what} has {found} values where {expected} belong; the file is damaged")]
    Length {
        /// The list that is too long.
        what: String,
        /// The number of entries that it has.
        found: usize,
        /// What it should be.
        expected: usize,
    },
    /// More rows than a snapshot may have.
    #[error("{0} rows; a snapshot may have {ROWS_MAX} (ROWS_MAX)")]
    Rows(usize),
}

/// As much of a [`DecisionRecord`](wastegate_core::decision::DecisionRecord) as asks its question again.
#[derive(Debug, Deserialize)]
pub(in crate::workbench) struct Record {
    v: u32,
    pub(in crate::workbench) id: u64,
    now_us: u64,
    tier: Tier,
    scope: Scope,
    needed: u32,
    most: u32,
    limit: u32,
    held: u32,
    seed: u64,
    signals: Vec<String>,
    rows: Vec<RecordRow>,
}

#[derive(Debug, Deserialize)]
struct RecordRow {
    key: String,
    standing: String,
    health: String,
    class: Option<String>,
    protection: Level,
    values: Vec<Option<f64>>,
}

#[derive(Debug, Deserialize)]
struct Level {
    level: String,
}

impl Record {
    /// The signals that it holds.
    pub(in crate::workbench) fn recorded(&self) -> Result<Vec<Signal>, Foreign> {
        let mut signals = signals(&self.signals)?;
        for fact in [Signal::Health, Signal::Protection, Signal::TakenOver] {
            if !signals.contains(&fact) {
                signals.push(fact);
            }
        }
        Ok(signals)
    }

    /// What was asked. Health, protection and takeover are facts of the record, so they are known
    /// also where the policy of that time did not ask for them.
    pub(in crate::workbench) fn snapshot(self) -> Result<RecordedSnapshot, Foreign> {
        version("a decision record", self.v, RECORD_VERSION)?;
        let columns = signals(&self.signals)?;
        rows(self.rows.len())?;
        let row = |row: RecordRow| -> Result<RecordedManager, Foreign> {
            length(&format!("row {}", row.key), row.values.len(), columns.len())?;
            let mut signals = SignalRow::default();
            signals[Signal::Health] = health(&row.health)?.code();
            signals[Signal::Protection] = protection(&row.protection.level)?;
            signals[Signal::TakenOver] = match row.class.as_deref().map(Class::by_name) {
                Some(Some(Class::TakenOver)) => 1.0,
                // What is worse hides it.
                Some(Some(Class::Dead | Class::Expired)) | None => f64::NAN,
                Some(_) => 0.0,
            };
            for (&signal, value) in columns.iter().zip(&row.values) {
                signals[signal] = value.unwrap_or(f64::NAN);
            }
            Ok(RecordedManager {
                key: Some(row.key),
                standing: Some(standing(&row.standing)?),
                signals,
            })
        };
        Ok(RecordedSnapshot {
            tier: self.tier,
            scope: self.scope,
            needed: self.needed,
            most: Some(self.most),
            limit: self.limit,
            held: self.held,
            now_ms: self.now_us / 1_000,
            seed: self.seed,
            as_asked: true,
            rows: self.rows.into_iter().map(row).collect::<Result<_, _>>()?,
        })
    }
}

/// The signals that a captured fault holds.
pub(in crate::workbench) fn recorded(case: &TestCase) -> Result<Vec<Signal>, Foreign> {
    signals(&case.signals)
}

/// The input of a fault, to be asked again.
pub(in crate::workbench) fn fault(case: &TestCase) -> Result<RecordedSnapshot, Foreign> {
    version("a captured fault", case.v, CASE_VERSION)?;
    let names = signals(&case.signals)?;
    length("`columns`", case.columns.len(), names.len())?;
    let input = case.input();
    rows(input.rows as usize)?;
    let mut managers = vec![
        RecordedManager {
            key: None,
            standing: None,
            signals: SignalRow::default(),
        };
        input.rows as usize
    ];
    for (&signal, column) in names.iter().zip(&input.columns) {
        length(signal.name(), column.len(), managers.len())?;
        for (manager, &value) in managers.iter_mut().zip(column) {
            manager.signals[signal] = value;
        }
    }
    Ok(RecordedSnapshot {
        tier: input.tier,
        scope: input.scope,
        needed: input.needed,
        most: Some(input.needed),
        limit: input.limit,
        held: input.held,
        now_ms: input.now_ms,
        seed: input.seed,
        as_asked: true,
        rows: managers,
    })
}

/// The answer of `GET /v1/users/{user}`.
#[derive(Debug, Deserialize)]
pub(in crate::workbench) struct UserView {
    held: u32,
    limit: u32,
    /// Temporary slots beside the limit. Older servers say nothing of them: there they are in `limit`.
    #[serde(default)]
    lent: u32,
    managers: Vec<ManagerView>,
}

#[derive(Debug, Deserialize)]
struct ManagerView {
    key: String,
    standing: String,
    signals: serde_json::Map<String, serde_json::Value>,
}

impl UserView {
    /// What the host knows of the user, as it would ask at `force` for one more place.
    pub(in crate::workbench) fn snapshot(self) -> Result<RecordedSnapshot, Foreign> {
        rows(self.managers.len())?;
        let row = |view: ManagerView| -> Result<RecordedManager, Foreign> {
            let mut signals = SignalRow::default();
            for (name, value) in &view.signals {
                let signal =
                    Signal::by_name(name).ok_or_else(|| Foreign::Signal(no_such_signal(name)))?;
                signals[signal] = value.as_f64().unwrap_or(f64::NAN);
            }
            Ok(RecordedManager {
                key: Some(view.key),
                standing: Some(standing(&view.standing)?),
                signals,
            })
        };
        Ok(RecordedSnapshot {
            tier: Tier::Force,
            scope: Scope::User,
            needed: 1,
            most: None,
            limit: self.limit.saturating_add(self.lent),
            held: self.held,
            now_ms: 1_000_000,
            seed: 0,
            as_asked: false,
            rows: self
                .managers
                .into_iter()
                .map(row)
                .collect::<Result<_, _>>()?,
        })
    }
}

fn version(what: &'static str, found: u32, known: u32) -> Result<(), Foreign> {
    if found == known {
        return Ok(());
    }
    Err(Foreign::Version { what, found, known })
}

fn rows(count: usize) -> Result<(), Foreign> {
    if count <= ROWS_MAX {
        return Ok(());
    }
    Err(Foreign::Rows(count))
}

fn length(what: &str, found: usize, expected: usize) -> Result<(), Foreign> {
    if found == expected {
        return Ok(());
    }
    let what = what.to_owned();
    Err(Foreign::Length {
        what,
        found,
        expected,
    })
}

fn signals(names: &[String]) -> Result<Vec<Signal>, Foreign> {
    let known =
        |name: &String| Signal::by_name(name).ok_or_else(|| Foreign::Signal(no_such_signal(name)));
    names.iter().map(known).collect()
}

fn standing(word: &str) -> Result<Standing, Foreign> {
    let known = STANDINGS.iter().find(|(known, _)| *known == word);
    known
        .map(|(_, standing)| *standing)
        .ok_or_else(|| other("standing", word))
}

fn health(word: &str) -> Result<Health, Foreign> {
    let mut all = Health::ALL.into_iter();
    all.find(|health| health.name() == word)
        .ok_or_else(|| other("health", word))
}

fn protection(word: &str) -> Result<f64, Foreign> {
    match word {
        "evictable" => Ok(0.0),
        "protected" => Ok(1.0),
        "pinned" => Ok(2.0),
        _ => Err(other("protection", word)),
    }
}

fn other(field: &'static str, word: &str) -> Foreign {
    let word = word.to_owned();
    Foreign::Word { field, word }
}
