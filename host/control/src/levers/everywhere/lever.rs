//! One lever that nodes of a cluster have in common, and which of two is the later one.
//!
//! Every change of a lever has a time and a node. Of two the later one holds, so nodes that have seen the same changes
//! have the same levers, in whatever order they saw them. A node that changes what it knows goes before that even where
//! its clock is behind. What was taken back is kept as well: a node that was away must not bring it back.
//!
//! The end of a lever is no change: each node sees it by its own clock, and tells no other. One whose clock is ahead
//! ends levers early on itself, and on itself only.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::levers::revocation::{Revocation, RevocationTarget};
use crate::levers::table::{LeverTable, LeverTerms, LimitLever, Over};
use crate::levers::{LEVERS_MAX, LeverError};
use wastegate_core::types::UserId;
use wastegate_core::types::time::whole_ms;

/// How long it is known that a lever was taken back: a node that was away for longer brings it back.
const LIFTED_KEPT: Duration = Duration::from_secs(31 * 24 * 60 * 60);
/// How many levers that were taken back are known, the latest.
pub(in crate::levers) const LIFTED_MAX: usize = 2_000;

/// Which lever. Its text is `block/NAME`, `limit/NAME` or `revoked/TARGET`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::levers) enum LeverName {
    /// That a user is blocked.
    Block(UserId),
    /// A user's limit.
    Limit(UserId),
    /// That tokens are revoked.
    Revoked(RevocationTarget),
}

/// What is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "set", rename_all = "kebab-case")]
pub(in crate::levers) enum LeverSetting {
    /// A block.
    Block,
    /// A limit.
    Limit {
        /// How many managers the user may hold.
        managers: u32,
    },
    /// A revocation.
    Revoked {
        /// Tokens that were issued before this; none for a single token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issued_before_unix_ms: Option<u64>,
    },
    /// Nothing: it was taken back, or its time is over.
    Lifted,
}

/// A lever, or that it was taken back, with who did that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::levers) struct CommonLever {
    /// What is set.
    #[serde(flatten)]
    pub(in crate::levers) set: LeverSetting,
    /// Who set it or took it back, why, when and where.
    #[serde(flatten)]
    pub(in crate::levers) terms: LeverTerms,
}

/// What was taken back, by whom.
pub(in crate::levers) type LiftedLevers = BTreeMap<LeverName, LeverTerms>;

impl LeverName {
    /// Whether a lever of that name may be set so.
    pub(super) const fn fits(&self, set: LeverSetting) -> bool {
        matches!(
            (self, set),
            (Self::Block(_), LeverSetting::Block)
                | (Self::Limit(_), LeverSetting::Limit { .. })
                | (Self::Revoked(_), LeverSetting::Revoked { .. })
                | (_, LeverSetting::Lifted)
        )
    }
}

impl fmt::Display for LeverName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(user) => write!(f, "block/{user}"),
            Self::Limit(user) => write!(f, "limit/{user}"),
            Self::Revoked(target) => write!(f, "revoked/{target}"),
        }
    }
}

impl FromStr for LeverName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let user = |name: &str| UserId::new(name).map_err(|error| error.to_string());
        match text.split_once('/') {
            Some(("block", name)) => Ok(Self::Block(user(name)?)),
            Some(("limit", name)) => Ok(Self::Limit(user(name)?)),
            Some(("revoked", target)) => Ok(Self::Revoked(target.parse()?)),
            _ => Err(format!("`{text}` is no lever")),
        }
    }
}

impl LeverSetting {
    const fn limit(limit: &LimitLever) -> Self {
        let managers = limit.managers;
        Self::Limit { managers }
    }

    const fn revoked(revocation: &Revocation) -> Self {
        let issued_before_unix_ms = revocation.issued_before_unix_ms;
        Self::Revoked {
            issued_before_unix_ms,
        }
    }
}

impl CommonLever {
    /// Whether it holds against another one of the same name. The later one does; that the time of one is over is later
    /// than nothing. The rest makes sure that of two that differ every node picks the same.
    pub(in crate::levers) fn is_later_than(&self, other: &Self) -> bool {
        let rank = |lever: &Self| {
            let terms = lever.terms.clone();
            let node = terms.node.unwrap_or_default();
            let rest = (terms.until_unix_ms, terms.reason, terms.by.to_string());
            let is_over = lever.set == LeverSetting::Lifted && terms.until_unix_ms.is_some();
            (terms.set_unix_ms, node, !is_over, lever.set, rest)
        };
        rank(self) > rank(other)
    }

    /// Whether something is set and not over by then.
    pub(super) fn is_in_force(&self, unix_ms: u64) -> bool {
        self.is_set() && !self.terms.is_over(unix_ms)
    }

    /// Whether something is set.
    pub(in crate::levers) fn is_set(&self) -> bool {
        self.set != LeverSetting::Lifted
    }

    /// As a node sees it by then: one whose time is over is taken back.
    pub(super) fn at(mut self, unix_ms: u64) -> Self {
        if self.terms.is_over(unix_ms) {
            self.set = LeverSetting::Lifted;
        }
        self
    }
}

/// When it was taken back, or its time was over.
fn lifted_unix_ms(terms: &LeverTerms) -> u64 {
    let until = terms.until_unix_ms.unwrap_or_default();
    terms.set_unix_ms.max(until)
}

