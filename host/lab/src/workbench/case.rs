//! A case: a snapshot, the parameters it is asked with, and what is expected of the answer.
//!
//! # The form
//! ```json
//! { "about": "one sentence", "snapshot": "../snapshots/full-house.json",
//!   "tier": "force", "needed": 2, "params": { "patience-ms": 50000 },
//!   "expect": { "order": ["chat-1"], "victims": ["chat-1"], "spared": ["chat-2"] } }
//! ```
//! `snapshot` is one, or the file of one beside the case; `tier` and `needed` change it. `expect`
//! holds at least one expectation, and each of them includes that the policy answers. Rows are
//! named by key, or by their number in the snapshot, from 0.
//!
//! Whatever else is a snapshot is a case that expects an answer and no more: a captured fault above
//! all, with the parameters of its time.
//!
//! Not here: whether an expectation holds ([`super::expect`]), files ([`super::files`]).

pub(super) mod parse;

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::field::{nearest, quoted};
use super::snapshot::RecordedSnapshot;
use wastegate_core::types::{Signal, Tier};

/// One thing to try.
#[derive(Debug, Clone)]
pub struct Case {
    /// One sentence, if its author wrote one.
    pub about: Option<String>,
    /// What is asked.
    pub snapshot: RecordedSnapshot,
    /// With which parameters.
    pub params: CaseParams,
    /// What the answer should be.
    pub expect: Expect,
    /// What the file was.
    pub origin: CaseOrigin,
}

/// With which parameters a case is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum CaseParams {
    /// Those that are set, by name; the rest have their defaults.
    Named(BTreeMap<String, f64>),
    /// Those that were in force when a fault was captured, in the order of its policy's manifest.
    Captured(Vec<f64>),
}

/// What a file was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseOrigin {
    /// A case, with expectations of its own.
    Case,
    /// A bare snapshot.
    Snapshot,
    /// A fault that a server captured.
    Fault {
        /// Which policy it was.
        policy: String,
        /// What happened then.
        fault: String,
        /// The signals that it holds.
        signals: Vec<Signal>,
    },
    /// A line of a decision journal.
    Record {
        /// The decision's id.
        decision: u64,
        /// The signals that it holds.
        signals: Vec<Signal>,
    },
    /// The operators' view of a user.
    User,
}

impl CaseOrigin {
    /// The signals that are wanted and that a server did not write down: unknown here, and known to
    /// a server that runs a policy that reads them.
    #[must_use]
    pub fn unrecorded(&self, wanted: &[Signal]) -> Vec<Signal> {
        match self {
            Self::Fault { signals, .. } | Self::Record { signals, .. } => {
                let missing = wanted.iter().filter(|signal| !signals.contains(signal));
                missing.copied().collect()
            }
            Self::Case | Self::Snapshot | Self::User => Vec::new(),
        }
    }
}

/// What an answer should be. Rows are places of the snapshot's file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expect {
    /// The ranking begins so.
    pub order: Option<Vec<usize>>,
    /// Whom the host takes, in any order, and nobody else.
    pub victims: Option<Vec<usize>>,
    /// Who is not among the victims.
    pub spared: Option<Vec<usize>>,
    /// The ranking proposes nobody.
    pub empty: bool,
}

/// A case as it is written: names are not rows yet.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) about: Option<String>,
    pub(super) snapshot: Where,
    pub(super) tier: Option<Tier>,
    pub(super) needed: Option<u32>,
    pub(super) params: BTreeMap<String, f64>,
    pub(super) expect: DraftExpect,
}

/// Where a case's snapshot is.
#[derive(Debug)]
pub(super) enum Where {
    Here(Box<RecordedSnapshot>),
    In(PathBuf),
}

/// A row by key or number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    Key(String),
    Number(usize),
}

#[derive(Debug, Default)]
pub(super) struct DraftExpect {
    pub(super) order: Option<Vec<Named>>,
    pub(super) victims: Option<Vec<Named>>,
    pub(super) spared: Option<Vec<Named>>,
    pub(super) empty: bool,
}

impl Draft {
    /// The case, with the snapshot that it names.
    ///
    /// # Errors
    /// A sentence naming the row that the snapshot has not got.
    pub(super) fn finish(self, mut snapshot: RecordedSnapshot) -> Result<Case, String> {
        snapshot.tier = self.tier.unwrap_or(snapshot.tier);
        if self.tier.is_some() || self.needed.is_some() {
            // What the server would have taken was for another demand.
            snapshot.most = None;
        }
        snapshot.needed = self.needed.unwrap_or(snapshot.needed);
        let rows = |field: &str, named: Option<Vec<Named>>| {
            named
                .map(|named| places(&snapshot, field, &named))
                .transpose()
        };
        let expect = Expect {
            order: rows("order", self.expect.order)?,
            victims: rows("victims", self.expect.victims)?,
            spared: rows("spared", self.expect.spared)?,
            empty: self.expect.empty,
        };
        Ok(Case {
            about: self.about,
            snapshot,
            params: CaseParams::Named(self.params),
            expect,
            origin: CaseOrigin::Case,
        })
    }
}

fn places(snapshot: &RecordedSnapshot, field: &str, named: &[Named]) -> Result<Vec<usize>, String> {
    let mut found = Vec::with_capacity(named.len());
    for name in named {
        let place = place(snapshot, name).map_err(|why| format!("`expect.{field}`: {why}"))?;
        if found.contains(&place) {
            let label = snapshot.label(place);
            return Err(format!(
                "`expect.{field}`: {label} is named twice; keep one"
            ));
        }
        found.push(place);
    }
    Ok(found)
}

fn place(snapshot: &RecordedSnapshot, name: &Named) -> Result<usize, String> {
    let rows = &snapshot.rows;
    match name {
        Named::Number(number) if *number < rows.len() => Ok(*number),
        Named::Number(number) => Err(format!(
            "there is no row {number}; the snapshot has {} rows, numbered from 0",
            rows.len()
        )),
        Named::Key(key) => {
            let mut named = rows.iter().map(|row| row.key.as_deref());
            named.position(|row| row == Some(key)).ok_or_else(|| {
                let keys = rows.iter().filter_map(|row| row.key.as_deref());
                let named: Vec<&str> = keys.collect();
                let meant = match (nearest(key, named.iter().copied()), named.is_empty()) {
                    (Some(near), _) => format!("; did you mean {}?", quoted(near)),
                    (None, false) => String::new(),
                    (None, true) => {
                        "; its rows have no keys, so name them by number, from 0".to_owned()
                    }
                };
                format!("there is no row {} in the snapshot{meant}", quoted(key))
            })
        }
    }
}
