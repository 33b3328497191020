//! Which levers are set, as one value.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::LeverError;
use super::everywhere::LiftedLevers;
use super::revocation::Revocations;
use crate::rollout::Actor;
use wastegate_core::types::UserId;

/// Limits, blocks, pins and revocations that may be set at once.
pub const LEVERS_MAX: usize = 10_000;

/// Who set a lever, why, and until when it lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeverTerms {
    /// The operator who set it.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// When it was set, ms since the Unix epoch.
    pub set_unix_ms: u64,
    /// When it ends by itself, ms since the Unix epoch; none if it does not.
    pub until_unix_ms: Option<u64>,
    /// The node of the cluster where it was set; none for a lever of one node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub node: Option<Arc<str>>,
}

impl LeverTerms {
    /// Whether its time is over by then.
    pub(super) fn is_over(&self, unix_ms: u64) -> bool {
        self.until_unix_ms.is_some_and(|until| until <= unix_ms)
    }
}

/// A limit that goes before that of the token and of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LimitLever {
    /// How many managers the user may hold.
    pub managers: u32,
    /// Who set it, why, and until when.
    #[serde(flatten)]
    pub terms: LeverTerms,
}

/// What is set for one user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserLevers {
    /// Its limit, if an operator set one.
    pub limit: Option<LimitLever>,
    /// That it is blocked, if it is.
    pub block: Option<LeverTerms>,
    /// Which of its managers are pinned, by key. Each has an end.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pins: BTreeMap<String, LeverTerms>,
}

/// All levers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeverTable {
    drain: Option<LeverTerms>,
    pub(super) users: BTreeMap<UserId, UserLevers>,
    pub(super) revoked: Revocations,
    /// What was taken back, for nodes that have not heard of it.
    pub(super) lifted: LiftedLevers,
}

/// What is over.
#[derive(Debug, Default)]
pub(super) struct Over {
    pub(super) drain: Option<LeverTerms>,
    pub(super) users: Vec<(UserId, UserLevers)>,
    pub(super) revoked: Revocations,
}

impl Over {
    pub(super) fn is_empty(&self) -> bool {
        self.drain.is_none() && self.users.is_empty() && self.revoked.is_empty()
    }
}

impl UserLevers {
    /// How many are set.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.limit.is_some()) + usize::from(self.block.is_some()) + self.pins.len()
    }

    /// Whether none is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn ends(&self) -> impl Iterator<Item = u64> {
        let limit = self.limit.as_ref().map(|limit| &limit.terms);
        let terms = [limit, self.block.as_ref()].into_iter().flatten();
        let terms = terms.chain(self.pins.values());
        terms.filter_map(|terms| terms.until_unix_ms)
    }

    /// Takes out what is over by then.
    fn take_over(&mut self, unix_ms: u64) -> Self {
        Self {
            limit: self.limit.take_if(|limit| limit.terms.is_over(unix_ms)),
            block: self.block.take_if(|block| block.is_over(unix_ms)),
            pins: self
                .pins
                .extract_if(.., |_, pin| pin.is_over(unix_ms))
                .collect(),
        }
    }
}

impl LeverTable {
    /// Of what was read; users for whom nothing is set are left out.
    pub(super) fn new(
        drain: Option<LeverTerms>,
        users: impl Iterator<Item = (UserId, UserLevers)>,
        revoked: Revocations,
    ) -> Self {
        Self {
            drain,
            users: users.filter(|(_, levers)| !levers.is_empty()).collect(),
            revoked,
            lifted: LiftedLevers::new(),
        }
    }

    /// The same with what was taken back.
    pub(super) fn with_lifted(mut self, lifted: LiftedLevers) -> Self {
        self.lifted = lifted;
        self
    }

    /// What was taken back lately.
    pub(super) const fn lifted(&self) -> &LiftedLevers {
        &self.lifted
    }

    /// The same on a node of a cluster: what was set before it was one is its own.
    pub(super) fn of_node(mut self, node: &Arc<str>) -> Self {
        let of_users = self.users.values_mut().flat_map(|levers| {
            let limit = levers.limit.as_mut().map(|limit| &mut limit.terms);
            [limit, levers.block.as_mut()].into_iter().flatten()
        });
        let revoked = self.revoked.values_mut().map(|it| &mut it.terms);
        for terms in of_users.chain(revoked) {
            terms.node.get_or_insert_with(|| node.clone());
        }
        self
    }

    /// That the node is drained, if it is.
    #[must_use]
    pub const fn drain(&self) -> Option<&LeverTerms> {
        self.drain.as_ref()
    }

    /// Which tokens are revoked.
    #[must_use]
    pub const fn revoked(&self) -> &Revocations {
        &self.revoked
    }

    /// What is set for a user.
    #[must_use]
    pub fn of(&self, user: &UserId) -> UserLevers {
        self.users.get(user).cloned().unwrap_or_default()
    }

    /// Every user for whom something is set, by name.
    pub fn users(&self) -> impl Iterator<Item = (&UserId, &UserLevers)> {
        self.users.iter()
    }

    /// How many levers are set.
    #[must_use]
    pub fn len(&self) -> usize {
        let of_users: usize = self.users.values().map(UserLevers::len).sum();
        of_users + self.revoked.len() + usize::from(self.drain.is_some())
    }

    /// Whether none is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same with the node drained, or not. It counts to no limit: there is one.
    pub(super) fn with_drain(&self, drain: Option<LeverTerms>) -> Self {
        Self {
            drain,
            ..self.clone()
        }
    }

    /// The same with a change for one user.
    pub(super) fn with(
        &self,
        user: &UserId,
        change: impl FnOnce(&mut UserLevers),
    ) -> Result<Self, LeverError> {
        let before = self.of(user);
        let mut levers = before.clone();
        change(&mut levers);
        if levers.len() > before.len() && self.len() >= LEVERS_MAX {
            return Err(LeverError::TooMany);
        }
        let mut table = self.clone();
        if levers.is_empty() {
            table.users.remove(user);
        } else {
            table.users.insert(user.clone(), levers);
        }
        Ok(table)
    }

    /// The same without what is over by then, and what that is.
    pub(super) fn expired(&self, unix_ms: u64) -> (Self, Over) {
        let mut table = self.clone();
        let mut over = Over {
            drain: table.drain.take_if(|drain| drain.is_over(unix_ms)),
            ..Over::default()
        };
        table.users.retain(|user, levers| {
            let ended = levers.take_over(unix_ms);
            if !ended.is_empty() {
                over.users.push((user.clone(), ended));
            }
            !levers.is_empty()
        });
        over.revoked = table
            .revoked
            .extract_if(.., |_, revocation| revocation.terms.is_over(unix_ms))
            .collect();
        table.remember(&over, unix_ms);
        (table, over)
    }

    /// When the next one ends.
    pub(super) fn next_end(&self) -> Option<u64> {
        let users = self.users.values().flat_map(UserLevers::ends);
        let revoked = self.revoked.values();
        let revoked = revoked.filter_map(|it| it.terms.until_unix_ms);
        let drain = self.drain.iter().filter_map(|it| it.until_unix_ms);
        users.chain(revoked).chain(drain).min()
    }
}
