//! Several backends: which one gets a connection, and which are away.
//!
//! A backend that cannot be reached is left alone for a while that doubles with each failure, and
//! another one is tried before the client hears of it. If all are away all are tried: a wrong guess
//! must not lock anybody out. Nothing was sent to a backend that could not be reached, so trying
//! another one repeats nothing.

use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use siphasher::sip::SipHasher13;
use tokio_rustls::TlsConnector;

use super::open::{Asked, Leg};
use super::{Upstream, UpstreamError};
use crate::gateway::config::Config;
use crate::gateway::identity::Identity;
use crate::gateway::tls::{self, TlsError};
use crate::types::{Clock, Tasks, Timestamp};

/// Backends that one client is tried with.
const TRIES_MAX: usize = 3;
/// How long a backend is left alone after its first failure.
const AWAY_FIRST: Duration = Duration::from_secs(1);
/// How long at most.
const AWAY_MAX: Duration = Duration::from_secs(30);

/// Which of several backends gets a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// The one with the fewest of ours.
    #[default]
    LeastConnections,
    /// Always the same for a user's manager, as long as it is there (rendezvous hashing).
    ByKey,
}

/// The backends of a gateway.
pub struct Upstreams {
    members: Vec<Arc<Member>>,
    balance: Balance,
    tls: Option<TlsConnector>,
}

struct Member {
    upstream: Upstream,
    connections: AtomicU32,
    failures: AtomicU32,
    /// Until when it is left alone, microseconds of our clock.
    away_until: AtomicU64,
}

/// One more connection of a backend, as long as this lives.
pub(in crate::gateway) struct Load(Arc<Member>);

/// A backend as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// Its address.
    pub url: String,
    /// It can be reached, as far as is known.
    pub up: bool,
    /// Connections that it has of ours.
    pub connections: u32,
    /// Failures in a row.
    pub failures: u32,
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Member {
    fn is_away(&self, now: Timestamp) -> bool {
        now.micros() < self.away_until.load(Ordering::Relaxed)
    }

    fn failed(&self, now: Timestamp) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed);
        let away = AWAY_FIRST
            .saturating_mul(1 << failures.min(10))
            .min(AWAY_MAX);
        let until = now.after(away).micros();
        self.away_until.store(until, Ordering::Relaxed);
        if failures == 0 {
            tracing::warn!(upstream = %self.upstream, "a backend cannot be reached");
        }
    }

    fn answered(&self) {
        self.away_until.store(0, Ordering::Relaxed);
        if self.failures.swap(0, Ordering::Relaxed) > 0 {
            tracing::info!(upstream = %self.upstream, "a backend can be reached again");
        }
    }

    /// How much this backend is the one for a manager.
    fn affinity(&self, identity: &Identity) -> u64 {
        let mut hasher = SipHasher13::new();
        let names = [identity.user.as_str(), identity.key.as_str()];
        for part in names.into_iter().chain([&*self.upstream.to_string()]) {
            hasher.write_usize(part.len());
            hasher.write(part.as_bytes());
        }
        hasher.finish()
    }
}

/// What a client wants of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum Purpose {
    /// Another request than an upgrade.
    Plain,
}

/// The backends that one request is tried with, in order.
pub(in crate::gateway) struct Tries {
    left: std::vec::IntoIter<Arc<Member>>,
    clock: Clock,
}

/// One request at one backend.
pub(in crate::gateway) struct Attempt {
    member: Arc<Member>,
    clock: Clock,
}

impl Tries {
    /// The next backend to try, if there is one.
    pub(in crate::gateway) fn next(&mut self) -> Option<Attempt> {
        let clock = self.clock.clone();
        self.left.next().map(|member| Attempt { member, clock })
    }
}

impl Attempt {
    /// Which backend.
    pub(in crate::gateway) fn upstream(&self) -> &Upstream {
        &self.member.upstream
    }

    /// It answered.
    pub(in crate::gateway) fn answered(self) {}

    /// It failed for a reason of the backend.
    pub(in crate::gateway) fn failed(self, _error: &UpstreamError) {
        self.member.failed(self.clock.now());
    }
}

impl Upstreams {
    /// The backends to try for one request.
    pub(in crate::gateway) fn tries(
        &self,
        _purpose: Purpose,
        _identity: Option<&Identity>,
        clock: &Clock,
    ) -> Tries {
        let now = clock.now();
        let mut members = self.members.clone();
        members.sort_by_key(|member| member.is_away(now));
        members.truncate(TRIES_MAX);
        Tries {
            left: members.into_iter(),
            clock: clock.clone(),
        }
    }

    /// Those of a configuration; what is known of a backend that was there before stays known.
    pub(in crate::gateway) fn of(
        config: &Config,
        before: Option<&Self>,
    ) -> Result<Option<Arc<Self>>, TlsError> {
        if config.upstream.is_empty() {
            return Ok(None);
        }
        let known = |upstream: &Upstream| {
            let before = before?.members.iter();
            before
                .clone()
                .find(|member| member.upstream == *upstream)
                .cloned()
        };
        let fresh = |upstream: &Upstream| {
            Arc::new(Member {
                upstream: upstream.clone(),
                connections: AtomicU32::new(0),
                failures: AtomicU32::new(0),
                away_until: AtomicU64::new(0),
            })
        };
        let upstreams = config.upstream.iter();
        let members = upstreams.map(|upstream| known(upstream).unwrap_or_else(|| fresh(upstream)));
        let encrypted = config.upstream.iter().any(Upstream::is_encrypted);
        let authorities = config.upstream_authorities.as_deref();
        let tls = encrypted.then(|| tls::connector(authorities)).transpose()?;
        Ok(Some(Arc::new(Self {
            members: members.collect(),
            balance: config.upstream_balance,
            tls,
        })))
    }

