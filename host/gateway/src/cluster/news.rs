//! What every node is to know of a user: which of its managers were displaced, how much of its ration of `force` is
//! spent, and which of its clients have to stay away. So a client that is slowed down on one node is not at another.
//!
//! Each node keeps its own books. What happens on one is told to all others that live, once; news that get lost slow
//! a client down on fewer nodes, and let nobody in above a limit.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use super::node::ClusterNode;
use wastegate_cluster::ledger::{ClientHash, KeyHash, NewsKind, NodeMessage, UserHash, UserNews};
use wastegate_core::types::time::whole_ms;
use wastegate_core::types::{ManagerKey, Timestamp, UserId};

/// Bans of other nodes that are remembered. Above it those that are over are forgotten, and then all: a bounded map
/// matters more, and each node counts for itself too.
const BANS_MAX: usize = 100_000;

/// Clients that other nodes sent away, and until when.
#[derive(Debug, Default)]
pub(super) struct BansElsewhere {
    // Held for a map operation, or for one clean-up of the whole map when it is full.
    until: Mutex<HashMap<ClientHash, Timestamp>>,
}

impl BansElsewhere {
    fn note(&self, client: ClientHash, until: Timestamp, now: Timestamp) {
        let mut bans = self.until.lock();
        if bans.len() >= BANS_MAX {
            bans.retain(|_, until| *until > now);
        }
        if bans.len() >= BANS_MAX {
            bans.clear();
        }
        let known = bans.entry(client).or_insert(until);
        *known = until.max(*known);
    }

    fn left(&self, client: ClientHash, now: Timestamp) -> Option<Duration> {
        let until = self.until.lock().get(&client).copied()?;
        Some(until.since(now)).filter(|left| !left.is_zero())
    }
}

impl ClusterNode {
    /// Tells all other nodes that live, soon.
    fn tell_nodes(&self, user: &UserId, what: NewsKind) {
        let news = UserNews {
            user: self.user_hash(user),
            what,
        };
        let others: Vec<_> = {
            let membership = self.membership.lock();
            let others = membership.nodes().iter().map(|node| node.epoch);
            others.filter(|it| *it != membership.epoch()).collect()
        };
        for other in others {
            self.send_soon(other, NodeMessage::News(news.clone()));
        }
    }

    /// What a user is remembered by where other nodes tell of it too.
    pub(crate) fn alias(&self, user: &UserId) -> UserId {
        Self::alias_of(self.user_hash(user))
    }

    /// The same by the user's hash.
    pub(crate) fn alias_of(user: UserHash) -> UserId {
        UserId::elsewhere(user)
    }

    /// What a manager is remembered by there.
    pub(crate) fn alias_of_key(&self, user: &UserId, key: &ManagerKey) -> ManagerKey {
        Self::alias_of_hash(self.hash_of_name(user, key))
    }

    /// The same by the key's hash; without one, what stands for all that have no name.
    pub(crate) fn alias_of_hash(key: Option<KeyHash>) -> ManagerKey {
        key.map_or_else(ManagerKey::unnamed, |key| ManagerKey::elsewhere("", key))
    }

    /// The hash of a key; none for one that the client did not name.
    fn hash_of_name(&self, user: &UserId, key: &ManagerKey) -> Option<KeyHash> {
        (!key.is_unnamed()).then(|| self.key_hash(user, key))
    }

    /// A manager was evicted while it answered.
    pub(crate) fn tell_displaced(&self, user: &UserId, key: &ManagerKey) {
        let key = self.hash_of_name(user, key);
        self.tell_nodes(user, NewsKind::Displaced { key });
    }

    /// A manager that may have been displaced before did displace another one.
    pub(crate) fn tell_returned(&self, user: &UserId, key: &ManagerKey) {
        let key = self.hash_of_name(user, key);
        self.tell_nodes(user, NewsKind::Returned { key });
    }

    /// So many that answer were evicted for newcomers.
    pub(crate) fn tell_forced(&self, user: &UserId, count: u32) {
        self.tell_nodes(user, NewsKind::Forced { count });
    }

    /// A client of that description has to stay away for so long.
    pub(crate) fn tell_banned(&self, user: &UserId, client: &str, lasting: Duration) {
        let client = self.config.hasher.client(user, client);
        let lasting_ms = whole_ms(lasting);
        self.tell_nodes(user, NewsKind::Banned { client, lasting_ms });
    }

    /// For how long another node has a client of that description stay away. Each handshake asks, and nearly always
    /// there is no ban at all: then nothing is described.
    pub(crate) fn banned_elsewhere(
        &self,
        user: &UserId,
        client: impl FnOnce() -> String,
    ) -> Option<Duration> {
        if self.bans.until.lock().is_empty() {
            return None;
        }
        let client = self.config.hasher.client(user, &client());
        self.bans.left(client, self.clock.now())
    }

    /// Takes what another node tells; gives back what is not for this room.
    pub(super) fn got_news(&self, news: UserNews) -> Option<UserNews> {
        self.metrics.news(news.what);
        let NewsKind::Banned { client, lasting_ms } = news.what else {
            return Some(news);
        };
        let now = self.clock.now();
        let until = now.after(Duration::from_millis(lasting_ms));
        self.bans.note(client, until, now);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bans_end_and_are_bounded() {
        let bans = BansElsewhere::default();
        let client = |number: u32| {
            let mut bytes = [0; ClientHash::BYTES];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            ClientHash::from_bytes(bytes)
        };
        let s = |seconds: u64| Timestamp::from_millis(seconds * 1_000);
        bans.note(client(0), s(10), s(0));
        bans.note(client(0), s(5), s(0));
        assert_eq!(bans.left(client(0), s(4)), Some(Duration::from_secs(6)));
        assert_eq!(bans.left(client(0), s(10)), None);
        assert_eq!(bans.left(client(1), s(4)), None);
        for number in 0..u32::try_from(BANS_MAX).unwrap() {
            bans.note(client(number), s(20), s(11));
        }
        bans.note(client(u32::MAX), s(30), s(21));
        assert_eq!(bans.until.lock().len(), 1, "those that are over went");
    }
}
