//! What an operator sets for a policy, and how a change of it is put.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::policy::Params;
use crate::rollout::error::Refused;
use crate::rollout::revision::Revision;
use crate::types::Limits;

/// A change of parameters: a number sets one, none gives it back its default.
pub type ParamsPatch = BTreeMap<String, Option<f64>>;

/// A change of limits by their names: a number sets one, null gives back the node's value.
pub type LimitsPatch = Map<String, Value>;

/// Where a new file's parameters and limits come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Settings {
    /// From the policy's revision in charge, else from its newest: an update keeps what was set.
    Inherited,
    /// These.
    These {
        /// The parameters that are set.
        params: Params,
        /// The limits that are set.
        limits: Limits,
    },
}

impl Settings {
    /// Every default.
    #[must_use]
    pub fn defaults() -> Self {
        Self::These {
            params: Params::new(),
            limits: Limits::NODES,
        }
    }
}

/// A revision's parameters after a change.
pub(super) fn params(revision: &Revision, patch: &ParamsPatch) -> Params {
    let mut params = revision.params.clone();
    for (name, value) in patch {
        match value {
            Some(value) => params.insert(name.clone(), *value),
            None => params.remove(name),
        };
    }
    params
}

/// A revision's limits after a change.
pub(super) fn limits(revision: &Revision, patch: LimitsPatch) -> Result<Limits, Refused> {
    let wrong = |error: serde_json::Error| Refused::Limits(error.to_string());
    let Value::Object(mut all) = serde_json::to_value(revision.limits).map_err(wrong)? else {
        return Ok(revision.limits);
    };
    for (name, value) in patch {
        // What is null is absent; a name that is none stays in, to be refused.
        all.insert(name, value);
    }
    serde_json::from_value(Value::Object(all)).map_err(wrong)
}
