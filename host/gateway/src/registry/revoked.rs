//! Tokens that are valid by their signature and let no client in any more.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Registry;
use crate::manager::Port;
use wastegate_core::types::{CloseReason, TokenFacts, UserId};

/// Which tokens are revoked. A token that does not say when it was issued counts as issued before any moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevokedTokens {
    /// The ids of single tokens.
    pub ids: HashSet<Box<str>>,
    /// Of these users, every token that was issued before a moment, ms since the Unix epoch.
    pub users_before: HashMap<UserId, u64>,
    /// Every token that was issued before this moment, ms since the Unix epoch.
    pub all_before: Option<u64>,
}

impl RevokedTokens {
    /// Whether a user's token is among them.
    #[must_use]
    pub fn has(&self, user: &UserId, token: &TokenFacts) -> bool {
        let is_before = |moment: u64| token.issued_unix_ms.is_none_or(|issued| issued < moment);
        token.id.as_ref().is_some_and(|id| self.ids.contains(id))
            || self.all_before.is_some_and(is_before)
            || self.users_before.get(user).copied().is_some_and(is_before)
    }

    fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.users_before.is_empty() && self.all_before.is_none()
    }
}

/// What is revoked now.
#[derive(Debug, Default)]
pub(super) struct Revoked(ArcSwap<RevokedTokens>);

impl Registry {
    /// Sets which tokens are revoked. Connections whose clients came with one are closed; returns how many.
    pub fn set_revoked(&self, tokens: RevokedTokens) -> usize {
        self.revoked.0.store(Arc::new(tokens));
        let ports = self.all().into_iter().map(|manager| {
            let ports = manager.ports();
            let revoked = ports
                .iter()
                .filter(|port| self.close_if_revoked(&manager.user, port));
            revoked.count()
        });
        ports.sum()
    }

    /// Whether a token of a user lets no client in. A user that routes count apart is one user.
    #[must_use]
    pub fn is_revoked(&self, user: &UserId, token: &TokenFacts) -> bool {
        let revoked = self.revoked.0.load();
        !revoked.is_empty() && revoked.has(&self.plain(user), token)
    }

    /// Closes a connection whose client came with a token that is revoked by now. True if it was asked to close.
    pub(crate) fn close_if_revoked(&self, user: &UserId, port: &Port) -> bool {
        let is_revoked = port
            .token()
            .is_some_and(|token| self.is_revoked(user, token));
        let is_first = is_revoked && !port.is_closing();
        if is_revoked {
            port.close(CloseReason::Revoked);
        }
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_revoked_by_id_by_user_and_all_of_them() {
        let user = |name: &str| UserId::new(name).unwrap();
        let token = |id: Option<&str>, issued_unix_ms| TokenFacts {
            id: id.map(Into::into),
            issued_unix_ms,
        };
        let revoked = RevokedTokens {
            ids: HashSet::from(["a".into()]),
            users_before: HashMap::from([(user("ann"), 100)]),
            all_before: Some(50),
        };
        for (name, token, expected) in [
            ("bob", token(Some("a"), Some(500)), true),
            ("bob", token(Some("b"), Some(500)), false),
            ("bob", token(None, Some(49)), true),
            ("bob", token(None, Some(50)), false),
            ("ann", token(None, Some(99)), true),
            ("ann", token(None, Some(100)), false),
            ("bob", token(Some("b"), None), true),
        ] {
            assert_eq!(
                revoked.has(&user(name), &token),
                expected,
                "{name} {token:?}"
            );
        }
        assert!(!RevokedTokens::default().has(&user("ann"), &token(Some("a"), None)));
    }
}
