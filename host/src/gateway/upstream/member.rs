//! One backend: its connections, and what the last upgrades say of it.
//!
//! An upgrade that fails for a reason of the backend ejects it: it gets no clients for a pause that
//! doubles with every ejection in a row, with jitter, so that several gateways do not come back
//! together. When the pause is over the backend is half-open: the next client's upgrade is the trial,
//! one at a time. A trial that succeeds ends the matter; one that fails begins the next, longer pause.
//! A failure within a pause, of an upgrade that began before it or because no other backend was left,
//! does not lengthen it.
//!
//! A bare TCP connection proves nothing but that the port is open: a backend that could not be reached
//! may get its trial at once, and no backend is up because of it.

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use siphasher::sip::SipHasher13;

use super::{Upstream, UpstreamError};
use crate::observe::Throttle;
use crate::types::{SplitMix64, Timestamp, chain};

/// How long a backend is left alone after its first failure.
const AWAY_FIRST: Duration = Duration::from_secs(1);
/// How long at most, before jitter.
const AWAY_MAX: Duration = Duration::from_secs(30);
/// By how much a pause differs at most, in percent of it, either way.
const JITTER_PERCENT: u64 = 20;
/// In which time the failures that count as load are halved.
const STRAIN_HALVES: Duration = Duration::from_secs(10);
/// Bytes that are kept of an error's text.
const ERROR_BYTES_MAX: usize = 256;
/// Between two log lines about failures of one backend.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// A backend of a gateway, as long as a pool or one of its connections has it.
pub(in crate::gateway) struct Member {
    pub(super) upstream: Upstream,
    connections: AtomicU32,
    /// A lock, because a phase, its time and its text change together; held for a few assignments.
    record: Mutex<Record>,
    told: Throttle<()>,
}

/// What is known of a backend.
#[derive(Debug)]
struct Record {
    phase: Phase,
    /// Since when it is in that phase.
    since: Timestamp,
    /// Failures in a row.
    failures: u32,
    /// Pauses in a row.
    ejections: u32,
    /// The last look or upgrade did not even reach it. None if it was never looked for.
    reachable: Option<bool>,
    last_error: Option<String>,
    failed_at: Option<Timestamp>,
    succeeded_at: Option<Timestamp>,
    /// Recent failures, halved every [`STRAIN_HALVES`], as of `failed_at` or later.
    strain: f64,
    strain_at: Timestamp,
}

/// What clients are sent to a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No upgrade was tried yet.
    Unknown,
    /// The last one succeeded.
    Up,
    /// The last one failed; until then it gets none, and then one.
    Away { until: Timestamp },
    /// It has that one; the pause that was over before it.
    Trying { until: Timestamp },
}

/// How a backend may be used at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Like any other.
    Open,
    /// For one client, whose upgrade is its trial.
    Trial,
    /// Only if no other is left: its trial is under way.
    Trying,
    /// Only if no other is left.
    Away { until: Timestamp },
}

/// One more connection of a backend, as long as this lives.
pub(in crate::gateway) struct Load(Arc<Member>);

/// A backend as operators see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// Its address.
    pub url: String,
    /// Upgrades succeed; none before the first was tried.
    pub up: Option<bool>,
    /// `unknown` before the first upgrade, `up`, `away` after a failure, `trying` while one client
    /// finds out.
    pub state: &'static str,
    /// For how long it has been in that state, ms.
    pub since_ms: u64,
    /// Whether its port took a TCP connection when it was last tried; none if it was not.
    pub reachable: Option<bool>,
    /// Connections that it has of ours.
    pub connections: u32,
    /// Failures in a row.
    pub failures: u32,
    /// The last of them, in words.
    pub last_error: Option<String>,
    /// How long ago that was, ms.
    pub last_failure_ms: Option<u64>,
    /// How long ago an upgrade succeeded, ms.
    pub last_success_ms: Option<u64>,
    /// In how long a client is let through again, ms.
    pub retry_in_ms: Option<u64>,
}

