//! Several backends: which one gets a client, and what happens when it does not upgrade.
//!
//! A client is tried with one backend after another within one deadline. Each has its share of it: when
//! that is over and the backend has said nothing, the next one is asked beside it (a hedged attempt), and the first
//! that upgrades has the client. So one that is stuck makes a client late, and backends that are all slow
//! still let it in. Hedged attempts are bounded, because each has a descriptor: beyond the bound the one that
//! has not answered is given up first. An upgrade request is a GET without a body, so asking again repeats nothing (RFC
//! 9110, section 9.2.2), also where a backend may have read it.
//!
//! Backends that failed are left alone ([`member`](super::member)). If all are, all are tried, the one
//! that failed longest ago first: a wrong guess must not lock anybody out. Failing fast makes no backend
//! the least loaded, because recent failures weigh like connections.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::stream::{FuturesUnordered, Stream, StreamExt};
use tokio::sync::Semaphore;

use super::blame::{Blame, Shortage};
use super::dial::Dialer;
use super::member::{BackendView, Member, Members, Use};
use super::open::{Asked, UpstreamConnection};
use super::tries::{Asking, Attempt, Purpose, Tries};
use super::{Upstream, UpstreamError};
use crate::gateway::GatewayError;
use crate::gateway::config::Config;
use crate::gateway::identity::Identity;
use crate::gateway::peer;
use crate::observe::Throttle;
use crate::tasks::Tasks;
use wastegate_core::types::{Clock, Timestamp};

/// Backends known to be away that one client is tried with.
const AWAY_TRIES_MAX: usize = 8;
/// How much longer than a backend's own timeout its end is waited for.
const TIMEOUT_SLACK: Duration = Duration::from_secs(1);
/// Between two log lines about a shortage of ours.
const SHORTAGE_REPORT_EVERY: Duration = Duration::from_secs(10);

/// Which of several backends gets a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Balance {
    /// The one with the fewest of ours.
    #[default]
    LeastConnections,
    /// Always the same for a user's manager, as long as it is there (rendezvous hashing).
    ByKey,
    /// Always the same for a client's address, as long as it is there, for upgrades as for what comes
    /// before them.
    ByAddress,
}

/// Whether a client may hope for a backend at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Availability {
    /// At least one upgrades, was not asked yet, or is due for a trial, which the next client makes.
    Available,
    /// All failed, and one client finds out whether that is over.
    Trying,
    /// All failed, and none is asked before then unless a client insists.
    Away {
        /// When the first of them may be tried again.
        until: Timestamp,
    },
}

/// The backends of a gateway, or of one of its routes.
pub(crate) struct Upstreams {
    members: Vec<Arc<Member>>,
    balance: Balance,
    /// Answers that say that a backend is sick.
    unhealthy: Vec<StatusCode>,
    /// Backends out of reach are looked for in the background.
    checked: bool,
    dialer: Dialer,
    /// Permits for hedged attempts, shared by all pools.
    hedges: Arc<Semaphore>,
    shortages: Throttle<Shortage>,
}

/// What a client is told in the end: of several failures the most telling, of equals the first.
#[derive(Default)]
struct Failed(Option<UpstreamError>);

impl Failed {
    fn add(&mut self, error: UpstreamError) {
        let is_better = |known: &UpstreamError| error.telling() > known.telling();
        if self.0.as_ref().is_none_or(is_better) {
            self.0 = Some(error);
        }
    }
}

impl Upstreams {
    /// These, by the settings of a configuration; what is known of a backend that is there already stays known.
    pub(in crate::gateway) fn of(
        config: &Config,
        upstreams: &[Upstream],
        members: &Members,
        now: Timestamp,
    ) -> Result<Arc<Self>, GatewayError> {
        let dialer = Dialer::of(config, upstreams)?;
        let upstreams = upstreams.iter();
        Ok(Arc::new(Self {
            members: upstreams.map(|it| members.find(it, now)).collect(),
            balance: config.upstream_balance,
            unhealthy: config.upstream_unhealthy_statuses.clone(),
            checked: !config.upstream_check.is_zero(),
            dialer,
            hedges: members.hedges(),
            shortages: Throttle::new(SHORTAGE_REPORT_EVERY),
        }))
    }

