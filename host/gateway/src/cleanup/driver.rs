//! The loop over the tiers.
//!
//! Each tier looks afresh: a snapshot, what is still short, the rows it may touch, a ranking, a
//! plan, its execution. It ends as soon as enough is free, so a later tier never runs where an
//! earlier one sufficed, and the loop ends with the last tier, so it can fail to free anything only
//! by saying so.

use std::sync::{Arc, OnceLock};

use super::ask::{Patience, RankerCalls};
use super::config::Config;
use super::decide::Terms;
use super::displace::Rotation;
use super::evict::{Executor, Recorder};
use super::flight::{Flights, JoinReason};
use super::metrics::Metrics;
use super::pass::Pass;
use super::pressure::PressureBook;
use super::probe::Prober;
use super::run::{Cleanup, TierRun};
use super::sweep::Sweeps;
use crate::cluster::ClusterNode;
use crate::health;
use crate::observe::spans::{self, SpanKind, Spans};
use crate::registry::Registry;
use crate::tasks::{Supervisor, Tasks};
use wastegate_core::decision::{Ranker, Standing};
use wastegate_core::types::{Clock, EvictionCause, Scope, Tier, Timestamp, UserId};

/// How often `force` looks again when those it chose turned out to have become active. The last
/// look takes them as they are: by then a manager has to be evicted.
pub(super) const FORCE_LOOKS: u32 = 3;

/// What a cleaner is made of.
pub struct CleanerParts {
    /// The managers, and the limits of users and node.
    pub registry: Arc<Registry>,
    /// The policies, behind one trait; their rankings are untrusted.
    pub ranker: Arc<dyn Ranker>,
    /// Records what cleanup decided and did.
    pub recorder: Arc<dyn Recorder>,
    /// Where moments come from.
    pub clock: Clock,
    /// The room's settings.
    pub config: Config,
    /// How probes are made.
    pub health: health::Config,
    /// The group of tasks that cleanups run in.
    pub tasks: Tasks,
    /// Who keeps the background pass running.
    pub supervisor: Supervisor,
    /// Users' pressure levels.
    pub pressure: PressureBook,
    /// From which every decision's seed is derived.
    pub seed: u64,
    /// This node as one of its cluster, if it is in one.
    pub cluster: Option<Arc<ClusterNode>>,
}

/// Works through the tiers. Each file of the room keeps what only it changes in a part of its own.
pub struct Cleaner {
    pub(super) registry: Arc<Registry>,
    pub(super) recorder: Arc<dyn Recorder>,
    pub(super) clock: Clock,
    pub(super) config: Config,
    pub(super) tasks: Tasks,
    pub(super) pressure: PressureBook,
    pub(super) metrics: Metrics,
    pub(super) prober: Prober,
    pub(super) ranker: RankerCalls,
    pub(super) executor: Executor,
    pub(super) rotation: Rotation,
    pub(super) sweeps: Sweeps,
    pub(super) flights: Flights<(UserId, Pass)>,
    pub(super) node_flights: Flights<Pass>,
    pub(super) connection_flights: Flights<()>,
    pub(super) cluster: Option<Arc<ClusterNode>>,
    /// Begins spans of what no handshake asks for, where it is traced.
    pub(super) spans: OnceLock<Spans>,
}

impl Cleaner {
    /// A cleaner at rest.
    #[must_use]
    pub fn new(parts: CleanerParts) -> Arc<Self> {
        let CleanerParts {
            registry,
            recorder,
            clock,
            config,
            tasks,
            ..
        } = parts;
        let metrics = Metrics::default();
        Arc::new(Self {
            prober: Prober::new(clock.clone(), parts.health),
            ranker: RankerCalls::new(parts.ranker, clock.clone(), parts.seed),
            executor: Executor::new(
                registry.clone(),
                recorder.clone(),
                metrics.clone(),
                clock.clone(),
                tasks.clone(),
                &config,
            ),
            rotation: Rotation::new(&config, parts.cluster.clone()),
            sweeps: Sweeps::new(parts.supervisor, &config.table),
            registry,
            recorder,
            clock,
            config,
            tasks,
            pressure: parts.pressure,
            metrics,
            flights: Flights::default(),
            node_flights: Flights::default(),
            connection_flights: Flights::default(),
            cluster: parts.cluster,
            spans: OnceLock::new(),
        })
    }

    /// The room's metrics, to be registered.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// How verdicts are made.
    #[must_use]
    pub const fn health(&self) -> &health::Config {
        self.prober.config()
    }

    /// This node as one of its cluster, if it is in one.
    #[must_use]
    pub const fn cluster(&self) -> Option<&Arc<ClusterNode>> {
        self.cluster.as_ref()
    }

    /// Users' pressure levels.
    #[must_use]
    pub fn pressure(&self) -> &PressureBook {
        &self.pressure
    }

    /// Makes room for one more manager of a user by one pass of the tiers, and for every admission that asks
    /// for the same meanwhile. Ends by itself, even if the admissions stop waiting.
    pub async fn make_room(self: &Arc<Self>, user: &UserId, pass: Pass) -> Arc<Cleanup> {
        let (flight, ours) = self.flights.join(&(user.clone(), pass), JoinReason::Room);
        if let Some(landing) = ours {
            let (cleaner, user) = (self.clone(), user.clone());
            let work = async move {
                let short = |held: u32, limit: u32| {
                    landing.waiting().saturating_sub(limit.saturating_sub(held))
                };
                let cleanup = cleaner.work_through(&user, pass, &short).await;
                cleanup.note(Scope::User, pass);
                landing.land(cleanup);
            };
            self.tasks
                .spawn("cleanup", spans::around(spans::apart("cleanup"), work));
            return flight.landed().await;
        }
        let _shared = spans::child("cleanup-of-another", SpanKind::Internal);
        flight.landed().await
    }