    /// The backends in the order in which a client is tried with them.
    fn order(&self, identity: &Identity, now: Timestamp) -> Vec<Arc<Member>> {
        let mut members = self.members.clone();
        match self.balance {
            Balance::LeastConnections => {
                members.sort_by_key(|member| member.connections.load(Ordering::Relaxed));
            }
            Balance::ByKey => {
                members.sort_by_key(|member| std::cmp::Reverse(member.affinity(identity)));
            }
        }
        members.sort_by_key(|member| member.is_away(now));
        members
    }

    /// Opens a connection as the client asked for it.
    pub(in crate::gateway) async fn connect(
        &self,
        asked: Asked<'_>,
        timeout: Duration,
        tasks: &Tasks,
        clock: &Clock,
    ) -> Result<Leg, UpstreamError> {
        let order = self.order(asked.identity, clock.now());
        let mut failed = UpstreamError::Timeout(timeout);
        for member in order.into_iter().take(TRIES_MAX) {
            member.connections.fetch_add(1, Ordering::Relaxed);
            let load = Load(member.clone());
            let upstream = &member.upstream;
            match upstream
                .connect(asked, self.tls.as_ref(), timeout, tasks)
                .await
            {
                Ok(leg) => {
                    member.answered();
                    return Ok(leg.counted(load));
                }
                Err(error) => {
                    tracing::warn!(%upstream, %error, "the upstream did not take a connection");
                    let is_away = matches!(
                        error,
                        UpstreamError::Connect(_)
                            | UpstreamError::Tls(_)
                            | UpstreamError::Timeout(_)
                    );
                    if is_away {
                        member.failed(clock.now());
                    }
                    let may_go_on = matches!(error, UpstreamError::Connect(_));
                    failed = error;
                    if !may_go_on {
                        break;
                    }
                }
            }
        }
        Err(failed)
    }

    /// Looks once whether backends that are away are back. Those that are there are left in peace: a
    /// connection that says nothing is a line in somebody's log.
    pub(in crate::gateway) async fn look(&self, timeout: Duration, clock: &Clock) {
        let away = |member: &&Arc<Member>| member.failures.load(Ordering::Relaxed) > 0;
        for member in self.members.iter().filter(away) {
            if member.upstream.is_there(timeout).await {
                member.answered();
            } else {
                member.failed(clock.now());
            }
        }
    }

    pub(in crate::gateway) fn view(&self, now: Timestamp) -> Vec<View> {
        let view = |member: &Arc<Member>| View {
            url: member.upstream.to_string(),
            up: !member.is_away(now),
            connections: member.connections.load(Ordering::Relaxed),
            failures: member.failures.load(Ordering::Relaxed),
        };
        self.members.iter().map(view).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{DeviceId, ManagerKey, UserId};

    fn pool(balance: Balance, names: &[&str]) -> Arc<Upstreams> {
        let upstreams = names
            .iter()
            .map(|name| format!("ws://{name}").parse().unwrap());
        let config = Config {
            upstream: upstreams.collect(),
            upstream_balance: balance,
            ..Config::default()
        };
        Upstreams::of(&config, None).unwrap().unwrap()
    }

    fn of(key: &str) -> Identity {
        let (user, key) = (UserId::new("ann").unwrap(), ManagerKey::new(key).unwrap());
        Identity::new(user, key, DeviceId::new("d").unwrap())
    }

    fn first(pool: &Upstreams, key: &str, now: Timestamp) -> String {
        pool.order(&of(key), now)[0].upstream.to_string()
    }

    #[test]
    fn the_one_with_the_fewest_comes_first_and_who_is_away_last() {
        let pool = pool(Balance::LeastConnections, &["a", "b", "c"]);
        let now = Timestamp::from_millis(1_000);
        pool.members[0].connections.store(2, Ordering::Relaxed);
        pool.members[1].connections.store(1, Ordering::Relaxed);
        assert_eq!(first(&pool, "k", now), "ws://c");
        pool.members[2].failed(now);
        assert_eq!(first(&pool, "k", now), "ws://b");
        // A second failure in a row keeps it away twice as long.
        pool.members[2].failed(now);
        let later = |ms: u64| Timestamp::from_millis(1_000 + ms);
        assert_eq!(first(&pool, "k", later(1_999)), "ws://b");
        assert_eq!(first(&pool, "k", later(2_000)), "ws://c");
    }

    /// A backend that leaves moves its own managers and nobody else's.
    #[test]
    fn a_manager_stays_where_it_is_as_long_as_that_is_there() {
        let (all, fewer) = (
            pool(Balance::ByKey, &["a", "b", "c"]),
            pool(Balance::ByKey, &["a", "c"]),
        );
        let mut seen = std::collections::BTreeMap::new();
        for number in 0..300 {
            let key = format!("k{number}");
            let home = first(&all, &key, Timestamp::ZERO);
            assert_eq!(home, first(&all, &key, Timestamp::ZERO));
            let moved = first(&fewer, &key, Timestamp::ZERO);
            assert!(
                moved == home || home == "ws://b",
                "{key}: {home} to {moved}"
            );
            *seen.entry(home).or_insert(0) += 1;
        }
        assert!(
            seen.len() == 3 && seen.values().all(|count| *count > 50),
            "{seen:?}"
        );
    }
}
