//! The gateway without listeners: every room, connected.

use std::sync::Arc;

use axum::Router;
use parking_lot::Mutex;

use super::audit::Auditor;
use super::error::AppError;
use super::notes::Notes;
use super::policies::Policies;
use super::recording::Recording;
use super::rules::rules;
use super::scrape;
#[cfg(feature = "otlp")]
use super::spans;
use crate::config::{AdminListener, ProgramConfig};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use wastegate::admission::Admission;
use wastegate::cleanup::Cleaner;
use wastegate::embed::{Builder, Embedded, Settings};
use wastegate::gateway::{Gateway, Identify};
use wastegate::health;
use wastegate::manager::SharedApplication;
use wastegate::observe::activity::ActivitySink;
use wastegate::observe::journal::JournalThread;
use wastegate::observe::metrics::MetricsRegistry;
use wastegate::observe::process;
use wastegate::registry::Registry;
use wastegate::tasks::{Supervisor, Tasks};
use wastegate_control::admin::{self, Access, Admin, AskTurns, Hosts, NodeIdentity, ShownSettings};
use wastegate_control::experiment::{Arms, Experiments, Shadowed};
use wastegate_control::levers::Levers;
use wastegate_control::rollout::Rollout;
use wastegate_control::webhook::{self, Webhook, WebhookSources};
use wastegate_core::types::{Clock, UserId};
use wastegate_engine::policy::{Breakers, Catalog};

mod background;

