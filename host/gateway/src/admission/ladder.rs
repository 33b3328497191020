//! The way in, step by step.
//!
//! 1. A user that an operator has blocked is refused. One that tries too often waits.
//! 2. A key that has a manager joins it, if that has a place for one more connection; otherwise a free
//!    slot is taken. This is the fast path.
//! 3. At the limit room is made (`room`): what does not answer, temporary slots, `force`. While newborns
//!    are about, they are waited for: what they turn out to be may help.
//! 4. If nothing may be evicted: the queue, then a refusal.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::config::Config;
use super::contest::Contests;
use super::counting::CountedIn;
use super::denied::{DenialReason, Denied};
use super::metrics::{Metrics, Outcome};
use super::offer::{Admitted, Displace, Newcomer, OfferAnswer, Promise, SlotOffer};
use super::queue::{Queues, Ticket};
use super::rate::Rate;
use super::room::{Look, Out, Step};
use super::watch::AdmissionObserver;
use super::way::Way;
use crate::cleanup::{Cleaner, Displacement};
use crate::cluster::ClusterNode;
use crate::registry::{Entrance, Permit, Registry};
use wastegate_core::types::{Clock, ManagerKey, Timestamp, UserId};

/// How often the head of a queue has the tiers look again: what was in use may be gone.
const QUEUE_CLEANUP_INTERVAL: Duration = Duration::from_secs(1);

/// Decides who may enter.
pub struct Admission {
    pub(super) registry: Arc<Registry>,
    pub(super) cleaner: Arc<Cleaner>,
    /// This node as one of its cluster, if it is in one.
    pub(super) cluster: Option<Arc<ClusterNode>>,
    pub(super) clock: Clock,
    pub(super) config: Config,
    rate: Rate,
    queues: Arc<Queues>,
    pub(super) contests: Contests,
    pub(super) metrics: Metrics,
    pub(super) watch: OnceLock<Arc<dyn AdmissionObserver>>,
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
            cluster: cleaner.cluster().cloned(),
            cleaner,
            clock,
            config,
            rate: Rate::default(),
            queues: Arc::default(),
            contests: Contests::default(),
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

    /// Whether room would have to be made for a newcomer: its user is at its limit, and has no manager of
    /// its key.
    #[cfg(feature = "upstream")]
    #[must_use]
    pub(crate) fn is_full_for(&self, newcomer: Newcomer<'_>) -> bool {
        let Newcomer { user, key, .. } = newcomer;
        let limit = self.registry.limit(user, self.clock.now());
        self.registry.held(user) >= limit && self.registry.get(user, key).is_none()
    }

    /// Sets how many managers a user may hold, as its identity provider says; none for as many as
    /// everybody.
    pub fn set_limit(&self, user: &UserId, limit: Option<u32>) {
        self.registry.set_limit(user, limit);
    }

    /// This node as one of its cluster, if it is in one.
    pub(crate) const fn cluster(&self) -> Option<&Arc<ClusterNode>> {
        self.cluster.as_ref()
    }

    /// Who is alive.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Some routes count apart, and hold a user by its name, this mark and the name of the route.
    pub(crate) fn scoped_by(&self, mark: &'static str) {
        self.registry.scoped_by(mark);
    }

    /// Admits one connection, within the budget. Dropping the future gives everything back.
    ///
    /// # Errors
    /// [`Denied`] when nothing that is held may be evicted, and the ladder has no step left.
    pub async fn admit(&self, user: &UserId, key: &ManagerKey) -> Result<Admitted, Denied> {
        let newcomer = Newcomer {
            user,
            key,
            device: None,
        };
        match self.ask(newcomer, Displace::Now).await? {
            OfferAnswer::Offered(SlotOffer::Free(permit)) => Ok(Admitted::Now(permit)),
            // Nothing is promised where it can be given.
            OfferAnswer::Offered(SlotOffer::Promised(promise)) => {
                self.redeem(promise, newcomer).await.map(Admitted::Now)
            }
            OfferAnswer::Queued(ticket) => Ok(Admitted::Queued(ticket)),
        }
    }

    /// Finds a place for a newcomer, within the budget. With [`Displace::Later`] no manager that answers
    /// is evicted for it yet: where that would be needed, the place is promised.
    ///
    /// # Errors
    /// [`Denied`] when nothing that is held may be evicted, and the ladder has no step left.
    pub async fn ask(
        &self,
        newcomer: Newcomer<'_>,
        displace: Displace,
    ) -> Result<OfferAnswer, Denied> {
        let start = self.clock.now();
        let asked = self.attempt(newcomer, displace, start).await;
        if let Err(denied) = &asked {
            self.turned_away(denied, newcomer.key, start);
        }
        asked
    }

