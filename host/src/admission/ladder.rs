//! The way in, step by step.
//!
//! 1. A user that knocks too often waits.
//! 2. A key that has a manager joins it; otherwise a free slot is taken. This is the fast path.
//! 3. At the limit room is made, by the tiers that the operator enabled. While newborns are about,
//!    they are waited for: what they turn out to be may help.
//! 4. If nothing may be evicted: temporary slots, then the queue, then a refusal.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::config::Config;
use super::denied::{Denied, Why};
use super::metrics::{Metrics, Outcome};
use super::queue::{Queues, Ticket};
use super::rate::Rate;
use super::watch::Watch;
use crate::cleanup::{Cleaner, TierRun};
use crate::registry::{Entrance, Granted, Permit, Registry};
use crate::types::{Clock, ManagerKey, Timestamp, UserId};

/// How often the head of a queue has the tiers look again: what was in use may be gone.
const QUEUE_CLEANUP_INTERVAL: Duration = Duration::from_secs(1);

/// Decides who may enter.
pub struct Admission {
    pub(super) registry: Arc<Registry>,
    pub(super) cleaner: Arc<Cleaner>,
    pub(super) clock: Clock,
    pub(super) config: Config,
    rate: Rate,
    queues: Arc<Queues>,
    pub(super) metrics: Metrics,
    pub(super) watch: OnceLock<Arc<dyn Watch>>,
}

/// A positive answer.
#[derive(Debug)]
pub enum Admitted {
    /// Come in.
    Now(Permit),
    /// Wait here: [`Admission::wait`].
    Queued(Ticket),
}

/// What was met on the way.
pub(super) struct Way {
    pub(super) start: Timestamp,
    deadline: Timestamp,
    pub(super) tiers: Vec<TierRun>,
}

/// Where the tiers left somebody.
enum Step {
    In(Permit),
    Out { why: Why, held: u32, limit: u32 },
}

impl Admission {
    /// The way into a registry.
    #[must_use]
    pub fn new(
        registry: Arc<Registry>,
        cleaner: Arc<Cleaner>,
        clock: Clock,
        config: Config,
    ) -> Arc<Self> {
        Arc::new(Self {
            registry,
            cleaner,
            clock,
            config,
            rate: Rate::default(),
            queues: Arc::default(),
            metrics: Metrics::default(),
            watch: OnceLock::new(),
        })
    }

