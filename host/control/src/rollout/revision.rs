//! One accepted file with its parameters and limits.
//!
//! A revision never changes. What state it is in is not written here: that follows from where it is
//! (in a seat, in memory, on disk) and how its breaker stands, and is computed when it is read
//! (`view`).

use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::source::{PolicyName, PolicyOrigin};
use wastegate_core::types::{Limits, RevisionId};
use wastegate_engine::policy::Params;

/// What makes a file with its settings a revision of its own: the same again is the same revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// SHA-256 of the bytes, in hex.
    pub digest: String,
    /// The parameters that are set, by name; the rest keep their defaults.
    pub params: Params,
    /// The limits that are its own; the rest are the node's.
    pub limits: Limits,
}

/// A revision. Numbered from 1 within a deployment and never renumbered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// The number; given once, also over restarts.
    pub id: RevisionId,
    /// The policy's name, as its manifest says.
    pub name: PolicyName,
    /// The version that its manifest says.
    pub version: String,
    /// SHA-256 of its bytes, in hex: 64 digits.
    pub digest: String,
    /// How many bytes it has.
    pub size: u64,
    /// Where it came from.
    pub origin: PolicyOrigin,
    /// Its signature as it came, to be checked again whenever the bytes are loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The key that it was signed with and what the signer wrote; none if no signature was required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<String>,
    /// The operator or the source that submitted it.
    pub by: Actor,
    /// When, ms since the Unix epoch.
    pub at_unix_ms: u64,
    /// The parameters that are set, by name; the rest keep their defaults.
    pub params: Params,
    /// The limits that are its own; the rest are the node's.
    pub limits: Limits,
}

impl Revision {
    /// Whether this is what a file with these settings would become.
    #[must_use]
    pub fn is(&self, content: &Content) -> bool {
        self.digest == content.digest
            && self.params == content.params
            && self.limits == content.limits
    }

    /// What it is made of.
    #[must_use]
    pub fn content(&self) -> Content {
        Content {
            digest: self.digest.clone(),
            params: self.params.clone(),
            limits: self.limits,
        }
    }
}
