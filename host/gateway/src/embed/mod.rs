//! The whole gateway as one value: what a server of your own embeds, and what the program is made around.
//!
//! A [`Builder`] takes your application and, where they are needed, settings, an identification of clients, a
//! ranker, a recorder and where activity goes. Nothing runs before [`Embedded::start`]. The first page of
//! this crate has a gateway whose handler identifies clients; this one goes by the head of a request alone:
//!
//! ```
//! use wastegate::embed::{Builder, Settings};
//! use wastegate::gateway::DevIdentity;
//! use wastegate::manager::NoApplication;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), wastegate::embed::BuildError> {
//! let mut settings = Settings::default();
//! settings.limits.managers_per_user = 5;
//! let embedded = Builder::new(NoApplication)
//!     .identify(DevIdentity::default())
//!     .settings(settings)
//!     .build()?;
//! embedded.start();
//! let routes = axum::Router::<()>::new().route_service("/ws", embedded.gateway.service());
//! # drop(routes);
//! assert!(embedded.stop().await, "nothing was connected");
//! # Ok(())
//! # }
//! ```
//!
//! Not here: listeners, files of settings, policies in WebAssembly, the operators' API. What an embedding server
//! does without the gateway's own listener: caps for connections that are not upgraded yet, PROXY headers, and
//! TLS with certificates that are read again. `axum::serve` or what stands in front has to bound those.

mod drain;
mod embedded;
mod ranges;
#[cfg(feature = "upstream")]
mod routes;
mod rules;

use std::sync::Arc;
use std::time::Duration;

use wastegate_cluster::ledger::Ledger;
use wastegate_core::decision::Ranker;
use wastegate_core::decision::builtin::BuiltIn;
use wastegate_core::types::{Clock, ConnectionRefs};

pub use self::embedded::Embedded;
pub use self::ranges::{SettingRange, Unit, range};
#[cfg(feature = "upstream")]
pub use self::routes::route_faults;
pub use self::rules::{Order, Relation, SettingsFault, orders};

use crate::admission::{self, Admission};
use crate::cleanup::{self, Cleaner, PressureBook, Recorder, Silent};
use crate::cluster::{self, ClusterNode};
use crate::connection::{self, ConnectionContext};
use crate::gateway::{self, Gateway, Identifiers};
use crate::health;
use crate::manager::{self, SharedApplication, Surroundings};
use crate::observe::activity::ActivitySink;
use crate::observe::alerts::PressureThresholds;
use crate::registry::{self, Registry};
use crate::tasks::{Supervisor, Tasks};

/// Settings of every room. The defaults are those of the program, but for limits of what only it has.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many managers and connections there may be.
    pub limits: registry::SlotLimits,
    /// How long managers live without a connection, and what they may hold.
    pub manager: manager::Config,
    /// Heartbeats, probes and verdicts.
    pub health: health::Config,
    /// What each tier may do.
    pub cleanup: cleanup::Config,
    /// Budgets and queues of upgrades.
    pub admission: admission::Config,
    /// Sizes and deadlines of connections.
    pub connection: connection::Config,
    /// How much the clients of one user may send, over all of their connections.
    pub budget: connection::BudgetConfig,
    /// Handshakes, origins, backends, the end.
    pub gateway: gateway::Config,
    /// From which pressure on users and operators are told.
    pub pressure: PressureThresholds,
    /// How long a connection outlives what proves who its user is. 30 s.
    pub expiry_grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: registry::SlotLimits::default(),
            manager: manager::Config::default(),
            health: health::Config::default(),
            cleanup: cleanup::Config::default(),
            admission: admission::Config::default(),
            connection: connection::Config::default(),
            budget: connection::BudgetConfig::default(),
            gateway: gateway::Config::default(),
            pressure: PressureThresholds::default(),
            expiry_grace: gateway::identity::Config::default().expiry_grace,
        }
    }
}

/// Why a gateway could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Settings do not go with one another. All of it, a line each.
    #[error("{}", lines(.0))]
    Settings(Vec<SettingsFault>),
    /// The settings of the gateway can be used by none.
    #[error(transparent)]
    Gateway(#[from] gateway::GatewayError),
    /// The system has no randomness to give.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
}

fn lines(faults: &[SettingsFault]) -> String {
    let lines: Vec<_> = faults.iter().map(SettingsFault::to_string).collect();
    lines.join("\n")
}

/// Puts a gateway together.
#[must_use]
pub struct Builder {
    settings: Settings,
    application: SharedApplication,
    identify: Identifiers,
    ranker: Arc<dyn Ranker>,
    recorder: Arc<dyn Recorder>,
    activity: ActivitySink,
    clock: Clock,
    cluster: Option<(Arc<dyn Ledger>, cluster::Config)>,
}

