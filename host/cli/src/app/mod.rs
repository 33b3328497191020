//! The composition root: from a checked [`ProgramConfig`] to a server that is bound and idle, and from
//! there to one that runs and drains. The only place that knows every room.
//!
//! [`Core`] is the gateway without listeners, for applications that embed it in a server of their
//! own; [`App`] is the core with ours.

mod audit;
mod check;
#[cfg(feature = "cluster")]
mod clustering;
mod core;
mod error;
mod experiments;
mod key;
mod notes;
mod places;
mod policies;
mod recording;
mod rules;
mod scrape;
mod sharing;
#[cfg(feature = "otlp")]
mod spans;
mod token;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

pub use self::audit::Auditor;
pub use self::check::check;
pub use self::core::Core;
use self::places::Places;
pub use error::AppError;
pub use recording::{Recording, WatchedEvent};

use crate::config::{AdminListener, ProgramConfig};
use wastegate::gateway::identity::{self, IdentityError};
use wastegate::gateway::{self, Door, Identifiers, Identify, ListenerContext, tls};
use wastegate::manager::SharedApplication;
use wastegate::observe::MetricsRegistry;
use wastegate::tasks::Tasks;
use wastegate_control::admin;
use wastegate_core::types::{Clock, chain};

/// A gateway with its listeners bound. Nothing is accepted before [`App::run`].
pub struct App {
    core: Core,
    listener: TcpListener,
    tls: Option<Arc<tls::Acceptor>>,
    admin: Option<TcpListener>,
    clients: Arc<gateway::Places>,
    operators: admin::Config,
}

/// Whoever identifies clients as the configuration says, for [`App::build`] and [`Core::reload`].
///
/// # Errors
/// [`IdentityError`] with the key to mend.
pub fn identify(config: &ProgramConfig) -> Result<Arc<dyn Identify>, IdentityError> {
    identity::by(
        &config.identity,
        &config.gateway.trusted_proxies,
        config.gateway.hands_on(),
        Clock::system(),
    )
}

/// What identifies clients on every route: `usual`, and what routes of other modes want.
fn identifiers(
    config: &ProgramConfig,
    usual: Arc<dyn Identify>,
) -> Result<Identifiers, IdentityError> {
    let mut identifiers = Identifiers::from(usual);
    let modes = config.gateway.routes.iter().filter_map(|it| it.identity);
    let modes: BTreeSet<_> = modes.filter(|mode| *mode != config.identity.mode).collect();
    for mode in modes {
        let mut theirs = config.clone();
        theirs.identity.mode = mode;
        identifiers = identifiers.with(mode, identify(&theirs)?);
    }
    Ok(identifiers)
}

impl App {
    /// Loads the policy, opens the journals and binds the listeners.
    ///
    /// # Errors
    /// [`AppError`] with what to mend: the policy, a journal's file, or an address.
    pub async fn build(
        config: ProgramConfig,
        application: impl Into<SharedApplication>,
        identify: Arc<dyn Identify>,
    ) -> Result<Self, AppError> {
        let mut config = config;
        let places = Places::claim(&mut config);
        let operators = config.operators.clone();
        let decided = !config.admin_token.is_empty();
        let listener = bind("server.listen", config.server.listen).await?;
        let admin = match config.admin {
            AdminListener::On(address) => Some(bind("admin.listen", address).await?),
            AdminListener::Off => None,
        };
        let tls = acceptor(&config)?;
        let clients = gateway::Places::with_plain(places.connections, places.beside, places.plain);
        let mut metrics = MetricsRegistry::new();
        clients.register(metrics.room("gateway"));
        if let Some(tls) = &tls {
            tls.register(metrics.room("gateway"));
        }
        let core = Core::measured(config, application.into(), identify, metrics).await?;
        if let Ok(address) = listener.local_addr() {
            core.node().listens(address);
        }
        places.report();
        if admin.is_some() {
            token::report(core.access(), decided);
        }
        Ok(Self {
            core,
            listener,
            tls,
            admin,
            clients,
            operators,
        })
    }

    /// Where clients connect.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where operators connect, if anywhere.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn admin_address(&self) -> std::io::Result<Option<SocketAddr>> {
        self.admin.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// What is behind the listeners.
    #[must_use]
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Serves until `shutdown` completes, then closes what is open and waits for it, at most for
    /// the drain time. True if everything ended by itself.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> bool {
        self.run_reloading(shutdown, std::future::pending, || None)
            .await
    }

    /// The same, and whenever `asked` completes takes over what `settings` brings, if it brings
    /// anything, and looks at the certificate again.
    pub async fn run_reloading<A: Future<Output = ()>>(
        self,
        shutdown: impl Future<Output = ()>,
        asked: impl Fn() -> A,
        settings: impl Fn() -> Option<(ProgramConfig, Arc<dyn Identify>)>,
    ) -> bool {
        let Self {
            core,
            listener,
            tls,
            admin,
            clients,
            operators: settings_of_operators,
        } = self;
        core.start();
        let (gateway, tasks) = (core.gateway().clone(), core.tasks().clone());
        // Operators are served to the end: they want to see it come.
        let operators = Tasks::new();
        let user_timeout = core.health().dead_after;
        let public = ListenerContext {
            router: gateway.router(),
            places: clients,
            door: match &tls {
                None => Door::plain(gateway.clone()),
                Some(tls) => Door::encrypted(gateway.clone(), tls.clone()),
            },
            tasks: tasks.clone(),
        };
        tasks.spawn("listener", gateway::serve(listener, public));
        if let Some(listener) = admin {
            let serving = admin::AdminListenerContext {
                router: core.admin_router(),
                config: settings_of_operators,
                gateway: gateway.clone(),
                user_timeout,
                clock: Clock::system(),
                tasks: operators.clone(),
            };
            operators.spawn("listener", admin::serve(listener, serving));
        }
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let rescan = gateway.config().tls.rescan;
            let is_asked = tokio::select! {
                () = shutdown.as_mut() => break,
                () = asked() => true,
                () = tokio::time::sleep(rescan), if tls.is_some() => false,
            };
            if let Some(tls) = &tls {
                match tls.reload() {
                    Ok(true) => tracing::info!("a new certificate is in use"),
                    Ok(false) => {}
                    Err(error) => tracing::error!(
                        error = chain(&error),
                        "the certificate cannot be used; the old one stays"
                    ),
                }
            }
            if let Some((config, identify)) = is_asked.then(&settings).flatten() {
                match core.reload(&config, identify) {
                    Ok(()) => tracing::info!("the settings were read again"),
                    Err(error) => tracing::error!(
                        error = chain(&error),
                        "the settings cannot be used; the old ones stay"
                    ),
                }
            }
        }
        let drained = core.stop().await;
        operators.stop();
        operators.wait(OPERATORS_GRACE).await;
        drained
    }
}

/// What speaks TLS on the public listener, if anything does.
fn acceptor(config: &ProgramConfig) -> Result<Option<Arc<tls::Acceptor>>, tls::TlsError> {
    let files = config.gateway.tls.files();
    files.map(tls::Acceptor::new).transpose()
}

/// How long operators' last requests may take once everybody else has gone.
const OPERATORS_GRACE: Duration = Duration::from_secs(1);

async fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| AppError::Bind {
            key,
            address,
            source,
        })
}
