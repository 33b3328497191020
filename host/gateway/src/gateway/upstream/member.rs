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

mod scrape;
mod view;

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::histogram::Histogram;
use siphasher::sip::SipHasher13;
use tokio::sync::Semaphore;

use super::{Upstream, UpstreamError};
use crate::observe::Throttle;
use crate::observe::metrics::millis;
use wastegate_core::types::time::{doubled, whole_ms};
use wastegate_core::types::{SplitMix64, Timestamp};

pub use view::BackendView;

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
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// A backend of a gateway, as long as a pool or one of its connections has it.
pub(in crate::gateway) struct Member {
    pub(super) upstream: Upstream,
    connections: AtomicU32,
    /// A lock, because a phase, its time and its text change together; held for a few assignments.
    record: Mutex<Record>,
    /// How long connecting to it took, of connections that it upgraded.
    pub(super) connecting: Histogram,
    reports: Throttle<()>,
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
    /// Failures since the start.
    failed: u64,
    /// Pauses since the start.
    ejected: u64,
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

    /// Whose connection it is.
    pub(super) fn backend(&self) -> &Upstream {
        &self.0.upstream
    }
}

/// Backends by their address, for as long as anything has them: their connections are counted across
/// changes of the settings.
pub(in crate::gateway) struct Members {
    /// A lock, because the settings may be read by several tasks; held for one look-up.
    known: Mutex<HashMap<String, Weak<Member>>>,
    /// Permits for hedged attempts, of all clients.
    hedges: Arc<Semaphore>,
}

impl Members {
    /// No backend yet, and so many hedged attempts at once.
    pub(in crate::gateway) fn new(hedges_max: usize) -> Self {
        Self {
            known: Mutex::default(),
            hedges: Arc::new(Semaphore::new(hedges_max.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Permits for attempts beside another one that has not answered.
    pub(super) fn hedges(&self) -> Arc<Semaphore> {
        self.hedges.clone()
    }

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
                failed: 0,
                ejected: 0,
                reachable: None,
                last_error: None,
                failed_at: None,
                succeeded_at: None,
                strain: 0.0,
                strain_at: now,
            }),
            connecting: millis(),
            reports: Throttle::new(REPORT_EVERY),
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
        let mut text = error.to_string();
        if let Some((end, _)) = text.char_indices().nth(ERROR_BYTES_MAX) {
            text.truncate(end);
        }
        let mut record = self.record.lock();
        record.failures = record.failures.saturating_add(1);
        record.failed += 1;
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
        record.ejected += 1;
        let until = now.after(pause);
        record.enter(Phase::Away { until }, now);
        let failures = record.failures;
        drop(record);
        let upstream = &self.upstream;
        let pause_ms = whole_ms(pause);
        if let Some(suppressed) = self.reports.pass(now, ()) {
            tracing::warn!(%upstream, error = text, failures, pause_ms, suppressed, "a backend failed and is left alone for a while");
        }
    }

    /// How long it is left alone after so many pauses in a row.
    fn pause(&self, ejections: u32, now: Timestamp) -> Duration {
        let pause = doubled(AWAY_FIRST, ejections, AWAY_MAX);
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
    /// whose port is known to be open. The `first` look is also for those that no client was sent to.
    pub(super) fn wants_a_look(&self, first: bool) -> bool {
        let record = self.record.lock();
        match record.phase {
            Phase::Up | Phase::Trying { .. } => false,
            Phase::Unknown => first && record.reachable.is_none(),
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
}

#[cfg(test)]
mod tests;