impl Builder {
    /// For an application: any [`Application`](manager::Application), or [`NoApplication`](manager::NoApplication)
    /// in front of backends.
    pub fn new(application: impl Into<SharedApplication>) -> Self {
        Self {
            settings: Settings::default(),
            application: application.into(),
            identify: Identifiers::default(),
            ranker: Arc::new(BuiltIn),
            recorder: Arc::new(Silent),
            activity: ActivitySink::disabled(),
            clock: Clock::system(),
            cluster: None,
        }
    }

    /// What identifies the client of a request where no handler of yours does: for [`Gateway::upgrade`],
    /// [`Gateway::service`] and [`Gateway::router`]. Without it those refuse every client with 403, and
    /// only handlers that take an [`Upgrade`](gateway::Upgrade) let clients in.
    pub fn identify(self, identify: impl Into<Identifiers>) -> Self {
        let identify = identify.into();
        Self { identify, ..self }
    }

    /// By these settings instead of the defaults.
    pub fn settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// Who ranks managers for eviction, instead of the built-in ranking. What it answers is checked: it can
    /// break no promise.
    pub fn ranker(self, ranker: Arc<dyn Ranker>) -> Self {
        Self { ranker, ..self }
    }

    /// Who hears of tiers, evictions and decisions. It is called in their way, so it must not block.
    pub fn recorder(self, recorder: Arc<dyn Recorder>) -> Self {
        Self { recorder, ..self }
    }

    /// Where the activity of managers is written.
    pub fn activity(self, activity: ActivitySink) -> Self {
        Self { activity, ..self }
    }

    /// By another clock than the system's.
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// As one of several nodes that count a user's managers together, in a ledger of the crate `wastegate-cluster`.
    pub fn cluster(self, ledger: Arc<dyn Ledger>, config: cluster::Config) -> Self {
        let cluster = Some((ledger, config));
        Self { cluster, ..self }
    }

    /// Connects the rooms. Nothing runs before [`Embedded::start`].
    ///
    /// # Errors
    /// [`BuildError`] with what to mend.
    pub fn build(self) -> Result<Embedded, BuildError> {
        let Self {
            settings,
            application,
            identify,
            ranker,
            recorder,
            activity,
            clock,
            cluster,
        } = self;
        let faults = settings.faults();
        if !faults.is_empty() {
            return Err(BuildError::Settings(faults));
        }
        let kept = Arc::new(settings.clone());
        let (tasks, supervisor) = (Tasks::new(), Supervisor::default());
        let surroundings = Surroundings::new(
            clock.clone(),
            manager_config(&settings),
            application,
            activity,
        );
        let registry = Registry::new(
            settings.limits,
            settings.health.clone(),
            surroundings,
            tasks.clone(),
        );
        let cluster = cluster.map(|(ledger, config)| {
            ClusterNode::new(ledger, config, registry.clone(), clock.clone())
        });
        let cluster = cluster.transpose().map_err(BuildError::Random)?;
        let close_deadline = settings.cleanup.close_deadline;
        let cleaner = Cleaner::new(cleanup::CleanerParts {
            registry: registry.clone(),
            ranker,
            recorder,
            clock: clock.clone(),
            config: settings.cleanup,
            health: settings.health.clone(),
            tasks: tasks.clone(),
            supervisor: supervisor.clone(),
            pressure: PressureBook::new(settings.pressure),
            seed: getrandom::u64().map_err(BuildError::Random)?,
            cluster: cluster.clone(),
        });
        let admission = Admission::new(
            registry.clone(),
            cleaner.clone(),
            clock.clone(),
            settings.admission,
        );
        let session = Arc::new(ConnectionContext {
            config: connection::Config {
                close_deadline,
                ..settings.connection
            },
            health: settings.health.clone(),
            clock: clock.clone(),
            close_code: gateway::close::code,
            refs: ConnectionRefs::new(getrandom::u64().map_err(BuildError::Random)?),
            notice: gateway::notice::farewell,
            faults: Arc::default(),
            traffic: Arc::default(),
            listeners: connection::EchoListeners::default(),
            budgets: connection::Budgets::new(settings.budget, clock.clone()),
        });
        let gateway = Gateway::new(gateway::GatewayParts {
            admission: admission.clone(),
            identify,
            expiry_grace: settings.expiry_grace,
            session: session.clone(),
            config: settings.gateway,
            tasks: tasks.clone(),
        })?;
        Ok(Embedded {
            gateway,
            registry,
            cleaner,
            admission,
            session,
            health: settings.health,
            clock,
            tasks,
            supervisor,
            cluster,
            settings: kept,
        })
    }
}

/// The settings of managers, as they are behind these of the gateway.
fn manager_config(settings: &Settings) -> manager::Config {
    #[cfg(feature = "upstream")]
    if settings.gateway.hands_on() {
        // A manager's state is in the backend's connection: a manager without one would hold a slot
        // for nothing.
        return manager::Config {
            reconnect_grace: settings.gateway.upstream_grace,
            ..settings.manager.clone()
        };
    }
    settings.manager.clone()
}