    /// Gives a newcomer the place that it was promised, or found gone: a manager that answers is evicted
    /// now if that is still needed. Takes what the newcomer's first look has left of the budget.
    ///
    /// # Errors
    /// [`Denied`] when that is not possible any more.
    pub async fn redeem(&self, promise: Promise, newcomer: Newcomer<'_>) -> Result<Permit, Denied> {
        let now = self.clock.now();
        let mut way = Way::new(promise.since, now.after(promise.left));
        let evidence_age = self.cleaner.health().evidence_age;
        way.has_looked = promise
            .looked_at
            .is_some_and(|at| now.since(at) < evidence_age);
        let step = self.find_room(newcomer, Displace::Now, &mut way).await;
        let given = match step {
            Step::In(permit) => self.placed(permit, newcomer, way).await,
            Step::Promised => Err(self.refuse(newcomer.user, self.full_now(newcomer.user), way)),
            Step::Out(out) => Err(self.refuse(newcomer.user, out, way)),
        };
        if let Err(denied) = &given {
            self.turned_away(denied, newcomer.key, promise.since);
        }
        given
    }

    /// A place that was given and is gone, because its manager ended meanwhile: the newcomer may ask for
    /// another one.
    pub fn lost(&self) -> Promise {
        Promise {
            since: self.clock.now(),
            looked_at: None,
            left: self.config.budget,
        }
    }

    async fn attempt(
        &self,
        newcomer: Newcomer<'_>,
        displace: Displace,
        start: Timestamp,
    ) -> Result<OfferAnswer, Denied> {
        let Newcomer { user, key, .. } = newcomer;
        let mut way = Way::new(start, start.after(self.config.budget));
        if let Some(term) = self.registry.blocked(user) {
            return Err(self.refuse(user, self.blocked(user, term), way));
        }
        if let Err(retry_after) = self.rate.attempt(user, &self.config, start) {
            let out = Out {
                why: DenialReason::RateLimited,
                retry_after: Some(retry_after),
                ..self.full_now(user)
            };
            return Err(self.refuse(user, out, way));
        }
        // Those who wait come first; a key that has a manager needs no slot. Nor does a newcomer get the
        // temporary slot that the first in the queue waits for.
        let overtaking = self.queues.is_waited_for(user) && self.registry.get(user, key).is_none();
        let step = if overtaking {
            Step::Out(self.full_now(user))
        } else {
            self.find_room(newcomer, displace, &mut way).await
        };
        match step {
            Step::In(permit) => {
                let permit = self.placed(permit, newcomer, way).await?;
                Ok(OfferAnswer::Offered(SlotOffer::Free(permit)))
            }
            Step::Promised => Ok(OfferAnswer::Offered(self.promise(start, &way))),
            Step::Out(out) => self.line_up(user, out, way),
        }
    }

    fn promise(&self, since: Timestamp, way: &Way) -> SlotOffer {
        SlotOffer::Promised(Promise::new(since, self.clock.now(), way.look_until))
    }

    pub(super) const fn retry_after(&self) -> Duration {
        self.config.retry_after
    }

    fn refuse(&self, user: &UserId, out: Out, way: Way) -> Denied {
        let retry_after = out.retry_after.unwrap_or(self.config.retry_after);
        self.deny(user, out.why, (out.held, out.limit), retry_after, way)
    }

    /// Gives a slot to a newcomer, if its manager has a place for one more connection.
    async fn placed(
        &self,
        permit: Permit,
        newcomer: Newcomer<'_>,
        way: Way,
    ) -> Result<Permit, Denied> {
        match self.place(&permit, newcomer, &way).await {
            Ok(()) => {
                let outcome = way.outcome();
                Ok(self.let_in(permit, outcome, &way))
            }
            Err(out) => {
                drop(permit);
                Err(self.refuse(newcomer.user, out, way))
            }
        }
    }

