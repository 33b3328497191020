//! Every strategy over every user, on as many threads as there are processors, always to the same
//! result.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::candidate::ReplayCandidate;
use super::keys::keys;
use super::order::moments;
use super::pass::surplus_table;
use super::rules::Rules;
use super::tally::ReplayTally;
use super::user::{Decision, Played, Stage, play};
use crate::trace::{ByUser, TraceEvent, TraceEventKind};
use wastegate_core::decision::TierTable;
use wastegate_core::types::{ManagerKey, Timestamp, UserId};

/// Users that a thread takes at a time.
const BATCH: usize = 16;

/// What a run keeps besides the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The counts alone.
    Counts,
    /// The victims of every decision.
    Decisions,
    /// The victims, and the tables that were ranked.
    Questions,
}

/// What came of one strategy.
#[derive(Debug, Clone)]
pub struct ReplayOutcome {
    /// What was counted over the whole trace.
    pub tally: ReplayTally,
    /// Every decision, by user and in order, where they are kept.
    pub decisions: Vec<Decision>,
}

/// Why a trace cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// A user may hold nothing.
    #[error("`--cap 0`: nobody could hold anything; give 1 or more")]
    NoLimit,
    /// A name is none that a gateway would take.
    #[error("the trace names {0}")]
    Name(#[from] wastegate_core::types::InvalidId),
    /// Somebody asked to stop.
    #[error("stopped")]
    Stopped,
}

/// A trace, ready to be run any number of times.
#[derive(Clone)]
pub struct Replay<'a> {
    by_user: &'a ByUser<'a>,
    rules: &'a Rules,
    users: Vec<UserId>,
    keys: Vec<ManagerKey>,
    surplus_table: TierTable,
    attaches: bool,
    begin_ms: u64,
    counts_from_ms: u64,
    alone: bool,
    threads: usize,
}

/// How far a run has come, for whoever watches, and the way to stop it.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicUsize,
    stopped: AtomicBool,
}

impl Progress {
    /// Users that are done, over all runs.
    #[must_use]
    pub fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// Ends the run at the next user.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

impl<'a> Replay<'a> {
    /// Checks names and limits once.
    ///
    /// # Errors
    /// [`RunError::NoLimit`] and [`RunError::Name`].
    pub fn new(
        by_user: &'a ByUser<'a>,
        rules: &'a Rules,
        threads: usize,
    ) -> Result<Self, RunError> {
        if rules.limit == 0 {
            return Err(RunError::NoLimit);
        }
        let trace = by_user.trace();
        let attach = |event: &TraceEvent| event.kind == TraceEventKind::Attach;
        Ok(Self {
            by_user,
            rules,
            users: trace
                .users
                .iter()
                .map(|user| UserId::new(user))
                .collect::<Result<_, _>>()?,
            keys: keys(&trace.sessions)?,
            surplus_table: surplus_table(&rules.table),
            attaches: trace.events.iter().any(attach),
            begin_ms: trace.events.first().map_or(0, |event| event.at_ms),
            counts_from_ms: 0,
            alone: false,
            threads: threads.max(1),
        })
    }

    /// Lets nobody count as [exposed](super::Exposed) before a moment, ms as in the trace: an experiment that begins
    /// then, when the users have a past.
    #[must_use]
    pub const fn counting_from(mut self, at_ms: u64) -> Self {
        self.counts_from_ms = at_ms;
        self
    }