/// A gateway that can be embedded: give [`Core::gateway`]'s handler a route of your own server.
pub struct Core {
    embedded: Embedded,
    policies: Policies,
    recording: Arc<Recording>,
    experiments: Arc<Experiments>,
    activity: ActivitySink,
    audit_seed: u64,
    admin: Arc<Admin>,
    /// Tells a service of events, if one is configured.
    webhook: Option<Arc<Webhook>>,
    /// Sends spans to a collector, if one is configured.
    #[cfg(feature = "otlp")]
    exporter: Option<Arc<spans::Exporter>>,
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
        config: ProgramConfig,
        application: impl Into<SharedApplication>,
        identify: Arc<dyn Identify>,
    ) -> Result<Self, AppError> {
        let metrics = MetricsRegistry::new();
        Self::measured(config, application.into(), identify, metrics).await
    }

    /// The same, beside metrics that are there already.
    pub(super) async fn measured(
        config: ProgramConfig,
        application: SharedApplication,
        identify: Arc<dyn Identify>,
        mut metrics: MetricsRegistry,
    ) -> Result<Self, AppError> {
        let clock = Clock::system();
        let policies = Policies::build(&config, &clock, &mut metrics).await?;
        Self::with_policies(config, application, identify, policies, clock, metrics).await
    }

    pub(super) async fn with_policies(
        config: ProgramConfig,
        application: SharedApplication,
        identify: Arc<dyn Identify>,
        policies: Policies,
        clock: Clock,
        mut metrics: MetricsRegistry,
    ) -> Result<Self, AppError> {
        let access = super::token::of(&config)?;
        let listen = match config.admin {
            AdminListener::On(address) => Some(address.ip()),
            AdminListener::Off => None,
        };
        let hosts = Hosts::new(listen, &config.operators.hosts);
        let identifiers = super::identifiers(&config, identify)?;
        let notes = Notes::open(&config, &policies, &clock, &mut metrics).await?;
        let experiments = notes.experiments.clone();
        let shadows = notes.shadows.clone();
        let arms = Arms::new(experiments.clone(), policies.ranker.clone());
        let ranker = Shadowed::new(shadows.clone(), Arc::new(arms));
        let rules = rules(&config, &policies);
        let builder = Builder::new(application)
            .identify(identifiers)
            .settings(Settings {
                limits: config.limits,
                manager: config.manager,
                health: config.health,
                cleanup: config.cleanup,
                admission: config.admission,
                connection: config.connection,
                budget: config.budget,
                gateway: config.gateway,
                pressure: config.observe.alerts.pressure,
                expiry_grace: config.identity.expiry_grace,
            })
            .ranker(Arc::new(ranker))
            .recorder(notes.recording.clone())
            .activity(notes.activity.clone())
            .clock(clock.clone());
        #[cfg(feature = "cluster")]
        let (builder, shared) = super::clustering::join(builder, &config.cluster)?;
        #[cfg(not(feature = "cluster"))]
        let shared: Option<super::sharing::Shared> = None;
        let embedded = builder.build()?;
        let Embedded {
            gateway,
            registry,
            cleaner,
            admission,
            ..
        } = embedded.clone();
        notes.activity.begin(&rules);
        notes.recording.connect(registry.clone());
        let quality = notes.recording.quality().clone();
        admission.watched_by(notes.recording.clone());
        let why = notes.recording.why().clone();
        let history = notes.recording.history().clone();
        gateway.watched_by(notes.recording.clone());
        let leaving = CancellationToken::new();
        scrape::register(metrics.program(), leaving.clone(), registry.clone());
        policies.rollout.audit().watched_by(Box::new({
            let why = why.clone();
            move |entry| {
                let note = &entry.note;
                let user = note.user.as_deref().and_then(|user| UserId::new(user).ok());
                let about = (user, note.policy.as_deref());
                why.changed(note.what.name(), entry.by.as_str(), about, &note.reason);
            }
        }));
        let session = &embedded.session;
        session.faults.register(metrics.room("connection"));
        session.budgets.register(metrics.room("connection"));
        session.traffic.register(metrics.room("connection"));
        quality.metrics().register(metrics.room("quality"));
        cleaner.register(metrics.room("cleanup"));
        admission.register(metrics.room("admission"));
        gateway.register(metrics.room("gateway"));
        wastegate::registry::metrics::register(&registry, metrics.room("registry"));
        if let Some(cluster) = &embedded.cluster {
            cluster.register(metrics.room("cluster"));
        }
        let sharing = super::sharing::of(&embedded, shared.as_ref(), &policies.rollout, &clock);
        process::register(metrics.root());
        #[cfg(feature = "otlp")]
        let exporter = {
            let node = (&*config.server.node, &notes.pseudonyms);
            spans::export(config.otlp, node, &embedded, &mut metrics)?
        };
        let counts = webhook::Metrics::default();
        counts.register(metrics.room("webhook"));
        let webhook = Webhook::new(
            config.webhook,
            WebhookSources {
                why: why.clone(),
                audit: policies.rollout.clone(),
                leaving: leaving.clone(),
                pseudonyms: notes.pseudonyms,
                node: config.server.node.clone(),
                clock: clock.clone(),
                seed: getrandom::u64().map_err(AppError::Random)?,
            },
            counts,
        )
        .map_err(AppError::Webhook)?;
        let levers = Levers::open(
            registry.clone(),
            policies.rollout.clone(),
            clock.clone(),
            config.rollout.state_dir.as_deref(),
            embedded.cluster.as_ref().map(|node| node.name()),
        );
        let everywhere = super::sharing::everywhere(shared, &levers);
        let admin = Arc::new(Admin {
            asking: AskTurns::default(),
            settings: Arc::default(),
            streams: Arc::new(Semaphore::new(admin::STREAMS_MAX)),
            registry,
            admission,
            cleaner,
            health: embedded.health.clone(),
            clock: clock.clone(),
            quality,
            why,
            history,
            metrics,
            rollout: policies.rollout.clone(),
            experiments: experiments.clone(),
            shadows,
            supervisor: embedded.supervisor.clone(),
            leaving: leaving.clone(),
            tasks: embedded.tasks.clone(),
            levers,
            gateway,
            access,
            hosts,
            notes: admin::Notes::default(),
            sharing,
            everywhere,
            node: Arc::new(NodeIdentity::new(config.server.node, clock.now())),
        });
        Ok(Self {
            embedded,
            policies,
            recording: notes.recording,
            experiments,
            activity: notes.activity,
            audit_seed: getrandom::u64().map_err(AppError::Random)?,
            admin,
            webhook,
            #[cfg(feature = "otlp")]
            exporter,
            leaving,
            journals: Mutex::new(notes.threads),
        })
    }

    /// What tells this node from others, in the operators' API.
    #[must_use]
    pub fn node(&self) -> &NodeIdentity {
        &self.admin.node
    }

    /// The settings that the operators' API shows.
    #[must_use]
    pub fn shown_settings(&self) -> Arc<ShownSettings> {
        self.admin.settings.clone()
    }

    /// Who asks managers at random.
    #[must_use]
    pub fn auditor(&self) -> Auditor {
        Auditor {
            registry: self.embedded.registry.clone(),
            quality: self.recording.quality().clone(),
            health: self.embedded.health.clone(),
            clock: self.embedded.clock.clone(),
            seed: self.audit_seed,
        }
    }

    /// Answers new requests by other settings: those of `gateway` and `identity`. What is connected
    /// stays as it is.
    ///
    /// # Errors
    /// [`AppError`] with what to mend; nothing changed.
    pub fn reload(
        &self,
        config: &ProgramConfig,
        identify: Arc<dyn Identify>,
    ) -> Result<(), AppError> {
        let grace = config.identity.expiry_grace;
        let identifiers = super::identifiers(config, identify)?;
        self.embedded
            .replace(config.gateway.clone(), &identifiers, grace)?;
        Ok(())
    }

    /// Lets balancers see that it ends, takes no new connection any more, closes what is open a part at
    /// a time, waits for it at most for the drain time, and writes down what is left. True if
    /// everything ended by itself.
    pub async fn stop(&self) -> bool {
        let config = self.embedded.gateway.config();
        self.leaving.cancel();
        self.policies.catalog.engine().stop_loading();
        self.tell_the_webhook().await;
        if self.embedded.registry.total() > 0 && !config.drain_readyz.is_zero() {
            let within = config.drain_readyz;
            tracing::info!(
                ?within,
                "stopping: `/readyz` answers 503 for a balancer to see"
            );
            tokio::time::sleep(within).await;
        }
        let drained = self.embedded.stop().await;
        #[cfg(feature = "otlp")]
        spans::send_rest(self.exporter.as_deref()).await;
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
        &self.embedded.gateway
    }

    /// Who is there.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        &self.embedded.registry
    }

    /// Who makes room.
    #[must_use]
    pub fn cleaner(&self) -> &Arc<Cleaner> {
        &self.embedded.cleaner
    }

    /// Who lets in.
    #[must_use]
    pub fn admission(&self) -> &Arc<Admission> {
        &self.embedded.admission
    }

    /// The catalog of loaded policies.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.policies.catalog
    }

    /// Which of them are quarantined, why, and on what they failed.
    #[must_use]
    pub fn breakers(&self) -> &Breakers {
        &self.policies.breakers
    }

    /// Which of them is active, and the way back.
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
        &self.embedded.tasks
    }

    /// Who keeps the background workers running.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        &self.embedded.supervisor
    }

    /// How verdicts are made.
    #[must_use]
    pub fn health(&self) -> &health::Config {
        &self.embedded.health
    }

    /// Who may operate.
    pub(super) fn access(&self) -> &Access {
        &self.admin.access
    }

    /// The routes of the operators' listener.
    pub fn admin_router(&self) -> Router {
        admin::router(self.admin.clone())
    }
}
