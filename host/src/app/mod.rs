//! The composition root: from a checked [`Config`] to a server that is bound and idle, and from
//! there to one that runs and drains. The only place that knows every room.
//!
//! [`Core`] is the gateway without listeners, for applications that embed it in a server of their
//! own; [`App`] is the core with ours.

mod audit;
mod core;
mod error;
mod experiments;
mod key;
mod notes;
mod policies;
mod recording;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub use self::audit::Auditor;
pub use self::core::Core;
pub use error::AppError;
pub use recording::{Event, Recording};

use crate::config::{AdminListener, Config};
use crate::gateway::{self, Identify};
use crate::manager::Application;

/// A gateway with its listeners bound. Nothing is accepted before [`App::run`].
pub struct App {
    core: Core,
    listener: TcpListener,
    admin: Option<TcpListener>,
}

impl App {
    /// Loads the policy, opens the journals and binds the listeners.
    ///
    /// # Errors
    /// [`AppError`] with what to mend: the policy, a journal's file, or an address.
    pub async fn build(
        config: Config,
        application: Arc<dyn Application>,
        identify: Arc<dyn Identify>,
    ) -> Result<Self, AppError> {
        let listener = bind("server.listen", config.server.listen).await?;
        let admin = match config.admin {
            AdminListener::On(address) => Some(bind("admin.listen", address).await?),
            AdminListener::Off => None,
        };
        let core = Core::build(config, application, identify).await?;
        Ok(Self {
            core,
            listener,
            admin,
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
        let Self {
            core,
            listener,
            admin,
        } = self;
        core.start();
        let config = core.gateway().config().clone();
        let serve = |listener, router: Router, places| {
            let (tasks, config) = (core.tasks().clone(), config.clone());
            let user_timeout = core.health().dead_after;
            core.tasks().spawn(
                "listener",
                gateway::serve(listener, router, config, places, user_timeout, tasks),
            )
        };
        let places = Arc::new(Semaphore::new(core.registry().limits().connections_total));
        serve(listener, core.gateway().router(), places);
        if let Some(admin) = admin {
            serve(
                admin,
                core.admin_router(),
                Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX)),
            );
        }
        shutdown.await;
        core.stop().await
    }
}

/// Connections that operators may have at once.
const ADMIN_CONNECTIONS_MAX: usize = 256;

async fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| AppError::Bind {
            key,
            address,
            source,
        })
}
