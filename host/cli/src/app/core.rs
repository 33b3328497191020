//! The gateway without listeners: every room, connected.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use parking_lot::Mutex;

use super::audit::Auditor;
use super::drain::Drain;
use super::error::AppError;
use super::notes::{Notes, rules};
use super::policies::Policies;
use super::recording::Recording;
use crate::config::{AdminListener, Config};
use tokio_util::sync::CancellationToken;
use wastegate::admission::Admission;
use wastegate::cleanup::{Cleaner, Parts, PressureBook};
use wastegate::connection::Session;
use wastegate::gateway::{self, Gateway, Identify};
use wastegate::health;
use wastegate::manager::{Application, Surroundings};
use wastegate::observe::activity::Activity;
use wastegate::observe::journal::JournalThread;
use wastegate::observe::metrics::Metrics;
use wastegate::observe::{logging, process};
use wastegate::registry::Registry;
use wastegate::tasks::{Supervisor, Tasks};
use wastegate_control::admin::{self, Access, Admin, Hosts};
use wastegate_control::experiment::{Arms, Experiments, Shadowed};
use wastegate_control::rollout::Rollout;
use wastegate_core::types::Clock;
use wastegate_engine::policy::{Breakers, Catalog};

/// Between two writes of the activity stream's window.
const ACTIVITY_FLUSH: Duration = Duration::from_secs(1);
/// Between two looks at how many log lines were left out.
const DROPPED_TOLD_EVERY: Duration = Duration::from_secs(1);

/// A gateway that can be embedded: give [`Core::gateway`]'s handler a route of your own server.
pub struct Core {
    gateway: Arc<Gateway>,
    registry: Arc<Registry>,
    cleaner: Arc<Cleaner>,
    admission: Arc<Admission>,
    policies: Policies,
    recording: Arc<Recording>,
    experiments: Arc<Experiments>,
    activity: Activity,
    health: health::Config,
    clock: Clock,
    tasks: Tasks,
    supervisor: Supervisor,
    audit_seed: u64,
    admin: Arc<Admin>,
    /// Cancelled once the server is on its way out.
    leaving: CancellationToken,
    /// Threads that write the journals; ended last.
    journals: Mutex<Vec<JournalThread>>,
}

impl Core {
    /// Loads the policy, opens the journals and connects the rooms. Nothing runs before
    /// [`Core::start`].
    ///
    /// # Errors
    /// [`AppError`] with what to mend.
    pub async fn build(
        config: Config,
        application: Arc<dyn Application>,
        identify: Arc<dyn Identify>,
    ) -> Result<Self, AppError> {
        let (clock, mut metrics) = (Clock::system(), Metrics::new());
        let policies = Policies::build(&config, &clock, &mut metrics).await?;
        Self::with_policies(config, application, identify, policies, clock, metrics).await
    }