impl View {
    /// What was seen of it, as the end of a sentence that begins with its address.
    #[must_use]
    pub fn words(&self) -> String {
        match (self.state, self.reachable) {
            ("up", _) => "which upgrades".to_owned(),
            ("unknown", Some(true)) => "which takes connections".to_owned(),
            ("unknown", _) => "not asked yet".to_owned(),
            _ => {
                let error = self.last_error.as_deref().unwrap_or("it failed");
                format!("which is AWAY: {error}")
            }
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Load {
    pub(super) fn new(member: Arc<Member>) -> Self {
        member.connections.fetch_add(1, Ordering::Relaxed);
        Self(member)
    }
}

/// Backends by their address, for as long as anything has them: their connections are counted across
/// changes of the settings.
#[derive(Default)]
pub(in crate::gateway) struct Members {
    /// A lock, because the settings may be read by several tasks; held for one look-up.
    known: Mutex<HashMap<String, Weak<Member>>>,
}

impl Members {
    /// The backend of an address: the one that is known already, or a new one.
    pub(super) fn find(&self, upstream: &Upstream, now: Timestamp) -> Arc<Member> {
        let mut known = self.known.lock();
        known.retain(|_, member| member.strong_count() > 0);
        let url = upstream.to_string();
        if let Some(member) = known.get(&url).and_then(Weak::upgrade) {
            return member;
        }
        let member = Arc::new(Member::new(upstream.clone(), now));
        known.insert(url, Arc::downgrade(&member));
        member
    }
}

impl Record {
    fn enter(&mut self, phase: Phase, now: Timestamp) {
        self.phase = phase;
        self.since = now;
    }

    fn usable(&self, now: Timestamp) -> Use {
        match self.phase {
            Phase::Unknown | Phase::Up => Use::Open,
            Phase::Away { until } if until <= now => Use::Trial,
            Phase::Away { until } => Use::Away { until },
            Phase::Trying { .. } => Use::Trying,
        }
    }

    fn strain(&self, now: Timestamp) -> f64 {
        let halvings = now.since(self.strain_at).as_secs_f64() / STRAIN_HALVES.as_secs_f64();
        self.strain * (-halvings).exp2()
    }

    fn add_strain(&mut self, now: Timestamp) {
        self.strain = self.strain(now) + 1.0;
        self.strain_at = now;
    }
}

impl Member {
    fn new(upstream: Upstream, now: Timestamp) -> Self {
        Self {
            upstream,
            connections: AtomicU32::new(0),
            record: Mutex::new(Record {
                phase: Phase::Unknown,
                since: now,
                failures: 0,
                ejections: 0,
                reachable: None,
                last_error: None,
                failed_at: None,
                succeeded_at: None,
                strain: 0.0,
                strain_at: now,
            }),
            told: Throttle::new(TOLD_EVERY),
        }
    }

    pub(super) fn usable(&self, now: Timestamp) -> Use {
        self.record.lock().usable(now)
    }

    /// Takes it for one upgrade: the trial, if it is due. False if it is not to be had by then.
    pub(super) fn take(&self, now: Timestamp) -> Option<bool> {
        let mut record = self.record.lock();
        match record.usable(now) {
            Use::Open => Some(false),
            Use::Trial => {
                if let Phase::Away { until } = record.phase {
                    record.enter(Phase::Trying { until }, now);
                }
                Some(true)
            }
            Use::Trying | Use::Away { .. } => None,
        }
    }

    /// A trial ended without a verdict: the next client has it.
    pub(super) fn give_trial_back(&self, now: Timestamp) {
        let mut record = self.record.lock();
        if let Phase::Trying { until } = record.phase {
            record.enter(Phase::Away { until }, now);
        }
    }

    /// An upgrade failed for a reason of the backend.
    pub(super) fn failed(&self, error: &UpstreamError, now: Timestamp) {
        let mut text = chain(error);
        if let Some((end, _)) = text.char_indices().nth(ERROR_BYTES_MAX) {
            text.truncate(end);
        }
        let mut record = self.record.lock();
        record.failures = record.failures.saturating_add(1);
        record.failed_at = Some(now);
        record.reachable = Some(!error.is_unreachable());
        record.last_error = Some(text.clone());
        record.add_strain(now);
        if let Phase::Away { until } = record.phase
            && now < until
        {
            return;
        }
        let pause = self.pause(record.ejections, now);
        record.ejections = record.ejections.saturating_add(1);
        let until = now.after(pause);
        record.enter(Phase::Away { until }, now);
        let failures = record.failures;
        drop(record);
        let upstream = &self.upstream;
        let pause_ms = pause.as_millis();
        if let Some(suppressed) = self.told.pass(now, ()) {
            tracing::warn!(%upstream, error = text, failures, pause_ms, suppressed, "a backend failed and is left alone for a while");
        }
    }

    /// How long it is left alone after so many pauses in a row.
    fn pause(&self, ejections: u32, now: Timestamp) -> Duration {
        let pause = AWAY_FIRST
            .saturating_mul(1 << ejections.min(10))
            .min(AWAY_MAX);
        let percent = SplitMix64::nth(self.seed(), now.micros()) % (2 * JITTER_PERCENT + 1) + 100
            - JITTER_PERCENT;
        let percent = u32::try_from(percent).unwrap_or(100);
        pause.saturating_mul(percent) / 100
    }

    fn seed(&self) -> u64 {
        let mut hasher = SipHasher13::new();
        hasher.write(self.upstream.to_string().as_bytes());
        hasher.finish()
    }

    /// An upgrade failed for a reason of ours, or its client did not wait for its end: the backend is
    /// not blamed, and yet others come first for a while.
    pub(super) fn strained(&self, now: Timestamp) {
        self.record.lock().add_strain(now);
    }

    /// An upgrade succeeded.
    pub(super) fn succeeded(&self, now: Timestamp) {
        let mut record = self.record.lock();
        record.reachable = Some(true);
        record.succeeded_at = Some(now);
        record.ejections = 0;
        let failures = std::mem::take(&mut record.failures);
        if record.phase == Phase::Up {
            return;
        }
        record.enter(Phase::Up, now);
        drop(record);
        if failures > 0 {
            tracing::info!(upstream = %self.upstream, failures, "a backend upgrades again");
        }
    }

    /// Whether a bare connection would tell anything: not of a backend that upgrades, and not of one
    /// whose port is known to be open.
    pub(super) fn wants_a_look(&self) -> bool {
        let record = self.record.lock();
        match record.phase {
            Phase::Up | Phase::Trying { .. } => false,
            Phase::Unknown => record.reachable.is_none(),
            Phase::Away { .. } => record.reachable != Some(true),
        }
    }

    /// What a bare connection came to. It never says that upgrades succeed.
    pub(super) fn looked_at(&self, reached: Result<(), UpstreamError>, now: Timestamp) {
        let mut record = self.record.lock();
        match (reached, record.phase) {
            (Ok(()), phase) => {
                let was = record.reachable.replace(true);
                // What it failed for is over: the next client finds out.
                if let Phase::Away { until } = phase
                    && was == Some(false)
                {
                    let until = until.min(now);
                    record.enter(Phase::Away { until }, now);
                    tracing::info!(upstream = %self.upstream, "a backend can be reached again");
                }
            }
            (Err(error), Phase::Unknown) => {
                drop(record);
                self.failed(&error, now);
            }
            // Still the same failure: no client is spent on it, and the pause does not grow.
            (Err(_), Phase::Away { until }) => {
                record.reachable = Some(false);
                let pause = AWAY_FIRST.max(until.since(record.since));
                if until <= now {
                    let since = record.since;
                    record.enter(
                        Phase::Away {
                            until: now.after(pause.min(AWAY_MAX)),
                        },
                        since,
                    );
                }
            }
            (Err(_), Phase::Up | Phase::Trying { .. }) => {}
        }
    }

    /// Whether a client that is sent to it now may hope: it upgrades, or nothing says that it does not.
    /// `checked` says that backends out of reach are looked for in the background.
    pub(super) fn is_there(&self, checked: bool, now: Timestamp) -> bool {
        let record = self.record.lock();
        match record.usable(now) {
            Use::Open | Use::Trying => true,
            Use::Trial => !checked || record.reachable == Some(true),
            Use::Away { .. } => false,
        }
    }

    /// Its connections and its recent failures: what is the least of all gets the next client.
    pub(super) fn burden(&self, now: Timestamp) -> f64 {
        let connections = self.connections.load(Ordering::Relaxed);
        f64::from(connections) + self.record.lock().strain(now)
    }

    /// When it failed last.
    pub(super) fn failed_at(&self) -> Option<Timestamp> {
        self.record.lock().failed_at
    }

    /// How much this backend is the one for a manager, or for a client.
    pub(super) fn affinity(&self, names: &[&str]) -> u64 {
        let mut hasher = SipHasher13::new();
        for part in names.iter().copied().chain([&*self.upstream.to_string()]) {
            hasher.write_usize(part.len());
            hasher.write(part.as_bytes());
        }
        hasher.finish()
    }

    pub(super) fn view(&self, now: Timestamp) -> View {
        let record = self.record.lock();
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let ago = |at: Option<Timestamp>| at.map(|at| ms(now.since(at)));
        let (up, state) = match record.phase {
            Phase::Unknown => (None, "unknown"),
            Phase::Up => (Some(true), "up"),
            Phase::Away { .. } => (Some(false), "away"),
            Phase::Trying { .. } => (Some(false), "trying"),
        };
        View {
            url: self.upstream.to_string(),
            up,
            state,
            since_ms: ms(now.since(record.since)),
            reachable: record.reachable,
            connections: self.connections.load(Ordering::Relaxed),
            failures: record.failures,
            last_error: record.last_error.clone(),
            last_failure_ms: ago(record.failed_at),
            last_success_ms: ago(record.succeeded_at),
            retry_in_ms: match record.phase {
                Phase::Away { until } => Some(ms(until.since(now))),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> UpstreamError {
        UpstreamError::Connect(std::io::ErrorKind::ConnectionRefused.into())
    }

    fn silent() -> UpstreamError {
        UpstreamError::Timeout(AWAY_FIRST)
    }

    fn member() -> Member {
        Member::new("ws://a".parse().unwrap(), Timestamp::ZERO)
    }

    fn until(member: &Member, now: Timestamp) -> Duration {
        match member.usable(now) {
            Use::Away { until } => until.since(now),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pauses_grow_with_every_trial_that_fails_and_end_with_one_that_succeeds() {
        let (member, mut now) = (member(), Timestamp::from_millis(5));
        let mut expected = AWAY_FIRST;
        for _ in 0..8 {
            assert!(member.take(now).is_some());
            member.failed(&silent(), now);
            let pause = until(&member, now);
            let jitter = expected / 5;
            assert!(
                pause >= expected - jitter && pause <= expected + jitter,
                "{pause:?}"
            );
            // Others that began before are no news.
            member.failed(&silent(), now);
            assert_eq!(until(&member, now), pause);
            now = now.after(pause);
            expected = (expected * 2).min(AWAY_MAX);
        }
        assert_eq!(member.take(now), Some(true));
        member.succeeded(now);
        assert_eq!(member.usable(now), Use::Open);
        assert_eq!(member.view(now).up, Some(true));
    }

    #[test]
    fn a_trial_is_one_client_and_goes_back_if_that_leaves() {
        let (member, now) = (member(), Timestamp::ZERO);
        member.failed(&silent(), now);
        let later = now.after(AWAY_FIRST * 2);
        assert_eq!(member.take(later), Some(true));
        assert_eq!(member.take(later), None);
        member.give_trial_back(later);
        assert_eq!(member.take(later), Some(true));
    }

    /// W44: an open port is no reason to send more than one client.
    #[test]
    fn w44_a_bare_connection_makes_nothing_well() {
        let (member, now) = (member(), Timestamp::ZERO);
        member.looked_at(Ok(()), now);
        assert_eq!(member.view(now).state, "unknown");
        member.failed(&silent(), now);
        assert!(!member.wants_a_look());
        member.looked_at(Ok(()), now);
        assert!(matches!(member.usable(now), Use::Away { .. }));
        // What could not even be reached gets its trial, and no more.
        member.failed(&refused(), now);
        assert!(member.wants_a_look());
        member.looked_at(Ok(()), now);
        assert_eq!(member.usable(now), Use::Trial);
        assert_eq!(member.view(now).up, Some(false));
    }

    #[test]
    fn a_backend_out_of_reach_costs_no_client_while_it_is_looked_for() {
        let (member, mut now) = (member(), Timestamp::ZERO);
        member.looked_at(Err(refused()), now);
        assert!(!member.is_there(true, now));
        for _ in 0..10 {
            now = now.after(AWAY_FIRST * 2);
            assert!(!member.is_there(true, now));
            member.looked_at(Err(refused()), now);
            assert!(matches!(member.usable(now), Use::Away { .. }));
        }
        assert_eq!(member.view(now).failures, 1);
        member.looked_at(Ok(()), now);
        assert!(member.is_there(true, now));
    }

    #[test]
    fn recent_failures_weigh_like_connections_for_a_while() {
        let (member, now) = (member(), Timestamp::ZERO);
        for _ in 0..8 {
            member.strained(now);
        }
        assert!((member.burden(now) - 8.0).abs() < 0.01);
        assert!((member.burden(now.after(STRAIN_HALVES * 3)) - 1.0).abs() < 0.01);
    }
}
