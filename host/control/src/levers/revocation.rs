//! Tokens that operators revoke: one by its id, those of a user, or all, up to a moment.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::LeverError;
use super::everywhere::{LeverName, LeverSetting};
use super::order::LeverOrder;
use super::table::{LeverTable, LeverTerms};
use super::{LeverChange, Levers};
use crate::rollout::Actor;
use crate::rollout::audit::{Note, What};
use wastegate::registry::RevokedTokens;
use wastegate_core::types::UserId;

/// Bytes of the id of a token that may be revoked.
pub const TOKEN_ID_BYTES_MAX: usize = 1_024;
/// How far in the future tokens may be revoked up to, ms: clocks of identity providers differ.
const AHEAD_MS_MAX: u64 = 60_000;

/// Which tokens. Its text is `token/ID`, `user/NAME` or `all`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RevocationTarget {
    /// The one with this id (`jti`).
    Token(String),
    /// All tokens of a user that were issued before a moment.
    User(UserId),
    /// All tokens that were issued before a moment.
    All,
}

impl RevocationTarget {
    /// Whether there can be such tokens.
    fn check(&self) -> Result<(), LeverError> {
        match self {
            Self::Token(id) if id.is_empty() || id.len() > TOKEN_ID_BYTES_MAX => {
                Err(LeverError::TokenId)
            }
            Self::Token(_) | Self::User(_) | Self::All => Ok(()),
        }
    }
}

impl fmt::Display for RevocationTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(id) => write!(f, "token/{id}"),
            Self::User(user) => write!(f, "user/{user}"),
            Self::All => f.write_str("all"),
        }
    }
}

impl FromStr for RevocationTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            None if text == "all" => Ok(Self::All),
            Some(("token", id)) => Ok(Self::Token(id.to_owned())),
            Some(("user", name)) => {
                let user = UserId::new(name).map_err(|error| error.to_string())?;
                Ok(Self::User(user))
            }
            _ => Err(format!(
                "`{text}` is none of `token/ID`, `user/NAME` and `all`"
            )),
        }
    }
}

/// A revocation that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revocation {
    /// Tokens that were issued before this are revoked, ms since the Unix epoch; none for a single token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before_unix_ms: Option<u64>,
    /// Who set it, why, and until when.
    #[serde(flatten)]
    pub terms: LeverTerms,
}

/// All revocations that are in force.
pub type Revocations = BTreeMap<RevocationTarget, Revocation>;

/// As the registry takes them.
pub(super) fn in_force(revocations: &Revocations) -> RevokedTokens {
    let mut tokens = RevokedTokens::default();
    for (target, revocation) in revocations {
        let before = revocation.issued_before_unix_ms;
        match (target, before) {
            (RevocationTarget::Token(id), _) => {
                tokens.ids.insert(id.as_str().into());
            }
            (RevocationTarget::User(user), Some(before)) => {
                tokens.users_before.insert(user.clone(), before);
            }
            (RevocationTarget::All, before) => tokens.all_before = before,
            (RevocationTarget::User(_), None) => {}
        }
    }
    tokens
}

impl Levers {
    /// Revokes tokens, and closes the connections of clients that came with one. Tokens of a user, or all, are
    /// revoked if they were issued before `issued_before_unix_ms`, or before now. Blocks on the disk.
    ///
    /// # Errors
    /// [`LeverError`] with what to give instead; nothing changed.
    pub fn revoke(
        &self,
        target: RevocationTarget,
        issued_before_unix_ms: Option<u64>,
        order: LeverOrder,
    ) -> Result<LeverChange<Option<Revocation>>, LeverError> {
        let now = self.unix_ms();
        target.check()?;
        let issued_before_unix_ms = match &target {
            RevocationTarget::Token(_) if issued_before_unix_ms.is_some() => {
                return Err(LeverError::BeforeOfOne);
            }
            RevocationTarget::Token(_) => None,
            RevocationTarget::User(_) | RevocationTarget::All => {
                Some(issued_before_unix_ms.unwrap_or(now))
            }
        };
        if issued_before_unix_ms.is_some_and(|before| before > now.saturating_add(AHEAD_MS_MAX)) {
            return Err(LeverError::Ahead);
        }
        let span = order.span();
        let terms = order.terms(now)?;
        let (by, reason) = (terms.by.clone(), terms.reason.clone());
        let set = LeverSetting::Revoked {
            issued_before_unix_ms,
        };
        let change = self.change_revoked(&target, set, terms)?;
        let closed = change.evicted;
        let reason = format!("{target}{span}, {closed} connections closed: {reason}");
        self.write_revoked(&by, What::TokensRevoked, &target, reason);
        Ok(change)
    }

    /// Takes a revocation back, if it is in force. Blocks on the disk.
    ///
    /// # Errors
    /// [`LeverError`] for an id that no token has, or a reason that is too long.
    pub fn allow(
        &self,
        target: &RevocationTarget,
        order: LeverOrder,
    ) -> Result<LeverChange<Option<Revocation>>, LeverError> {
        target.check()?;
        let terms = order.lifting(self.unix_ms())?;
        let (by, reason) = (terms.by.clone(), terms.reason.clone());
        let change = self.change_revoked(target, LeverSetting::Lifted, terms)?;
        if change.is_new {
            let reason = format!("{target}: {reason}");
            self.write_revoked(&by, What::TokensAllowed, target, reason);
        }
        Ok(change)
    }

    fn change_revoked(
        &self,
        target: &RevocationTarget,
        set: LeverSetting,
        terms: LeverTerms,
    ) -> Result<LeverChange<Option<Revocation>>, LeverError> {
        let name = LeverName::Revoked(target.clone());
        self.replace(
            |before| before.changed(name, set, terms, self.node.as_ref()),
            |table: &LeverTable| table.revoked().get(target).cloned(),
            |registry, table| registry.set_revoked(in_force(table.revoked())),
        )
    }

    /// Revocations whose time is over were taken back.
    pub(super) fn write_allowed(&self, over: Revocations) {
        for (target, Revocation { terms, .. }) in over {
            let LeverTerms { by, reason, .. } = terms;
            let reason = format!("{target}: its time is over; {by} set it: {reason}");
            self.write_revoked(&Actor::expiry(), What::RevocationExpired, &target, reason);
        }
    }

    fn write_revoked(&self, by: &Actor, what: What, target: &RevocationTarget, reason: String) {
        let note = Note::new(what, reason);
        let note = match target {
            RevocationTarget::User(user) => note.about(user),
            RevocationTarget::Token(_) | RevocationTarget::All => note,
        };
        (*self.audit).as_ref().write(by, note);
    }
}
