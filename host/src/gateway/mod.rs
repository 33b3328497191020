//! HTTP in, upgraded socket out.
//!
//! A connection passes the `door` (caps, proxies' words, TLS). A request goes through [`handshake`]
//! (refuse before spending), an [`Identify`] (who is it; the raw token stays there), [`origin`] and
//! [`flap`], `admission` (may it enter) and the upgrade, after which its connection has a task of its
//! own. Everything that has to be said on the wire is said here: statuses, close
//! codes, notices.
//!
//! Not here: how room is made (this room knows admission, not cleanup) and what messages mean.

pub mod caps;
pub mod close;
pub mod flap;
pub mod handshake;
pub mod identity;
pub mod notice;
pub mod origin;
pub mod tls;
pub mod upstream;

mod authority;
mod config;
mod door;
mod hello;
mod hop;
mod listener;
mod lists;
mod metrics;
mod parking;
mod peer;
mod places;
mod refuse;
mod refused;
mod resume;
mod site;
mod spare;
mod upgrade;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;

use self::caps::Caps;
use self::flap::Flapping;
use self::parking::Parking;
use self::refused::Refusals;
use self::tls::TlsError;
use self::upstream::{Members, Upstreams};
use crate::admission::Admission;
use crate::connection::Session;
use crate::types::{Tasks, Timestamp};

pub use config::{Config, RefusalStyle, WithoutBackend};
pub use door::Door;
pub use identity::{DevIdentity, Identified, Identify, Identity, Unidentified};
pub use listener::{Serving, serve};
pub use metrics::Metrics;
pub use places::{ConnectionSlot, Places};

/// The subprotocol of clients that understand our notices.
pub const SUBPROTOCOL: &str = "wastegate.v1";

/// Between two looks whether backends are back, at the least.
const UPSTREAM_CHECK_MIN: Duration = Duration::from_secs(1);

/// Everything an upgrade needs.
pub struct Gateway {
    admission: Arc<Admission>,
    session: Arc<Session>,
    /// What may be replaced while it runs; each request sees one of them from beginning to end.
    rules: ArcSwap<Rules>,
    caps: Arc<Caps>,
    flapping: Flapping,
    parking: Arc<Parking>,
    refusals: Refusals,
    /// All backends that there are connections of, also those that the settings do not name any more.
    members: Members,
    tasks: Tasks,
    metrics: Metrics,
}

/// By what requests are answered.
pub(crate) struct Rules {
    config: Arc<Config>,
    identify: Arc<dyn Identify>,
    /// How long a connection outlives what proves who it is.
    expiry_grace: Duration,
    upstreams: Option<Arc<Upstreams>>,
}

/// What a gateway is put in front of.
pub struct Parts {
    /// Who lets in.
    pub admission: Arc<Admission>,
    /// Who says who somebody is.
    pub identify: Arc<dyn Identify>,
    /// How long a connection outlives what proves who it is.
    pub expiry_grace: Duration,
    /// What connections share.
    pub session: Arc<Session>,
    /// The room's settings.
    pub config: Config,
    /// Where connections run.
    pub tasks: Tasks,
}

impl Gateway {
    /// A gateway in front of an admission.
    ///
    /// # Errors
    /// [`TlsError`] when backends want TLS and their authorities cannot be used.
    pub fn new(parts: Parts) -> Result<Arc<Self>, TlsError> {
        let Parts {
            admission,
            identify,
            expiry_grace,
            session,
            config,
            tasks,
        } = parts;
        let members = Members::default();
        let upstreams = Upstreams::of(&config, &members, session.clock.now())?;
        let caps = Caps::new(&config.caps, session.clock.now());
        Ok(Arc::new(Self {
            admission,
            session,
            rules: ArcSwap::from_pointee(Rules {
                config: Arc::new(config),
                identify,
                expiry_grace,
                upstreams,
            }),
            caps,
            flapping: Flapping::default(),
            parking: Arc::default(),
            refusals: Refusals::default(),
            members,
            tasks,
            metrics: Metrics::default(),
        }))
    }

    /// Whether a gateway could be made by these settings.
    ///
    /// # Errors
    /// [`TlsError`] when backends want TLS and their authorities cannot be used.
    pub fn check(config: &Config) -> Result<(), TlsError> {
        Upstreams::of(config, &Members::default(), Timestamp::ZERO).map(drop)
    }

    /// Answers requests by other settings from now on; connections that are there stay as they are.
    /// The path, the certificate's files and sizes of request heads stay too.
    ///
    /// # Errors
    /// [`TlsError`] when backends want TLS and their authorities cannot be used; nothing changed.
    pub fn replace(
        &self,
        config: Config,
        identify: Arc<dyn Identify>,
        expiry_grace: Duration,
    ) -> Result<(), TlsError> {
        let now = self.session.clock.now();
        let upstreams = Upstreams::of(&config, &self.members, now)?;
        self.rules.store(Arc::new(Rules {
            config: Arc::new(config),
            identify,
            expiry_grace,
            upstreams,
        }));
        Ok(())
    }

    /// Looks whether backends that are away are back, over and over.
    pub async fn watch_upstreams(self: Arc<Self>) {
        loop {
            let config = self.config();
            self.look_at_upstreams(false, config.upstream_timeout).await;
            tokio::time::sleep(config.upstream_check.max(UPSTREAM_CHECK_MIN)).await;
        }
    }

    /// Looks once whether backends that could not be reached can be, the `first` time also those that no
    /// client was sent to yet; within `timeout`, and not at all where the settings leave that to clients.
    pub async fn look_at_upstreams(&self, first: bool, timeout: Duration) {
        let rules = self.rules.load_full();
        let timeout = timeout.min(rules.config.upstream_timeout);
        if !rules.config.upstream_check.is_zero()
            && let Some(upstreams) = &rules.upstreams
        {
            upstreams.look(first, timeout, &self.session.clock).await;
        }
    }

    /// Whether there is a backend that is not known to be away; also where there are none at all,
    /// because the built-in application answers.
    #[must_use]
    pub fn has_backend(&self) -> bool {
        let rules = self.rules.load();
        let now = self.session.clock.now();
        let upstreams = rules.upstreams.as_ref();
        upstreams.is_none_or(|upstreams| upstreams.is_there(now))
    }

    /// The backends, as they are.
    #[must_use]
    pub fn upstreams(&self) -> Vec<upstream::View> {
        let rules = self.rules.load();
        let now = self.session.clock.now();
        let upstreams = rules.upstreams.as_ref();
        upstreams.map_or_else(Vec::new, |upstreams| upstreams.view(now))
    }

    /// Answers one upgrade request. This is the axum handler for applications that embed the
    /// gateway: `Router::new().route("/ws", get(move |request| gateway.clone().upgrade(request)))`.
    /// The server behind it must serve HTTP/1.1 with upgrades, as `axum::serve` does.
    pub async fn upgrade(self: Arc<Self>, request: Request) -> Response {
        let gateway = self.clone();
        let response = upgrade::answer(self, request).await;
        gateway.refusals.note(&response, &gateway.session.clock);
        response
    }

    /// A router that upgrades at the configured path and answers 404 elsewhere.
    pub fn router(self: &Arc<Self>) -> Router {
        let handler = |State(gateway): State<Arc<Self>>, request: Request| gateway.upgrade(request);
        let path = self.config().path.clone();
        Router::new()
            .route(&path, any(handler))
            .fallback(move || std::future::ready(refuse::nowhere(&path)))
            .with_state(self.clone())
    }

    /// The room's settings, as they are now.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        self.rules.load().config.clone()
    }

    /// The room's metrics, to be registered.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}
