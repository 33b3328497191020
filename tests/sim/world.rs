//! Where everything that happens in a run is taken down, in order, and shown to the checkers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use wastegate::registry::Registry;
use wastegate_core::types::{Clock, Timestamp, UserId};

use crate::check::{Checkers, Violation};
use crate::rules::Facts;
use crate::scenario::Scenario;
use crate::seen::{Counts, Held, Seen};
use crate::tally::Tally;
use crate::truth::Truths;

/// The run as its observers share it.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) truths: Arc<Truths>,
    registry: Mutex<Option<Arc<Registry>>>,
    notes: Mutex<Notes>,
    numbers: AtomicU64,
    knocking: Mutex<Vec<UserId>>,
}

struct Notes {
    checkers: Checkers,
    log: Vec<String>,
    observations: u64,
    tally: Tally,
    budget: Duration,
    violations: Vec<Violation>,
}

/// What a run comes to.
pub(crate) struct Record {
    pub(crate) log: Vec<String>,
    pub(crate) observations: u64,
    pub(crate) tally: Tally,
    pub(crate) violations: Vec<Violation>,
}

impl World {
    pub(crate) fn new(clock: Clock, scenario: &Scenario) -> Arc<Self> {
        Arc::new(Self {
            clock,
            truths: Arc::default(),
            registry: Mutex::new(None),
            notes: Mutex::new(Notes {
                checkers: Checkers::of(scenario),
                log: Vec::new(),
                observations: 0,
                tally: Tally::default(),
                budget: scenario.admission.budget,
                violations: Vec::new(),
            }),
            numbers: AtomicU64::new(0),
            knocking: Mutex::default(),
        })
    }

    /// Whom to look at.
    pub(crate) fn watch(&self, registry: &Arc<Registry>) {
        *self.registry.lock() = Some(registry.clone());
    }

    /// The run is over: lets go of what was watched.
    pub(crate) fn finish(&self) -> Record {
        *self.registry.lock() = None;
        let mut notes = self.notes.lock();
        Record {
            log: std::mem::take(&mut notes.log),
            observations: notes.observations,
            tally: std::mem::take(&mut notes.tally),
            violations: std::mem::take(&mut notes.violations),
        }
    }

    /// A number that nothing else in this run has.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Relaxed)
    }

    /// Takes something down.
    pub(crate) fn see(&self, seen: &Seen) {
        let at = self.clock.now();
        let mut notes = self.notes.lock();
        let Notes {
            checkers,
            log,
            observations,
            violations,
            tally,
            budget,
        } = &mut *notes;
        tally.see(seen, *budget);
        *observations += 1;
        log.extend(seen.line(at));
        checkers.see(at, seen, violations);
    }

    pub(crate) fn registry(&self) -> Option<Arc<Registry>> {
        self.registry.lock().clone()
    }

    /// Looks at the counts.
    pub(crate) fn sample(&self) {
        let Some(registry) = self.registry() else {
            return;
        };
        let mut users: Vec<Held> = registry
            .users()
            .into_iter()
            .map(|(user, held)| Held {
                ceiling: registry.ceiling(&user),
                user: user.as_str().to_owned(),
                held,
            })
            .collect();
        users.sort_by(|a, b| a.user.cmp(&b.user));
        let total = registry.total();
        self.see(&Seen::Counts(Counts { users, total }));
    }

    /// The bare facts of a user's managers, or of everybody's.
    pub(crate) fn around(&self, user: Option<&UserId>, now: Timestamp) -> Vec<Facts> {
        let Some(registry) = self.registry() else {
            return Vec::new();
        };
        let managers = match user {
            Some(user) => registry.of(user),
            None => registry.all(),
        };
        let mut facts: Vec<Facts> = managers
            .iter()
            .map(|manager| Facts::of(&registry.row(manager, now)))
            .collect();
        facts.sort_by(|a, b| (&a.user, &a.key).cmp(&(&b.user, &b.key)));
        facts
    }

    /// One more client of a user wants a slot, until the returned guard is dropped.
    pub(crate) fn knocks(self: &Arc<Self>, user: &UserId) -> Knocking {
        self.knocking.lock().push(user.clone());
        Knocking(self.clone(), user.clone())
    }

    /// How many clients of a user, or of everybody, want a slot now.
    pub(crate) fn knocking(&self, user: Option<&UserId>) -> u32 {
        let knocking = self.knocking.lock();
        let count = knocking
            .iter()
            .filter(|one| user.is_none_or(|user| *one == user))
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// A client that wants a slot.
pub(crate) struct Knocking(Arc<World>, UserId);

impl Drop for Knocking {
    fn drop(&mut self) {
        let mut knocking = self.0.knocking.lock();
        if let Some(at) = knocking.iter().position(|user| *user == self.1) {
            knocking.swap_remove(at);
        }
    }
}