/// Forgets what was taken back long ago, and the oldest of too many.
pub(super) fn forget(lifted: &mut LiftedLevers, unix_ms: u64) {
    let kept_ms = whole_ms(LIFTED_KEPT);
    lifted.retain(|_, terms| lifted_unix_ms(terms).saturating_add(kept_ms) > unix_ms);
    let surplus = lifted.len().saturating_sub(LIFTED_MAX);
    if surplus == 0 {
        return;
    }
    let ages = lifted.iter();
    let mut ages: Vec<(u64, LeverName)> = ages
        .map(|(name, terms)| (lifted_unix_ms(terms), name.clone()))
        .collect();
    ages.sort_unstable();
    for (_, name) in ages.into_iter().take(surplus) {
        lifted.remove(&name);
    }
}

impl LeverTable {
    /// What is known of one lever: that it is set, or that it was taken back.
    pub(in crate::levers) fn lever(&self, name: &LeverName) -> Option<CommonLever> {
        let levers = |user: &UserId| self.users.get(user);
        let set = match name {
            LeverName::Block(user) => {
                let block = levers(user).and_then(|levers| levers.block.as_ref());
                block.map(|terms| (LeverSetting::Block, terms))
            }
            LeverName::Limit(user) => {
                let limit = levers(user).and_then(|levers| levers.limit.as_ref());
                limit.map(|it| (LeverSetting::limit(it), &it.terms))
            }
            LeverName::Revoked(target) => {
                let revocation = self.revoked.get(target);
                revocation.map(|it| (LeverSetting::revoked(it), &it.terms))
            }
        };
        let lifted = || Some((LeverSetting::Lifted, self.lifted.get(name)?));
        let (set, terms) = set.or_else(lifted)?;
        let terms = terms.clone();
        Some(CommonLever { set, terms })
    }

    /// Everything that nodes of a cluster have in common.
    pub(in crate::levers) fn common(&self) -> BTreeMap<LeverName, CommonLever> {
        let users = self.users.keys();
        let users =
            users.flat_map(|it| [LeverName::Block(it.clone()), LeverName::Limit(it.clone())]);
        let revoked = self.revoked.keys().cloned().map(LeverName::Revoked);
        let names = users.chain(revoked).chain(self.lifted.keys().cloned());
        names
            .filter_map(|name| {
                let lever = self.lever(&name)?;
                Some((name, lever))
            })
            .collect()
    }

    /// Puts a lever in the place of what is there.
    pub(in crate::levers) fn put(&mut self, name: LeverName, lever: CommonLever) {
        let CommonLever { set, terms } = lever;
        self.lifted.remove(&name);
        match &name {
            LeverName::Block(user) => {
                let levers = self.users.entry(user.clone()).or_default();
                levers.block = (set == LeverSetting::Block).then(|| terms.clone());
            }
            LeverName::Limit(user) => {
                let levers = self.users.entry(user.clone()).or_default();
                levers.limit = match set {
                    LeverSetting::Limit { managers } => Some(LimitLever {
                        managers,
                        terms: terms.clone(),
                    }),
                    _ => None,
                };
            }
            LeverName::Revoked(target) => {
                self.revoked.remove(target);
                if let LeverSetting::Revoked {
                    issued_before_unix_ms,
                } = set
                {
                    let revocation = Revocation {
                        issued_before_unix_ms,
                        terms: terms.clone(),
                    };
                    self.revoked.insert(target.clone(), revocation);
                }
            }
        }
        if let LeverName::Block(user) | LeverName::Limit(user) = &name
            && self.users.get(user).is_some_and(|levers| levers.is_empty())
        {
            self.users.remove(user);
        }
        // Without a node there is none that has to hear of it.
        if set == LeverSetting::Lifted && terms.node.is_some() {
            self.lifted.insert(name, terms);
        }
    }

    /// The same with a change of an operator on this node. In a cluster it goes before all that the node knows, whatever
    /// its clock says. Taking back what is not set changes nothing.
    pub(in crate::levers) fn changed(
        &self,
        name: LeverName,
        set: LeverSetting,
        mut terms: LeverTerms,
        node: Option<&Arc<str>>,
    ) -> Result<Self, LeverError> {
        let before = self.lever(&name);
        let was_set = before.as_ref().is_some_and(CommonLever::is_set);
        if set == LeverSetting::Lifted && !was_set {
            return Ok(self.clone());
        }
        terms.node = node.cloned();
        if let (Some(_), Some(before)) = (node, before) {
            let after = before.terms.set_unix_ms.saturating_add(1);
            terms.set_unix_ms = terms.set_unix_ms.max(after);
        }
        let (mut table, now) = (self.clone(), terms.set_unix_ms);
        table.put(name, CommonLever { set, terms });
        forget(&mut table.lifted, now);
        if table.len() > self.len() && self.len() >= LEVERS_MAX {
            return Err(LeverError::TooMany);
        }
        Ok(table)
    }

    /// Keeps in mind what is over, and forgets what was long ago.
    pub(in crate::levers) fn remember(&mut self, over: &Over, unix_ms: u64) {
        for (user, levers) in &over.users {
            let limit = levers.limit.as_ref().map(|limit| &limit.terms);
            let ended = [
                (LeverName::Limit(user.clone()), limit),
                (LeverName::Block(user.clone()), levers.block.as_ref()),
            ];
            for (name, terms) in ended {
                if let Some(terms) = terms.filter(|terms| terms.node.is_some()) {
                    self.lifted.insert(name, terms.clone());
                }
            }
        }
        for (target, Revocation { terms, .. }) in &over.revoked {
            if terms.node.is_some() {
                let name = LeverName::Revoked(target.clone());
                self.lifted.insert(name, terms.clone());
            }
        }
        forget(&mut self.lifted, unix_ms);
    }
}
