//! The ledger as it is written down: JSON with a version, read strictly.
//!
//! What does not hold together is refused as a whole, with what is wrong and where: a ledger that is
//! half believed could activate the wrong policy.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::reported::{REPORTS_MAX, Report};
use super::seats::{HISTORY_MAX, Held, Stack};
use super::{Chosen, RevisionLedger};
use crate::rollout::revision::Revision;
use wastegate_core::types::{RevisionId, Tier};

/// The version of the file's shape.
const VERSION: u32 = 1;
/// The largest ledger that is read, bytes.
pub(in crate::rollout) const LEDGER_BYTES_MAX: u64 = 16 << 20;

/// Why a ledger cannot be read: what is wrong, without the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON, or not of this shape.
    #[error("it is not a ledger ({0})")]
    Shape(String),
    /// It is of another version.
    #[error("it is of version {0}, and this host reads version {VERSION}")]
    Version(u64),
    /// It contradicts itself.
    #[error("it contradicts itself: {0}")]
    Contradiction(String),
    /// It is larger than any ledger.
    #[error("it has more than {LEDGER_BYTES_MAX} bytes")]
    TooLarge,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    v: u32,
    last: Option<RevisionId>,
    changes: u64,
    revisions: Vec<Revision>,
    seats: Seats,
    served: BTreeSet<RevisionId>,
    chosen: Option<Chosen>,
    /// Not there in a ledger of before there was such a thing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reports: Vec<Report>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seats {
    proactive: Vec<Held>,
    conservative: Vec<Held>,
    moderate: Vec<Held>,
    aggressive: Vec<Held>,
    force: Vec<Held>,
}

#[derive(Deserialize)]
struct OnlyVersion {
    v: u64,
}

impl RevisionLedger {
    /// As it is written down.
    #[must_use]
    pub fn to_json(&self) -> String {
        let held = |tier| self.stack(tier).entries().to_vec();
        let file = File {
            v: VERSION,
            last: self.last,
            changes: self.changes,
            revisions: self.revisions.values().cloned().collect(),
            seats: Seats {
                proactive: held(Tier::Proactive),
                conservative: held(Tier::Conservative),
                moderate: held(Tier::Moderate),
                aggressive: held(Tier::Aggressive),
                force: held(Tier::Force),
            },
            served: self.served.clone(),
            chosen: self.chosen.clone(),
            reports: self.reports.clone(),
        };
        // Strings, numbers and maps with string keys: there is nothing that JSON cannot hold.
        serde_json::to_string_pretty(&file).unwrap_or_default()
    }

    /// What was written down.
    ///
    /// # Errors
    /// [`Unreadable`] with what is wrong.
    pub(crate) fn from_json(text: &str) -> Result<Self, Unreadable> {
        let shape = |error: serde_json::Error| Unreadable::Shape(error.to_string());
        let OnlyVersion { v } = serde_json::from_str(text).map_err(shape)?;
        if v != u64::from(VERSION) {
            return Err(Unreadable::Version(v));
        }
        let file: File = serde_json::from_str(text).map_err(shape)?;
        let Seats {
            proactive,
            conservative,
            moderate,
            aggressive,
            force,
        } = file.seats;
        let ledger = Self {
            last: file.last,
            changes: file.changes,
            revisions: file
                .revisions
                .iter()
                .map(|revision| (revision.id, revision.clone()))
                .collect(),
            seats: [proactive, conservative, moderate, aggressive, force].map(Stack::new),
            served: file.served,
            chosen: file.chosen,
            reports: file.reports,
        };
        ledger
            .check(&file.revisions)
            .map_err(Unreadable::Contradiction)?;
        Ok(ledger)
    }

    fn check(&self, listed: &[Revision]) -> Result<(), String> {
        let mut ids = BTreeSet::new();
        for revision in listed {
            let id = revision.id;
            if !ids.insert(id) {
                return Err(format!("{id} is there twice"));
            }
            if self.last.is_none_or(|last| last < id) {
                return Err(format!("{id} is above the last number that was given"));
            }
            let hex = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
            if revision.digest.len() != 64 || !revision.digest.bytes().all(hex) {
                return Err(format!("the digest of {id} is not 64 hexadecimal digits"));
            }
        }
        let known = |id: RevisionId| ids.contains(&id);
        if let Some(id) = self.served.iter().find(|id| !known(**id)) {
            return Err(format!("{id} has served and is not there"));
        }
        if self.reports.len() > REPORTS_MAX {
            return Err(format!(
                "there are more than {REPORTS_MAX} reports of sources"
            ));
        }
        for (tier, stack) in Tier::ALL.iter().zip(&self.seats) {
            let held = stack.entries();
            if held.len() > HISTORY_MAX {
                return Err(format!(
                    "the history of {tier} has more than {HISTORY_MAX} entries"
                ));
            }
            if let Some(id) = held
                .iter()
                .filter_map(|held| held.revision)
                .find(|id| !known(*id))
            {
                return Err(format!("{id} is in the seat of {tier} and is not there"));
            }
            let rises = held.is_sorted_by_key(|held| held.change);
            if !rises || held.iter().any(|held| held.change > self.changes) {
                return Err(format!("the changes of {tier} are not in order"));
            }
        }
        Ok(())
    }
}
