//! What a replay needs besides events: lines `{"decision": …}`, `{"sweep": …}` and `{"limit": …}`. They are
//! no events of a manager, and their place among the lines means nothing: each says its own time.

use std::sync::Arc;

use serde::Serialize;

use crate::observe::pseudonym::Pseudonym;
use wastegate_core::decision::PolicyRef;
use wastegate_core::types::{DecisionId, Scope, Tier};

/// A decision that evicted somebody: what was asked of whom.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecisionAside {
    /// The id behind its evictions. Unique within one life of the process.
    pub id: DecisionId,
    /// How hard the host was looking.
    pub tier: Tier,
    /// Whose managers were ranked.
    pub scope: Scope,
    /// How many had to go.
    pub needed: u32,
    /// The limit that the scope was held to.
    pub limit: u32,
    /// How many managers it held, those on their way in included.
    pub held: u32,
    /// It was the last tier of the admission: the built-in ranking completes the plan.
    #[serde(skip_serializing_if = "is_false")]
    pub last: bool,
    /// Whose order was followed; the host's own where a policy gave none that could be used.
    pub policy: PolicyRef,
    /// Its parameters, in its order.
    #[serde(skip_serializing_if = "is_empty")]
    pub params: Arc<[f64]>,
    /// Which experiment's phase and arm it was asked for, if for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arm: Option<Arc<str>>,
    /// The host drew its first choice at random.
    #[serde(skip_serializing_if = "is_false")]
    pub drawn: bool,
    /// From which its randomness was derived.
    pub seed: u64,
}

/// A line beside the events.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Aside {
    /// A decision took managers.
    Decision {
        /// When its snapshot was taken: milliseconds since the Unix epoch.
        t_ms: u64,
        /// Whose managers; none where they are many users'.
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<Pseudonym>,
        /// What was asked of whom.
        #[serde(flatten)]
        decision: DecisionAside,
        /// Victims of the plan that were not evicted: they had changed since the snapshot, or were not
        /// needed any more. Of one user's decisions only.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        spared: Vec<Pseudonym>,
    },
    /// The background pass began.
    Sweep {
        /// When: milliseconds since the Unix epoch.
        t_ms: u64,
    },
    /// A user may hold another number of managers from now on.
    Limit {
        /// When: milliseconds since the Unix epoch.
        t_ms: u64,
        /// Whose limit.
        user: Pseudonym,
        /// How many; null for as many as everybody.
        managers: Option<u32>,
    },
}

fn is_empty(params: &Arc<[f64]>) -> bool {
    params.is_empty()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(is: &bool) -> bool {
    !*is
}
