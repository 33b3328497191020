//! What an operator sets for a policy, and how it is changed on a running server.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Rollout;
use super::change::{Changed, Expected, Plan, current};
use super::load::Ready;
use crate::rollout::actor::Actor;
use crate::rollout::audit::What;
use crate::rollout::error::RolloutError;
use crate::rollout::revision::{Content, Revision};
use crate::rollout::source::PolicyName;
use wastegate_core::types::{Limits, RevisionId};
use wastegate_engine::policy::{Params, Policy};

/// A change of parameters: a number sets one, none gives it back its default.
pub type ParamsPatch = BTreeMap<String, Option<f64>>;

/// A change of limits by their names: a number sets one, null gives back the node's value.
pub type LimitsPatch = Map<String, Value>;

/// Where a new file's parameters and limits come from.
#[derive(Debug, Clone, PartialEq)]
pub enum SettingsSource {
    /// From the policy's active revision, else from its newest: an update keeps what was set.
    Inherited,
    /// From the request.
    These {
        /// The parameters that are set.
        params: Params,
        /// The limits that are set.
        limits: Limits,
    },
}

impl SettingsSource {
    /// The manifest's parameters and the node's limits.
    #[must_use]
    pub fn defaults() -> Self {
        Self::These {
            params: Params::new(),
            limits: Limits::NODES,
        }
    }
}

/// A change of what is set for a policy.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Patch {
    /// The changes of parameters.
    pub params: ParamsPatch,
    /// The changes of limits.
    pub limits: LimitsPatch,
    /// Only if this is the policy's revision.
    pub expected: Option<Expected>,
    /// Why, for the audit log; may be empty.
    pub reason: String,
}

impl Rollout {
    /// Changes a policy's parameters and limits: a new revision of the same bytes, active
    /// wherever the old one is. The old one is the active revision, else the newest.
    ///
    /// # Errors
    /// [`RolloutError`]; nothing changed then.
    pub async fn set(
        self: &Arc<Self>,
        name: PolicyName,
        patch: Patch,
        by: Actor,
    ) -> Result<(RevisionId, Changed), RolloutError> {
        let set = self
            .in_turn(move |this| this.set_now(&name, patch, &by))
            .await;
        self.fill_seats().await;
        set
    }

    fn set_now(
        &self,
        name: &PolicyName,
        patch: Patch,
        by: &Actor,
    ) -> Result<(RevisionId, Changed), RolloutError> {
        let ledger = self.ledger();
        let old = current(&ledger, name).ok_or_else(|| self.no_such(name))?;
        let next = Revision {
            by: by.clone(),
            at_unix_ms: self.clock.unix_ms(self.clock.now()),
            params: params(old, &patch.params),
            limits: limits(old, patch.limits)?,
            ..old.clone()
        };
        let ready = self.ready_with(old, &next.content())?;
        let reason = match patch.reason.as_str() {
            "" => format!("{} with other settings", old.id),
            reason => format!("{} with other settings: {reason}", old.id),
        };
        let plan = Plan {
            what: What::Set,
            reason: &reason,
            by,
        };
        let expected = patch.expected.unwrap_or(Expected(Some(old.id)));
        let mut id = old.id;
        let changed = self.change_of(&plan, Some(&next), |ledger| {
            let found = current(ledger, name).map(|revision| revision.id);
            if found != expected.0 {
                return Err(RolloutError::Changed {
                    tier: None,
                    expected: expected.0,
                    found,
                });
            }
            id = ledger.accept(next.clone());
            let tiers = ledger.tiers_of(old.id);
            let moves = ledger.put(&tiers, Some(id));
            Ok((moves, Ready::from_iter([(id, ready)])))
        })?;
        Ok((id, changed))
    }

    /// The old revision's code with other settings. Blocks.
    fn ready_with(&self, old: &Revision, content: &Content) -> Result<Arc<Policy>, RolloutError> {
        let known = self.ledger().same(content).cloned();
        let next = Revision {
            params: content.params.clone(),
            limits: content.limits,
            ..old.clone()
        };
        match known {
            Some(known) => self.ready(&known),
            None => self.load(&next),
        }
    }
}

/// A revision's parameters after a change.
fn params(revision: &Revision, patch: &ParamsPatch) -> Params {
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
fn limits(revision: &Revision, patch: LimitsPatch) -> Result<Limits, RolloutError> {
    let wrong = |error: serde_json::Error| RolloutError::Limits(error.to_string());
    let Value::Object(mut all) = serde_json::to_value(revision.limits).map_err(wrong)? else {
        return Ok(revision.limits);
    };
    for (name, value) in patch {
        // What is null is absent; a name that is none stays in, to be refused.
        all.insert(name, value);
    }
    serde_json::from_value(Value::Object(all)).map_err(wrong)
}