    /// The room's metrics, to be registered.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// How many clients wait in queues.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queues.len()
    }

    /// Sets how many managers a user may hold, as whoever vouches for it says; none for as many as
    /// everybody.
    pub fn set_limit(&self, user: &UserId, limit: Option<u32>) {
        self.registry.set_limit(user, limit);
    }

    /// Lets one connection in, within the budget. Whoever stops waiting leaves nothing behind.
    ///
    /// # Errors
    /// [`Denied`] when nothing that is held may be evicted, and the ladder has no step left.
    pub async fn admit(&self, user: &UserId, key: &ManagerKey) -> Result<Admitted, Denied> {
        let start = self.clock.now();
        let admitted = self.knock(user, key).await;
        if let Err(denied) = &admitted {
            self.turned_away(denied, key, start);
        }
        admitted
    }

    async fn knock(&self, user: &UserId, key: &ManagerKey) -> Result<Admitted, Denied> {
        let start = self.clock.now();
        let deadline = start.after(self.config.budget);
        let mut way = Way {
            start,
            deadline,
            tiers: Vec::new(),
        };
        if let Err(retry_after) = self.rate.attempt(user, &self.config, start) {
            let (held, limit) = (self.registry.held(user), self.registry.limit(user, start));
            return Err(self.deny(user, Why::RateLimited, (held, limit), retry_after, way));
        }
        // Those who wait come first; a key that has a manager needs no slot.
        let overtaking = self.queues.is_waited_for(user) && self.registry.get(user, key).is_none();
        let step = if overtaking {
            let (held, limit) = (self.registry.held(user), self.registry.limit(user, start));
            Step::Out {
                why: Why::UserLimit,
                held,
                limit,
            }
        } else {
            self.find_room(user, key, &mut way).await
        };
        match step {
            Step::In(permit) => {
                let outcome = if way.tiers.is_empty() {
                    Outcome::Admitted
                } else {
                    Outcome::AdmittedByCleanup
                };
                Ok(Admitted::Now(self.let_in(permit, outcome, &way)))
            }
            // Nor does a newcomer get the temporary slot that the first in the queue waits for.
            Step::Out { why, held, limit } if overtaking => {
                self.line_up(user, why, (held, limit), self.config.retry_after, way)
            }
            Step::Out { why, held, limit } => self.climb(user, key, why, (held, limit), way),
        }
    }

    /// Tries to enter, making room as long as that helps and the budget lasts.
    async fn find_room(&self, user: &UserId, key: &ManagerKey, way: &mut Way) -> Step {
        let watch = self.registry.watch(user);
        loop {
            // Ask before looking, so that nothing that changes meanwhile is missed.
            let mut changed = std::pin::pin!(watch.next());
            changed.as_mut().enable();
            let now = self.clock.now();
            let left = way.deadline.since(now);
            let full = match self.registry.enter(user, key, now) {
                Entrance::Open(permit) => return Step::In(permit),
                Entrance::NodeFull { held, limit } => {
                    let full = Step::Out {
                        why: Why::NodeLimit,
                        held,
                        limit,
                    };
                    let room = tokio::time::timeout(left, self.cleaner.make_room_on_node()).await;
                    let Ok(cleanup) = room else {
                        return full;
                    };
                    way.tiers.extend(&cleanup.runs);
                    if !(cleanup.enough || cleanup.freed > 0) || self.clock.now() >= way.deadline {
                        return full;
                    }
                    continue;
                }
                Entrance::UserFull { held, limit } => Step::Out {
                    why: Why::UserLimit,
                    held,
                    limit,
                },
            };
            let Ok(cleanup) = tokio::time::timeout(left, self.cleaner.make_room(user)).await else {
                return full;
            };
            way.tiers.extend(&cleanup.runs);
            if cleanup.enough || cleanup.freed > 0 {
                if self.clock.now() >= way.deadline {
                    return full;
                }
            } else if !cleanup.newborns {
                return full;
            } else {
                // Until something changes, or a newborn's time is up: then it may go.
                let now = self.clock.now();
                let grown = self.registry.next_grown(user, now).unwrap_or(way.deadline);
                let wait = grown.min(way.deadline).since(now);
                let changed = tokio::time::timeout(wait, changed).await;
                if changed.is_err() && self.clock.now() >= way.deadline {
                    return full;
                }
            }
        }
    }

    /// Nothing may be evicted: temporary slots, the queue, a refusal.
    fn climb(
        &self,
        user: &UserId,
        key: &ManagerKey,
        why: Why,
        counts: (u32, u32),
        way: Way,
    ) -> Result<Admitted, Denied> {
        let mut retry_after = self.config.retry_after;
        if why == Why::UserLimit {
            let (now, limits) = (self.clock.now(), self.registry.limits());
            match self.registry.temporary().grant(user, limits, now) {
                Granted::Until(_) | Granted::Running(_) => {
                    if let Entrance::Open(permit) = self.registry.enter(user, key, now) {
                        self.cleaner.look();
                        return Ok(Admitted::Now(self.let_in(permit, Outcome::Temporary, &way)));
                    }
                }
                Granted::CoolingDown(until) => retry_after = retry_after.max(until.since(now)),
                Granted::Off => {}
            }
        }
        self.line_up(user, why, counts, retry_after, way)
    }

    /// The queue, if it is the user's own limit and there is a queue; else a refusal.
    fn line_up(
        &self,
        user: &UserId,
        why: Why,
        counts: (u32, u32),
        retry_after: Duration,
        way: Way,
    ) -> Result<Admitted, Denied> {
        if why != Why::UserLimit || self.config.queue_length_max == 0 {
            return Err(self.deny(user, why, counts, retry_after, way));
        }
        let Some(ticket) = self.queues.join(user, self.config.queue_length_max) else {
            let retry_after = self.config.queue_wait;
            return Err(self.deny(user, Why::QueueFull, counts, retry_after, way));
        };
        self.metrics.count(Outcome::Queued);
        Ok(Admitted::Queued(ticket))
    }

    /// Waits in the queue until it is this client's turn and a slot is free.
    ///
    /// # Errors
    /// [`Denied`] when that takes longer than the queue may.
    pub async fn wait(
        &self,
        ticket: Ticket,
        user: &UserId,
        key: &ManagerKey,
    ) -> Result<Permit, Denied> {
        let start = self.clock.now();
        let admitted = self.stand(ticket, user, key).await;
        if let Err(denied) = &admitted {
            self.turned_away(denied, key, start);
        }
        admitted
    }

    async fn stand(
        &self,
        mut ticket: Ticket,
        user: &UserId,
        key: &ManagerKey,
    ) -> Result<Permit, Denied> {
        let start = self.clock.now();
        let deadline = start.after(self.config.queue_wait);
        let mut way = Way {
            start,
            deadline,
            tiers: Vec::new(),
        };
        let watch = self.registry.watch(user);
        loop {
            let mut changed = std::pin::pin!(watch.next());
            changed.as_mut().enable();
            let now = self.clock.now();
            if ticket.position() == 1 {
                match self.registry.enter(user, key, now) {
                    Entrance::Open(permit) => {
                        return Ok(self.let_in(permit, Outcome::AdmittedFromQueue, &way));
                    }
                    Entrance::UserFull { .. } => {
                        // A slot that becomes free meanwhile is not kept waiting for the probes.
                        let look_again = tokio::select! {
                            helped = self.help_the_first(user) => helped,
                            () = changed.as_mut() => true,
                        };
                        if look_again {
                            continue;
                        }
                    }
                    Entrance::NodeFull { .. } => {
                        let room = self.cleaner.make_room_on_node();
                        let room = tokio::time::timeout(self.config.budget, room).await;
                        if room.is_ok_and(|cleanup| cleanup.freed > 0) {
                            continue;
                        }
                    }
                }
            }
            let left = deadline.since(self.clock.now());
            if left.is_zero() {
                let counts = (self.registry.held(user), self.registry.limit(user, now));
                way.tiers.clear();
                let retry_after = self.config.retry_after;
                return Err(self.deny(user, Why::QueueTimeout, counts, retry_after, way));
            }
            tokio::select! {
                () = changed => {}
                () = ticket.moved() => {}
                () = tokio::time::sleep(left.min(QUEUE_CLEANUP_INTERVAL)) => {}
            }
        }
    }

    /// Looks again for the first in a queue: what was in use may be gone, and a cool-down over. Also
    /// when its time is over: nobody is refused before a last look, which takes no longer than any
    /// admission.
    async fn help_the_first(&self, user: &UserId) -> bool {
        let room = self.cleaner.make_room(user);
        let cleanup = tokio::time::timeout(self.config.budget, room).await;
        if cleanup.is_ok_and(|cleanup| cleanup.freed > 0) {
            return true;
        }
        let (now, limits) = (self.clock.now(), self.registry.limits());
        let granted = self.registry.temporary().grant(user, limits, now);
        let granted = matches!(granted, Granted::Until(_));
        if granted {
            self.cleaner.look();
        }
        granted
    }
}
