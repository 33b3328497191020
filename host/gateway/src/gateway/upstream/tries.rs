//! The backends that one request is tried with, and what comes of each.

use std::sync::Arc;
use std::time::Duration;

use super::member::{Load, Member, Use};
use super::{Upstream, UpstreamError};
use wastegate_core::types::{Clock, Timestamp};

/// A client that leaves after it waited so long says something about the backend it waited for.
const ABANDONED_AFTER: Duration = Duration::from_millis(500);

/// What a client wants of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum Purpose {
    /// An upgrade: it may be the trial of a backend that failed.
    Upgrade,
    /// Another request: it is no trial, since it says nothing about upgrades.
    Plain,
}

/// The backends that one request is tried with, in order.
pub(in crate::gateway) struct Tries {
    /// Backends that are still to be tried; the last in the list is tried first.
    pub(super) open: Vec<Arc<Member>>,
    /// The same of those that are tried when no other is left.
    pub(super) away: Vec<Arc<Member>>,
    pub(super) purpose: Purpose,
    pub(super) clock: Clock,
}

/// One request at one backend: it counts as one of its connections. Dropped without a verdict, it
/// leaves what is known of the backend as it was.
pub(in crate::gateway) struct Attempt {
    member: Arc<Member>,
    load: Option<Load>,
    is_trial: bool,
    started: Timestamp,
    clock: Clock,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        // With a verdict, there is no load left here.
        if self.load.is_none() {
            return;
        }
        let now = self.clock.now();
        if self.is_trial {
            self.member.give_trial_back(now);
        }
        if now.since(self.started) >= ABANDONED_AFTER {
            self.member.strained(now);
        }
    }
}

impl Attempt {
    /// The backend that this attempt is for.
    pub(in crate::gateway) fn upstream(&self) -> &Upstream {
        &self.member.upstream
    }

    /// Since it began.
    fn took(&self) -> Duration {
        self.clock.now().since(self.started)
    }

    /// Notes how long connecting took, of one that upgraded.
    pub(super) fn connected(&self, took: Duration) {
        self.member.connecting.observe(took.as_secs_f64());
    }

    /// It upgraded. What is returned is the connection that it counts from now on.
    pub(in crate::gateway) fn succeeded(mut self) -> Option<Load> {
        self.member.succeeded(self.clock.now());
        self.load.take()
    }

    /// It answered, but not with an upgrade, and that counts against no backend.
    pub(in crate::gateway) fn answered(mut self) {
        if self.is_trial {
            self.member.give_trial_back(self.clock.now());
        }
        self.load = None;
    }

    /// It failed for a reason of the backend.
    pub(in crate::gateway) fn failed(mut self, error: &UpstreamError) {
        // Before the verdict, which ends the trial too.
        self.load = None;
        self.member.failed(error, self.clock.now());
    }

    /// It failed for a reason of ours.
    pub(super) fn short(mut self) {
        let now = self.clock.now();
        self.load = None;
        if self.is_trial {
            self.member.give_trial_back(now);
        }
        self.member.strained(now);
    }
}

/// Those that were asked for one client and have not answered, each with its share of the time.
#[derive(Default)]
pub(super) struct Asking(Vec<Option<(Attempt, Duration)>>);

impl Asking {
    pub(super) fn add(&mut self, attempt: Attempt, share: Duration) -> usize {
        self.0.push(Some((attempt, share)));
        self.0.len() - 1
    }

    pub(super) fn take(&mut self, number: usize) -> Option<Attempt> {
        let (attempt, _) = self.0.get_mut(number)?.take()?;
        Some(attempt)
    }

    /// Another one was faster: those that had their share failed, and of others nothing is known.
    pub(super) fn overtaken(self) {
        for (attempt, share) in self.0.into_iter().flatten() {
            if attempt.took() >= share {
                attempt.failed(&UpstreamError::Timeout(share));
            }
        }
    }
}

impl Tries {
    /// The next backend to try, if there is one.
    pub(in crate::gateway) fn next(&mut self) -> Option<Attempt> {
        let now = self.clock.now();
        while let Some(member) = self.open.pop() {
            // A faster request may have found that the backend is sick, or may hold its trial.
            match (self.purpose, member.usable(now)) {
                (Purpose::Upgrade, Use::Open | Use::Trial) => {
                    if let Some(is_trial) = member.take(now) {
                        return Some(self.attempt(member, is_trial, now));
                    }
                }
                (Purpose::Plain, Use::Open) => return Some(self.attempt(member, false, now)),
                _ => {}
            }
            self.away.push(member);
        }
        let member = self.away.pop()?;
        let is_trial = self.purpose == Purpose::Upgrade && member.take(now) == Some(true);
        Some(self.attempt(member, is_trial, now))
    }

    /// How many may still be tried.
    pub(super) fn left(&self) -> u32 {
        u32::try_from(self.open.len() + self.away.len()).unwrap_or(u32::MAX)
    }

    fn attempt(&self, member: Arc<Member>, is_trial: bool, now: Timestamp) -> Attempt {
        Attempt {
            load: Some(Load::new(member.clone())),
            member,
            is_trial,
            started: now,
            clock: self.clock.clone(),
        }
    }
}
