//! What the shared document says: what ranks at each tier, on whose word.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::SharingError;
use crate::rollout::ledger::RevisionLedger;
use crate::rollout::revision::{Content, Revision};
use crate::rollout::source::PolicyName;
use wastegate_cluster::shared::{DOCUMENT_BYTES_MAX, Document};
use wastegate_core::types::{Limits, Tier};
use wastegate_engine::policy::Params;

/// What all nodes of a cluster rank by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SharedSeats {
    /// The operator, as its node's audit log has it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The node (`cluster.node`) whose seats these were.
    pub node: String,
    /// When, ms since the Unix epoch by that node's clock.
    pub at_unix_ms: u64,
    /// The policy of each tier; null for the built-in ranking.
    pub seats: BTreeMap<Tier, Option<SharedPolicy>>,
}

/// A policy with its settings, by what is the same on every node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SharedPolicy {
    /// The name that it is deployed under.
    #[schemars(with = "String")]
    pub name: PolicyName,
    /// The version that its manifest says.
    pub version: String,
    /// SHA-256 of its bytes, in hex.
    pub digest: String,
    /// Its signature in minisign's format, which each node checks by its own keys; null if it has none.
    #[serde(default)]
    pub signature: Option<String>,
    /// The parameters that are set; the rest keep their defaults.
    pub params: Params,
    /// The limits that are its own; the rest are each node's.
    pub limits: Limits,
}

impl SharedSeats {
    /// What is active on this node, tier by tier.
    pub(super) fn seats_of(ledger: &RevisionLedger) -> BTreeMap<Tier, Option<SharedPolicy>> {
        let active = |tier: Tier| {
            let revision = ledger.revision(ledger.active(tier)?)?;
            Some(SharedPolicy::of(revision))
        };
        Tier::ALL
            .into_iter()
            .map(|tier| (tier, active(tier)))
            .collect()
    }

    /// Whether a node with that ledger ranks by it.
    pub(super) fn is_followed_by(&self, ledger: &RevisionLedger) -> bool {
        let here = Self::seats_of(ledger);
        let same = |tier: &Tier, there: &Option<SharedPolicy>| {
            let here = here.get(tier).and_then(Option::as_ref);
            here.map(SharedPolicy::content) == there.as_ref().map(SharedPolicy::content)
        };
        self.seats.iter().all(|(tier, there)| same(tier, there))
    }

    /// The digests of its files, each once.
    pub(super) fn files(&self) -> Vec<String> {
        let policies = self.seats.values().flatten();
        let mut digests: Vec<String> = policies.map(|policy| policy.digest.clone()).collect();
        digests.sort_unstable();
        digests.dedup();
        digests
    }

    /// As it is written.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, SharingError> {
        let bytes = serde_json::to_vec(self).map_err(|error| SharingError::Unreadable {
            number: 0,
            why: error.to_string(),
        })?;
        if bytes.len() > DOCUMENT_BYTES_MAX {
            return Err(SharingError::TooLong(bytes.len()));
        }
        Ok(bytes)
    }

    /// From what another node wrote, perhaps of another version.
    pub(super) fn read(document: &Document) -> Result<Self, SharingError> {
        serde_json::from_slice(&document.text).map_err(|error| SharingError::Unreadable {
            number: document.number,
            why: error.to_string(),
        })
    }
}

impl SharedPolicy {
    fn of(revision: &Revision) -> Self {
        let Content {
            digest,
            params,
            limits,
        } = revision.content();
        Self {
            name: revision.name.clone(),
            version: revision.version.clone(),
            digest,
            signature: revision.signature.clone(),
            params,
            limits,
        }
    }

    /// What makes it a revision of its own on a node.
    pub(super) fn content(&self) -> Content {
        Content {
            digest: self.digest.clone(),
            params: self.params.clone(),
            limits: self.limits,
        }
    }
}
