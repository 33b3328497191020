//! What each watched source reported last, and at which seats something else became active since.
//!
//! The rollout acts on a source when its content differs from the content before, and only then. The ledger
//! keeps the content before over a restart: otherwise a rollback would last until the next start, which finds
//! in the source what the operator rolled back from. A source that is away reports nothing, so nothing changes
//! here.

use serde::{Deserialize, Serialize};

use super::{Move, RevisionLedger};
use crate::rollout::source::{PolicyName, PolicyOrigin};
use wastegate_core::types::{RevisionId, Tier};

/// Reports that are kept; of more, the one that changed longest ago is removed.
pub(super) const REPORTS_MAX: usize = 512;

/// A kind of source that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Watched {
    /// The directory, or a ConfigMap that is mounted as one.
    Directory,
    /// The registry that is polled.
    Registry,
}

/// The last content that a source had for one policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The source that had it.
    pub source: Watched,
    /// Of which policy.
    pub policy: PolicyName,
    /// SHA-256 of the bytes that it brought, in hex.
    pub digest: String,
    /// Where these bytes were active and something else was put there since, as by a rollback.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Tier>,
}

impl Watched {
    /// The source that brought something; none if that source is not watched.
    #[must_use]
    pub const fn of(origin: &PolicyOrigin) -> Option<Self> {
        match origin {
            PolicyOrigin::Directory(_) => Some(Self::Directory),
            PolicyOrigin::Registry(_) => Some(Self::Registry),
            PolicyOrigin::Shipped
            | PolicyOrigin::File(_)
            | PolicyOrigin::Upload
            | PolicyOrigin::Cluster(_) => None,
        }
    }
}

impl RevisionLedger {
    /// The last content that a source had for a policy.
    #[must_use]
    pub fn reported(&self, source: Watched, policy: &PolicyName) -> Option<&Report> {
        let is = |report: &&Report| report.source == source && report.policy == *policy;
        self.reports.iter().find(is)
    }

    /// Records the content that a source has for a policy. The same content again changes nothing.
    pub fn report(&mut self, source: Watched, policy: &PolicyName, digest: &str) {
        if let Some(report) = self.reported(source, policy)
            && report.digest == digest
        {
            return;
        }
        self.reports
            .retain(|report| report.source != source || report.policy != *policy);
        if self.reports.len() >= REPORTS_MAX {
            self.reports.remove(0);
        }
        self.reports.push(Report {
            source,
            policy: policy.clone(),
            digest: digest.to_owned(),
            left: Vec::new(),
        });
    }

    /// Records at which seats a change replaced what a source reported, and at which it put that back.
    pub(crate) fn note_left(&mut self, moves: &[Move]) {
        for moved in moves {
            for (id, leaves) in [(moved.from, true), (moved.to, false)] {
                let Some(revision) = id.and_then(|id| self.revisions.get(&id)) else {
                    continue;
                };
                let of_it = self.reports.iter_mut().filter(|report| {
                    report.policy == revision.name && report.digest == revision.digest
                });
                for report in of_it {
                    report.left.retain(|tier| *tier != moved.tier);
                    if leaves {
                        report.left.push(moved.tier);
                    }
                }
            }
        }
    }

    /// Whether a revision was active and went by a rollback, as far as a seat shows: a ledger that is older than
    /// [`Report`] has nothing else.
    #[must_use]
    pub(crate) fn was_rolled_back(&self, tier: Tier, id: RevisionId) -> bool {
        let mut history = self.history(tier);
        self.has_served(id) && !history.any(|held| held.revision == Some(id))
    }
}