    /// Simulates what the record's gateway did even while a run holds what the record holds, so that its
    /// choices show what the simulation is worth.
    #[must_use]
    pub const fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// Runs one strategy over all users.
    ///
    /// # Errors
    /// [`RunError::Stopped`] if somebody asked for that.
    pub fn run(
        &self,
        candidate: &ReplayCandidate,
        keep: Keep,
        progress: &Progress,
    ) -> Result<ReplayOutcome, RunError> {
        let batches = self.users.len().div_ceil(BATCH);
        let next = AtomicUsize::new(0);
        // Each thread puts whole batches here; they are put in order at the end.
        let done: Mutex<Vec<(usize, ReplayOutcome)>> = Mutex::new(Vec::with_capacity(batches));
        std::thread::scope(|scope| {
            for _ in 0..self.threads.min(batches) {
                scope.spawn(|| {
                    loop {
                        let batch = next.fetch_add(1, Ordering::Relaxed);
                        if batch >= batches || progress.stopped.load(Ordering::Relaxed) {
                            return;
                        }
                        let outcome = self.batch(batch, candidate, keep, progress);
                        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                        done.push((batch, outcome));
                    }
                });
            }
        });
        if progress.stopped.load(Ordering::Relaxed) {
            return Err(RunError::Stopped);
        }
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(batch, _)| *batch);
        let mut whole = ReplayOutcome {
            tally: ReplayTally::default(),
            decisions: Vec::new(),
        };
        for (_, outcome) in done {
            whole.tally.merge(outcome.tally);
            whole.decisions.extend(outcome.decisions);
        }
        Ok(whole)
    }

    fn batch(
        &self,
        batch: usize,
        candidate: &ReplayCandidate,
        keep: Keep,
        progress: &Progress,
    ) -> ReplayOutcome {
        let mut outcome = ReplayOutcome {
            tally: ReplayTally::default(),
            decisions: Vec::new(),
        };
        let from = batch * BATCH;
        for (number, user) in self.users.iter().enumerate().skip(from).take(BATCH) {
            let Played { tally, decisions } = self.user(number, user.clone(), candidate, keep);
            outcome.tally.merge(tally);
            if keep != Keep::Counts {
                outcome.decisions.extend(decisions);
            }
            progress.done.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    fn user(&self, number: usize, name: UserId, candidate: &ReplayCandidate, keep: Keep) -> Played {
        let keys = &self.keys;
        let key = |session: u32| keys.get(session as usize).cloned();
        let stage = Stage {
            rules: self.rules,
            candidate,
            surplus_table: &self.surplus_table,
            key: &key,
            notes: &self.by_user.trace().notes,
            attaches: self.attaches,
            begin_ms: self.begin_ms,
            counts_from_ms: self.counts_from_ms,
            keep_questions: keep == Keep::Questions,
            alone: self.alone,
        };
        play(
            &stage,
            u32::try_from(number).unwrap_or(u32::MAX),
            name,
            self.by_user.of(number),
        )
    }

    /// Every decision of one user, with what was asked.
    #[must_use]
    pub fn explain(&self, user: u32, candidate: &ReplayCandidate) -> Vec<Decision> {
        let number = user as usize;
        let name = self.users.get(number).cloned();
        let play = |name| {
            self.user(number, name, candidate, Keep::Questions)
                .decisions
        };
        name.map(play).unwrap_or_default()
    }

    /// How long after a moment of the run a user wants a manager next; none if never again.
    #[must_use]
    pub fn next_wanted(&self, user: u32, session: u32, after: Timestamp) -> Option<Duration> {
        let events = self.by_user.of(user as usize);
        let mut wanted = events
            .iter()
            .zip(moments(events))
            .filter(|(event, _)| event.session == session && event.kind.is_wanted())
            .map(|(event, moment)| moment.at(event.at_ms, self.begin_ms));
        wanted.find(|at| *at > after).map(|at| at.since(after))
    }

    /// A user's session by the key that a question has for it.
    #[must_use]
    pub fn session(&self, user: u32, key: &ManagerKey) -> Option<u32> {
        let sessions = &self.by_user.trace().sessions;
        let mut keyed = sessions.iter().zip(&self.keys);
        let place = keyed.position(|(session, held)| session.user == user && held == key)?;
        u32::try_from(place).ok()
    }

    /// How many users there are.
    #[must_use]
    pub fn users(&self) -> usize {
        self.users.len()
    }
}