    /// The queue, if it is the user's own limit and there is a queue; else a refusal.
    fn line_up(&self, user: &UserId, out: Out, way: Way) -> Result<OfferAnswer, Denied> {
        // One that is held back would keep those behind it waiting.
        if out.why != DenialReason::UserLimit || self.config.queue_length_max == 0 {
            return Err(self.refuse(user, out, way));
        }
        let Some(ticket) = self.queues.join(user, self.config.queue_length_max) else {
            let out = Out {
                why: DenialReason::QueueFull,
                retry_after: Some(self.config.queue_wait),
                ..out
            };
            return Err(self.refuse(user, out, way));
        };
        self.metrics.count(Outcome::Queued);
        Ok(OfferAnswer::Queued(ticket))
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
        let newcomer = Newcomer {
            user,
            key,
            device: None,
        };
        match self.wait_for_offer(ticket, newcomer, Displace::Now).await? {
            SlotOffer::Free(permit) => Ok(permit),
            SlotOffer::Promised(promise) => self.redeem(promise, newcomer).await,
        }
    }

    /// The same, where a manager that answers may have to be left alone for the time being.
    ///
    /// # Errors
    /// [`Denied`] when that takes longer than the queue may.
    pub async fn wait_for_offer(
        &self,
        ticket: Ticket,
        newcomer: Newcomer<'_>,
        displace: Displace,
    ) -> Result<SlotOffer, Denied> {
        let start = self.clock.now();
        let offer = self.stand(ticket, newcomer, displace, start).await;
        if let Err(denied) = &offer {
            self.turned_away(denied, newcomer.key, start);
        }
        offer
    }

    async fn stand(
        &self,
        mut ticket: Ticket,
        newcomer: Newcomer<'_>,
        displace: Displace,
        start: Timestamp,
    ) -> Result<SlotOffer, Denied> {
        let Newcomer { user, key, .. } = newcomer;
        let deadline = start.after(self.config.queue_wait);
        let mut way = Way::new(start, deadline);
        let watch = self.registry.watch(user);
        loop {
            let mut changed = std::pin::pin!(watch.next());
            changed.as_mut().enable();
            let now = self.clock.now();
            // Also when the time is over: nobody is refused before a last look, which takes no longer
            // than any admission.
            way.look_until = now.after(self.config.budget);
            if ticket.position() == 1 {
                let look = match self.registry.enter(user, key, now) {
                    Entrance::Open(permit) => {
                        match self.count_in(permit, newcomer, displace, &mut way).await {
                            CountedIn::Out(out) => {
                                way.tiers.clear();
                                return Err(self.refuse(user, out, way));
                            }
                            CountedIn::Full(_, look) => look,
                            CountedIn::In(permit) => {
                                self.place(&permit, newcomer, &way).await.map_err(|out| {
                                    self.refuse(user, out, Way::new(start, deadline))
                                })?;
                                let permit = self.let_in(permit, Outcome::AdmittedFromQueue, &way);
                                return Ok(SlotOffer::Free(permit));
                            }
                        }
                    }
                    // A slot that becomes free meanwhile is not kept waiting for the probes.
                    Entrance::UserFull { .. } => tokio::select! {
                        biased;
                        look = self.look(user, key, displace, &mut way) => look,
                        () = changed.as_mut() => Look::Again,
                    },
                    Entrance::NodeFull { .. } => self.look_on_node(displace, &mut way).await,
                    Entrance::Blocked(term) => {
                        way.tiers.clear();
                        return Err(self.refuse(user, self.blocked(user, term), way));
                    }
                    Entrance::Draining => {
                        way.tiers.clear();
                        return Err(self.refuse(user, self.draining(user), way));
                    }
                };
                match look {
                    Look::Again if self.clock.now() < way.look_until => continue,
                    Look::Again => {}
                    Look::Promised => return Ok(self.promise(start, &way)),
                    // One that is held back does not keep those behind it waiting.
                    Look::Nothing {
                        displacement: displacement @ Displacement::Held,
                        ..
                    } => {
                        let mut out = self.full_now(user);
                        self.explain(newcomer, displacement, &mut out, &way, true);
                        return Err(self.refuse(user, out, way));
                    }
                    Look::Nothing { .. } => {}
                }
            }
            let left = deadline.since(self.clock.now());
            if left.is_zero() {
                way.tiers.clear();
                let out = Out {
                    why: DenialReason::QueueTimeout,
                    ..self.full_now(user)
                };
                return Err(self.refuse(user, out, way));
            }
            tokio::select! {
                () = changed => {}
                () = ticket.moved() => {}
                () = tokio::time::sleep(left.min(QUEUE_CLEANUP_INTERVAL)) => {}
            }
        }
    }
}
