//! HTTP in, upgraded socket out.
//!
//! A request goes through [`handshake`] (refuse before spending), an [`Identify`] (who is it; the
//! raw token stays there), `admission` (may it enter) and the upgrade, after which its connection
//! has a task of its own. Everything that has to be said on the wire is said here: statuses, close
//! codes, notices.
//!
//! Not here: how room is made (this room knows admission, not cleanup) and what messages mean.

pub mod close;
pub mod handshake;
pub mod identity;
pub mod notice;
pub mod upstream;

mod config;
mod listener;
mod metrics;
mod refuse;
mod upgrade;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;

use crate::admission::Admission;
use crate::connection::Session;
use crate::types::Tasks;

pub use config::{Config, RefusalStyle};
pub use identity::{DevIdentity, Identify, Identity, Unidentified};
pub use listener::{ConnectionSlot, serve};
pub use metrics::Metrics;

/// The subprotocol of clients that understand our notices.
pub const SUBPROTOCOL: &str = "wastegate.v1";

/// Everything an upgrade needs.
pub struct Gateway {
    admission: Arc<Admission>,
    identify: Arc<dyn Identify>,
    session: Arc<Session>,
    config: Config,
    tasks: Tasks,
    metrics: Metrics,
}

impl Gateway {
    /// A gateway in front of an admission.
    #[must_use]
    pub fn new(
        admission: Arc<Admission>,
        identify: Arc<dyn Identify>,
        session: Arc<Session>,
        config: Config,
        tasks: Tasks,
    ) -> Arc<Self> {
        Arc::new(Self {
            admission,
            identify,
            session,
            config,
            tasks,
            metrics: Metrics::default(),
        })
    }

    /// Answers one upgrade request. This is the axum handler for applications that embed the
    /// gateway: `Router::new().route("/ws", get(move |request| gateway.clone().upgrade(request)))`.
    /// The server behind it must serve HTTP/1.1 with upgrades, as `axum::serve` does.
    pub async fn upgrade(self: Arc<Self>, request: Request) -> Response {
        upgrade::answer(self, request).await
    }

    /// A router that upgrades at the configured path and answers 404 elsewhere.
    pub fn router(self: &Arc<Self>) -> Router {
        let handler = |State(gateway): State<Arc<Self>>, request: Request| gateway.upgrade(request);
        Router::new()
            .route(&self.config.path, get(handler))
            .with_state(self.clone())
    }

    /// The room's settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The room's metrics, to be registered.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}