    pub(super) async fn with_policies(
        config: Config,
        application: Arc<dyn Application>,
        identify: Arc<dyn Identify>,
        policies: Policies,
        clock: Clock,
        mut metrics: Metrics,
    ) -> Result<Self, AppError> {
        let (tasks, supervisor) = (Tasks::new(), Supervisor::default());
        let mut config = config;
        let access = super::token::of(&config)?;
        let listen = match config.admin {
            AdminListener::On(address) => Some(address.ip()),
            AdminListener::Off => None,
        };
        let hosts = Hosts::new(listen, &config.operators.hosts);
        if config.gateway.hands_on() {
            // A manager's state is in the backend's connection: a manager without one would hold a slot
            // for nothing.
            config.manager.reconnect_grace = config.gateway.upstream_grace;
        }
        let identifiers = super::identifiers(&config, identify)?;
        let notes = Notes::open(&config, &policies, &clock, &mut metrics).await?;
        let experiments = notes.experiments.clone();
        let shadows = notes.shadows.clone();
        let arms = Arms::new(experiments.clone(), policies.ranker.clone());
        let ranker = Shadowed::new(shadows.clone(), Arc::new(arms));
        let rules = rules(&config, &policies);
        let surroundings = Arc::new(Surroundings {
            clock: clock.clone(),
            config: config.manager,
            application,
            activity: notes.activity.clone(),
        });
        let registry = Registry::new(
            config.limits,
            config.health.clone(),
            surroundings,
            tasks.clone(),
        );
        notes.activity.begin(&rules);
        notes.recording.connect(registry.clone());
        let close_deadline = config.cleanup.close_deadline;
        let cleaner = Cleaner::new(Parts {
            registry: registry.clone(),
            ranker: Arc::new(ranker),
            recorder: notes.recording.clone(),
            clock: clock.clone(),
            config: config.cleanup,
            health: config.health.clone(),
            tasks: tasks.clone(),
            supervisor: supervisor.clone(),
            pressure: PressureBook::new(config.observe.alerts.pressure),
            seed: getrandom::u64().map_err(AppError::Random)?,
        });
        let admission = Admission::new(
            registry.clone(),
            cleaner.clone(),
            clock.clone(),
            config.admission,
        );
        let quality = notes.recording.quality().clone();
        admission.watched_by(notes.recording.clone());
        let session = Arc::new(Session {
            config: wastegate::connection::Config {
                close_deadline,
                ..config.connection
            },
            health: config.health.clone(),
            clock: clock.clone(),
            close_code: gateway::close::code,
            notice: gateway::notice::farewell,
            faults: Arc::default(),
        });
        session.faults.register(metrics.room("connection"));
        let gateway = Gateway::new(gateway::Parts {
            admission: admission.clone(),
            identify: identifiers,
            expiry_grace: config.identity.expiry_grace,
            session,
            config: config.gateway,
            tasks: tasks.clone(),
        })?;
        quality.metrics().register(metrics.room("quality"));
        cleaner.metrics().register(metrics.room("cleanup"));
        admission.metrics().register(metrics.room("admission"));
        gateway.metrics().register(metrics.room("gateway"));
        wastegate::registry::metrics::register(&registry, metrics.room("registry"));
        process::register(metrics.root());
        let leaving = CancellationToken::new();
        let admin = Arc::new(Admin {
            registry: registry.clone(),
            admission: admission.clone(),
            cleaner: cleaner.clone(),
            health: config.health.clone(),
            clock: clock.clone(),
            quality,
            metrics,
            rollout: policies.rollout.clone(),
            experiments: experiments.clone(),
            shadows,
            supervisor: supervisor.clone(),
            leaving: leaving.clone(),
            tasks: tasks.clone(),
            gateway: gateway.clone(),
            access,
            hosts,
            notes: admin::Notes::default(),
        });
        Ok(Self {
            gateway,
            registry,
            cleaner,
            admission,
            policies,
            recording: notes.recording,
            experiments,
            activity: notes.activity,
            health: config.health,
            clock,
            tasks,
            supervisor,
            audit_seed: getrandom::u64().map_err(AppError::Random)?,
            admin,
            leaving,
            journals: Mutex::new(notes.threads),
        })
    }

    /// Starts the background work. Admission works without it.
    pub fn start(&self) {
        self.cleaner.start();
        self.policies.start(&self.supervisor, &self.tasks);
        let (activity, clock) = (self.activity.clone(), self.clock.clone());
        self.supervisor.run(&self.tasks, "activity-flush", move || {
            let (activity, clock) = (activity.clone(), clock.clone());
            async move {
                loop {
                    tokio::time::sleep(ACTIVITY_FLUSH).await;
                    activity.flush(clock.now());
                }
            }
        });
        let gateway = self.gateway.clone();
        self.supervisor.run(&self.tasks, "upstreams", move || {
            gateway.clone().watch_upstreams()
        });
        let experiments = self.experiments.clone();
        self.supervisor.run(&self.tasks, "experiments", move || {
            super::experiments::watch(experiments.clone())
        });
        if self.health.audit_per_hour > 0.0 {
            let auditor = self.auditor();
            self.supervisor
                .run(&self.tasks, "audit", move || auditor.clone().run());
        }
        let (engine, gateway) = (self.catalog().engine().clone(), self.gateway.clone());
        self.supervisor.run(&self.tasks, "policy-log", move || {
            let (engine, gateway) = (engine.clone(), gateway.clone());
            async move {
                loop {
                    tokio::time::sleep(DROPPED_TOLD_EVERY).await;
                    engine.log().tell_dropped();
                    gateway.tell_left_out();
                    logging::tell_left_out();
                }
            }
        });
    }

