//! In which names the managers of a route are held.
//!
//! A user is one user on all routes: its managers count together, wherever they are. A manager is one of
//! its route: the same key elsewhere is another manager, whose backend is another. A route with a limit
//! of its own counts apart, as if its users were others than those of the same names elsewhere; that is
//! what it makes of them, for everything that goes by users: the limit, cleanup, queues, pins, records.

use std::borrow::Cow;

use crate::gateway::identity::Identity;
use wastegate_core::types::{ManagerKey, UserId};

/// What stands between a name and its route. Names of clients that have it are refused where there are
/// routes.
pub(in crate::gateway) const MARK: &str = "@@";

/// What a route makes of the names of its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) enum Scope {
    /// They stay as they are.
    None,
    /// Keys are the route's.
    #[cfg(feature = "upstream")]
    Keys {
        /// The route's name.
        route: String,
    },
    /// Users are the route's, and how many managers one may hold there.
    #[cfg(feature = "upstream")]
    Users {
        /// The route's name.
        route: String,
        /// Managers that a user may hold on this route.
        managers_per_user: u32,
    },
}

impl Scope {
    #[cfg(feature = "upstream")]
    pub(super) fn of(route: &str, managers_per_user: Option<u32>) -> Self {
        let route = route.to_owned();
        managers_per_user.map_or_else(
            || Self::Keys {
                route: route.clone(),
            },
            |managers_per_user| Self::Users {
                route: route.clone(),
                managers_per_user,
            },
        )
    }

    /// The user and the key by which a client's manager is held.
    pub(in crate::gateway) fn names<'a>(
        &self,
        identity: &'a Identity,
    ) -> (Cow<'a, UserId>, Cow<'a, ManagerKey>) {
        let (user, key) = (&identity.user, &identity.key);
        let own = (Cow::Borrowed(user), Cow::Borrowed(key));
        match self {
            Self::None => own,
            #[cfg(feature = "upstream")]
            Self::Keys { .. } if key.is_unnamed() => own,
            #[cfg(feature = "upstream")]
            Self::Keys { route } => (own.0, Cow::Owned(key.at(MARK, route))),
            #[cfg(feature = "upstream")]
            Self::Users { route, .. } => (Cow::Owned(user.at(MARK, route)), own.1),
        }
    }

    /// How many managers a user may hold, if not as many as everybody: what vouches for the user says it
    /// before the route does.
    pub(in crate::gateway) fn limit(&self, identity: &Identity) -> Option<u32> {
        let own = match self {
            Self::None => None,
            #[cfg(feature = "upstream")]
            Self::Keys { .. } => None,
            #[cfg(feature = "upstream")]
            Self::Users {
                managers_per_user, ..
            } => Some(*managers_per_user),
        };
        identity.managers_max.or(own)
    }
}

/// Which of a client's names could be taken for one of another route, if any.
pub(in crate::gateway) fn is_reserved(identity: &Identity) -> Option<&'static str> {
    if identity.user.as_str().contains(MARK) {
        Some("user")
    } else if identity.key.as_str().contains(MARK) {
        Some("key")
    } else {
        None
    }
}