    /// The backends to try for one request, those for whom it may hope first. `identity` chooses among
    /// them where the same manager always goes to the same backend; `client` where the same address
    /// does, and for what is no upgrade: a session that begins by polling stays where it is. Whoever takes an [`Attempt`] reports
    /// what came of it, or drops it.
    pub(in crate::gateway) fn tries(
        &self,
        purpose: Purpose,
        identity: Option<&Identity>,
        client: Option<IpAddr>,
        clock: &Clock,
    ) -> Tries {
        let now = clock.now();
        let may = |member: &&Arc<Member>| {
            let usable = member.usable(now);
            usable == Use::Open || (purpose == Purpose::Upgrade && usable == Use::Trial)
        };
        let (mut open, mut away): (Vec<_>, Vec<_>) = self.members.iter().partition(may);
        let sticks = purpose == Purpose::Plain || self.balance == Balance::ByAddress;
        let client = client.filter(|_| sticks).map(|client| client.to_string());
        match (self.balance, identity, client) {
            (_, _, Some(client)) => open.sort_by_key(|member| member.affinity(&[&client])),
            (Balance::ByKey, Some(identity), None) => {
                let names = [identity.user.as_str(), identity.key.as_str()];
                open.sort_by_key(|member| member.affinity(&names));
            }
            // A trial comes first, or a backend with failures would never have one.
            (Balance::LeastConnections | Balance::ByKey | Balance::ByAddress, ..) => {
                let rank = |member: &Member| {
                    let burden = member.burden(now);
                    (member.usable(now) != Use::Trial, burden)
                };
                let order = |one: &&Arc<Member>, other: &&Arc<Member>| {
                    let (one, other) = (rank(one), rank(other));
                    one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))
                };
                open.sort_by(order);
                open.reverse();
            }
        }
        away.sort_by_key(|member| member.failed_at());
        away.truncate(AWAY_TRIES_MAX);
        away.reverse();
        Tries {
            open: open.into_iter().cloned().collect(),
            away: away.into_iter().cloned().collect(),
            purpose,
            clock: clock.clone(),
        }
    }

    /// Opens a connection as the client asked for it, within `timeout` in all.
    pub(in crate::gateway) async fn connect(
        &self,
        asked: Asked<'_>,
        timeout: Duration,
        tasks: &Tasks,
        clock: &Clock,
    ) -> Result<UpstreamConnection, UpstreamError> {
        let mut tries = self.tries(
            Purpose::Upgrade,
            Some(asked.identity),
            peer::client(asked.parts),
            clock,
        );
        let ask = |upstream: Upstream, within| async move {
            let dialer = &self.dialer;
            let connected = upstream.connect(asked, dialer, (tasks, clock));
            let connected = tokio::time::timeout(within, connected).await;
            connected.unwrap_or(Err(UpstreamError::Timeout(within)))
        };
        let ((upstream, took), attempt) = self.race(&mut tries, ask, timeout, clock).await?;
        attempt.connected(took);
        Ok(upstream.counted(attempt.succeeded()))
    }

    /// Tries one backend after another, each beside those that have not answered in their share. Returns
    /// what the first had that succeeded.
    async fn race<T, F: Future<Output = Result<T, UpstreamError>>>(
        &self,
        tries: &mut Tries,
        ask: impl Fn(Upstream, Duration) -> F,
        timeout: Duration,
        clock: &Clock,
    ) -> Result<(T, Attempt), UpstreamError> {
        let deadline = clock.now().after(timeout);
        let mut asked = Asking::default();
        let mut answers = FuturesUnordered::new();
        let mut failed = Failed::default();
        let mut permits = Vec::new();
        loop {
            let left = deadline.since(clock.now());
            let next = (!left.is_zero()).then(|| tries.next()).flatten();
            if next.is_some() && !answers.is_empty() {
                match self.hedges.try_acquire() {
                    Ok(permit) => permits.push(permit),
                    Err(_) => {
                        answers.clear();
                        asked = Asking::default();
                    }
                }
            }
            let answered = match next {
                Some(attempt) => {
                    let share = left / (tries.left() + 1);
                    let answer = ask(attempt.upstream().clone(), left);
                    let number = asked.add(attempt, share);
                    if answers.is_empty() && tries.left() == 0 {
                        // There is nothing to race with, and it has a timeout of its own.
                        Some((number, answer.await))
                    } else {
                        answers.push(async move { (number, answer.await) });
                        first(&mut answers, share).await
                    }
                }
                None if answers.is_empty() => {
                    return Err(failed.0.unwrap_or(UpstreamError::Timeout(timeout)));
                }
                // Each has a timeout of its own, which is over before.
                None => first(&mut answers, left + TIMEOUT_SLACK).await,
            };
            let Some((number, answer)) = answered else {
                continue;
            };
            let Some(attempt) = asked.take(number) else {
                continue;
            };
            let error = match answer {
                Ok(success) => {
                    asked.overtaken();
                    return Ok((success, attempt));
                }
                Err(error) => error,
            };
            match error.blame(&self.unhealthy) {
                Blame::Answer => {
                    attempt.answered();
                    asked.overtaken();
                    return Err(error);
                }
                Blame::Backend => attempt.failed(&error),
                Blame::Ours(shortage) => {
                    self.report(shortage, attempt.upstream(), clock.now());
                    attempt.short();
                }
            }
            failed.add(error);
        }
    }

    fn report(&self, shortage: Shortage, upstream: &Upstream, now: Timestamp) {
        if let Some(suppressed) = self.shortages.pass(now, shortage) {
            let words = shortage.words();
            tracing::error!(%upstream, suppressed, "cannot connect to a backend, which is not to blame: {words}");
        }
    }

    /// Whether a client may hope for a backend now. A hint for who would do harm to let it in:
    /// `connect` tries backends that are away too when there is no other.
    #[must_use]
    pub(crate) fn availability(&self, now: Timestamp) -> Availability {
        let mut soonest = None;
        let mut trying = false;
        for member in &self.members {
            match member.usable(now) {
                Use::Open | Use::Trial => return Availability::Available,
                Use::Trying => trying = true,
                Use::Away { until } => {
                    soonest = Some(soonest.map_or(until, |soonest: Timestamp| soonest.min(until)));
                }
            }
        }
        match soonest {
            _ if trying => Availability::Trying,
            Some(until) => Availability::Away { until },
            None => Availability::Available,
        }
    }

    /// Whether a balancer should send clients here: at least one backend is not known to be away.
    pub(in crate::gateway) fn is_there(&self, now: Timestamp) -> bool {
        let mut members = self.members.iter();
        members.any(|member| member.is_there(self.checked, now))
    }

    /// Looks once whether backends that could not be reached are back; the `first` look of a start also
    /// whether those that nobody asked yet can be. Others are left in peace: a connection that says
    /// nothing is a line in somebody's log.
    pub(in crate::gateway) async fn look(&self, first: bool, timeout: Duration, clock: &Clock) {
        let members = self.members.iter();
        let wanted = members.filter(|member| member.wants_a_look(first));
        let looks = wanted.map(|member| async move {
            let reached = member.upstream.is_there(timeout).await;
            match &reached {
                Err(error) if matches!(error.blame(&[]), Blame::Ours(_)) => {}
                _ => member.looked_at(reached, clock.now()),
            }
        });
        futures_util::future::join_all(looks).await;
    }

    pub(in crate::gateway) fn view(&self, now: Timestamp) -> Vec<BackendView> {
        self.members.iter().map(|member| member.view(now)).collect()
    }
}

/// What comes first of several, if it comes in time.
async fn first<S: Stream + Unpin>(answers: &mut S, within: Duration) -> Option<S::Item> {
    let answered = tokio::time::timeout(within, answers.next()).await;
    answered.ok().flatten()
}

#[cfg(test)]
mod tests;