    /// Who asks managers at random.
    #[must_use]
    pub fn auditor(&self) -> Auditor {
        Auditor {
            registry: self.registry.clone(),
            quality: self.recording.quality().clone(),
            health: self.health.clone(),
            clock: self.clock.clone(),
            seed: self.audit_seed,
        }
    }

    /// Answers new requests by other settings: those of `gateway` and `identity`. What is connected
    /// stays as it is.
    ///
    /// # Errors
    /// [`AppError`] with what to mend; nothing changed.
    pub fn reload(&self, config: &Config, identify: Arc<dyn Identify>) -> Result<(), AppError> {
        let grace = config.identity.expiry_grace;
        let identifiers = super::identifiers(config, identify)?;
        self.gateway
            .replace(config.gateway.clone(), &identifiers, grace)?;
        Ok(())
    }

    /// Lets balancers see that it ends, takes no new connection any more, closes what is open a part at
    /// a time, waits for it at most for the drain time, and writes down what is left. True if
    /// everything ended by itself.
    pub async fn stop(&self) -> bool {
        let config = self.gateway.config();
        self.leaving.cancel();
        self.policies.catalog.engine().stop_loading();
        if self.registry.total() > 0 && !config.drain_readyz.is_zero() {
            let within = config.drain_readyz;
            tracing::info!(
                ?within,
                "stopping: `/readyz` answers 503 for a balancer to see"
            );
            tokio::time::sleep(within).await;
        }
        self.tasks.stop();
        let drained = Drain {
            registry: &self.registry,
            tasks: &self.tasks,
            clock: &self.clock,
            spread: config.drain_spread,
            within: config.drain,
        };
        let drained = drained.run().await;
        if !drained {
            tracing::warn!(
                tasks = self.tasks.running(),
                "did not end within the drain time"
            );
        }
        self.activity.flush_all();
        super::experiments::look(&self.experiments).await;
        let threads = std::mem::take(&mut *self.journals.lock());
        let written = tokio::task::spawn_blocking(move || {
            threads.into_iter().try_for_each(JournalThread::close)
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "a journal is incomplete"),
            Err(error) => tracing::error!(%error, "a journal's thread failed"),
        }
        drained
    }

    /// The gateway, whose `upgrade` is an axum handler.
    #[must_use]
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Who is there.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Who makes room.
    #[must_use]
    pub fn cleaner(&self) -> &Arc<Cleaner> {
        &self.cleaner
    }

    /// Who lets in.
    #[must_use]
    pub fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// The policies.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.policies.catalog
    }

    /// Which of them are quarantined, why, and on what they failed.
    #[must_use]
    pub fn breakers(&self) -> &Breakers {
        &self.policies.breakers
    }

    /// Which of them is in charge, and the way back.
    #[must_use]
    pub fn rollout(&self) -> &Arc<Rollout> {
        &self.policies.rollout
    }

    /// What is compared on users.
    #[must_use]
    pub fn experiments(&self) -> &Arc<Experiments> {
        &self.experiments
    }

    /// Everything that happens, for watchers.
    #[must_use]
    pub fn recording(&self) -> &Arc<Recording> {
        &self.recording
    }

    /// The tasks that run for it.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Who keeps the background workers running.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// How verdicts are made.
    #[must_use]
    pub fn health(&self) -> &health::Config {
        &self.health
    }

    /// Who may operate.
    pub(super) fn access(&self) -> &Access {
        &self.admin.access
    }

    /// Operators' routes.
    pub fn admin_router(&self) -> Router {
        admin::router(self.admin.clone())
    }
}