    /// The tiers of a pass that an admission may run for its own user.
    fn tiers(&self, pass: Pass) -> impl DoubleEndedIterator<Item = Tier> {
        Tier::ADMISSION.into_iter().filter(move |tier| {
            pass.has(*tier)
                && *tier <= self.config.user_last_tier
                && self.config.table.rule(*tier).enabled
        })
    }

    /// Runs the tiers until nothing is short any more.
    async fn work_through(
        &self,
        user: &UserId,
        pass: Pass,
        short: &(dyn Fn(u32, u32) -> u32 + Sync),
    ) -> Cleanup {
        let mut cleanup = Cleanup::default();
        let mut patience = Patience::default();
        for tier in self.tiers(pass) {
            for look in 1..=FORCE_LOOKS {
                let short = || {
                    let now = self.clock.now();
                    short(self.registry.held(user), self.registry.limit(user, now))
                };
                let round = if short() > 0 {
                    self.probe(user, tier).await
                } else {
                    None
                };
                // Some may have left or given up while the probes were out.
                let needed = short();
                if needed == 0 {
                    cleanup.enough = true;
                    return cleanup;
                }
                let terms = Terms {
                    table: &self.config.table,
                    cause: EvictionCause::Cleanup(tier),
                    active_too: look == FORCE_LOOKS,
                    pass,
                    needed: &short,
                };
                let (run, needed) = self
                    .run_rationed(user, tier, round, needed, terms, &mut patience)
                    .await;
                cleanup.freed += run.freed;
                cleanup.runs.push(run);
                if tier != Tier::Force || run.freed >= needed || run.eligible == 0 {
                    break;
                }
            }
        }
        if cleanup.freed == 0 && patience.was_tried() {
            cleanup.runs.extend(self.last_look(user, pass, short).await);
            cleanup.freed = cleanup.runs.last().map_or(0, |run| run.freed);
        }
        let now = self.clock.now();
        // Newborns first: one that leaves between the two looks is then a free slot, and is not
        // overlooked by both.
        let newborn =
            |manager: &Arc<crate::manager::Manager>| manager.standing(now) == Standing::Newborn;
        cleanup.newborns = self.registry.of(user).iter().any(newborn);
        cleanup.enough = short(self.registry.held(user), self.registry.limit(user, now)) == 0;
        cleanup
    }

    /// Looks once more after rankings that took their time and came to nothing: meanwhile somebody
    /// may have become one that may go. The host ranks by itself and at once, so that nothing can
    /// change during this look, and a refusal after it is correct.
    async fn last_look(
        &self,
        user: &UserId,
        pass: Pass,
        short: &(dyn Fn(u32, u32) -> u32 + Sync),
    ) -> Option<TierRun> {
        let tier = self.tiers(pass).next_back()?;
        let short = || {
            let now = self.clock.now();
            short(self.registry.held(user), self.registry.limit(user, now))
        };
        let needed = short();
        if needed == 0 {
            return None;
        }
        let terms = Terms {
            table: &self.config.table,
            cause: EvictionCause::Cleanup(tier),
            active_too: true,
            pass,
            needed: &short,
        };
        let mut none_left = Patience::NONE;
        let (run, _) = self
            .run_rationed(user, tier, None, needed, terms, &mut none_left)
            .await;
        Some(run)
    }

    /// Runs one tier within the user's ration of `force`; also how many it was asked for then.
    async fn run_rationed(
        &self,
        user: &UserId,
        tier: Tier,
        round: Option<health::Round>,
        needed: u32,
        terms: Terms<'_>,
        patience: &mut Patience,
    ) -> (TierRun, u32) {
        let rationed = tier == Tier::Force;
        let needed = if rationed {
            self.rotation.allow(user, needed, self.clock.now())
        } else {
            needed
        };
        let run = self
            .run_tier(user, tier, round, needed, terms, patience)
            .await;
        if rationed {
            self.rotation.made(user, needed, run.freed);
        }
        (run, needed)
    }

    /// Finds out what a tier has to know first.
    pub(super) async fn probe(&self, user: &UserId, tier: Tier) -> Option<health::Round> {
        let probe = self.config.table.rule(tier).probe;
        self.prober.first(probe, || self.registry.of(user)).await
    }

    /// Runs one tier for one user, after its probes.
    pub(super) async fn run_tier(
        &self,
        user: &UserId,
        tier: Tier,
        round: Option<health::Round>,
        needed: u32,
        terms: Terms<'_>,
        patience: &mut Patience,
    ) -> TierRun {
        let now = self.clock.now();
        let snapshot = self.registry.snapshot_user(user, now);
        self.registry.note_health(&snapshot);
        let question = self.ranker.question(&snapshot, terms.table, tier, needed);
        let run = self.decide(question, terms, patience).await;
        self.recorder.tier_ran(Some(user), &run, round);
        run
    }

    /// Now, by the clock that decisions are made by.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Something changed that the background pass should look at.
    pub fn look(&self) {
        self.sweeps.request();
    }

    /// How many users are being cleaned up.
    #[must_use]
    pub fn running(&self) -> usize {
        self.flights.running()
    }
}
