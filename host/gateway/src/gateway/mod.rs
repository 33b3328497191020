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
#[cfg(feature = "upstream")]
pub mod http;
pub mod identity;
pub mod notice;
pub mod origin;
pub mod route;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(feature = "upstream")]
pub mod upstream;

mod attach;
pub mod authority;
#[cfg(feature = "upstream")]
mod backends;
mod config;
mod door;
mod extract;
mod front;
mod hello;
mod hop;
mod listener;
mod lists;
mod metrics;
#[cfg(feature = "upstream")]
mod parking;
mod passage;
mod peer;
mod places;
mod proxy_headers;
mod refuse;
mod refused;
#[cfg(feature = "upstream")]
mod request_digest;
mod resting;
#[cfg(feature = "upstream")]
mod resume;
mod scrape;
mod service;
mod site;
mod spare;
#[cfg(feature = "upstream")]
mod through;
mod traced;
mod upgrade;
mod waiting;
mod watch;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;

#[cfg(feature = "upstream")]
use self::backends::Backends;
use self::caps::Caps;
use self::flap::Flapping;
#[cfg(feature = "upstream")]
use self::http::Client;
use self::refused::Refusals;
use self::route::Routes;
use crate::admission::Admission;
use crate::connection::ConnectionContext;
use crate::observe::Spans;
use crate::tasks::Tasks;

#[cfg(feature = "upstream")]
pub use config::WithoutBackend;
pub use config::{Config, RefusalStyle};
pub use door::Door;
pub use extract::{Upgrade, UpgradeRefusal};
pub use identity::{
    DevIdentity, Identified, Identifiers, Identify, Identity, Naming, Reach, Unidentified,
};
pub use listener::{ListenerContext, serve};
pub use metrics::Metrics;
pub use places::Places;
pub use service::GatewayService;
pub use watch::{ConnectionEnd, ConnectionFacts, ConnectionObserver};

/// How the name of the cookie of the console's session on the operators' listener begins: the listener's port
/// follows. No backend gets such a cookie.
pub const CONSOLE_COOKIE: &str = "wastegate_session";

/// The subprotocol of clients that understand our notices.
pub(crate) const SUBPROTOCOL: &str = "wastegate.v1";

/// Everything an upgrade needs.
pub struct Gateway {
    admission: Arc<Admission>,
    session: Arc<ConnectionContext>,
    /// What may be replaced while it runs; each request sees one of them from beginning to end.
    rules: ArcSwap<Rules>,
    caps: Arc<Caps>,
    flapping: Flapping,
    #[cfg(feature = "upstream")]
    backends: Backends,
    refusals: Refusals,
    observer: OnceLock<Arc<dyn ConnectionObserver>>,
    /// Begins spans of handshakes, where they are traced.
    spans: OnceLock<Spans>,
    tasks: Tasks,
    metrics: Metrics,
}

/// By what requests are answered.
pub(crate) struct Rules {
    config: Arc<Config>,
    /// How long a connection outlives what proves who it is.
    expiry_grace: Duration,
    routes: Routes,
    /// Hands requests on that are no upgrade; none where nothing is handed on.
    #[cfg(feature = "upstream")]
    http: Option<Client>,
}

/// What a gateway is put in front of.
pub struct GatewayParts {
    /// Decides whether an upgrade gets a slot.
    pub admission: Arc<Admission>,
    /// Identifies the client of each request, route by route.
    pub identify: Identifiers,
    /// How long a connection outlives what proves who it is.
    pub expiry_grace: Duration,
    /// What all connections share: limits, clock, faults.
    pub session: Arc<ConnectionContext>,
    /// The room's settings.
    pub config: Config,
    /// The group of tasks that connections run in.
    pub tasks: Tasks,
}

/// Why settings can be used by no gateway. Empty where the program has no feature that can fail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// Backends want TLS, and their authorities cannot be used.
    #[cfg(feature = "tls")]
    #[error("TLS cannot be spoken")]
    Tls(#[from] tls::TlsError),
}

impl Gateway {
    /// Tells how many lines about refused clients were left out of floods that are over. Called once a
    /// second by the server's main loop.
    pub(crate) fn report_left_out(&self) {
        self.refusals.report_left_out(&self.session.clock);
    }

    /// A gateway in front of an admission.
    ///
    /// # Errors
    /// [`GatewayError`] when backends want TLS and their authorities cannot be used.
    pub fn new(parts: GatewayParts) -> Result<Arc<Self>, GatewayError> {
        let GatewayParts {
            admission,
            identify,
            expiry_grace,
            session,
            config,
            tasks,
        } = parts;
        let caps = Caps::new(&config.caps, session.clock.now());
        #[cfg(feature = "upstream")]
        let backends = Backends::new(&config, session.clock.now());
        let rules = Rules::of(
            config,
            &identify,
            expiry_grace,
            &session,
            #[cfg(feature = "upstream")]
            &backends.members,
        )?;
        rules.mark_users(&admission);
        Ok(Arc::new(Self {
            admission,
            session,
            rules: ArcSwap::from_pointee(rules),
            caps,
            flapping: Flapping::default(),
            #[cfg(feature = "upstream")]
            backends,
            refusals: Refusals::default(),
            observer: OnceLock::new(),
            spans: OnceLock::new(),
            tasks,
            metrics: Metrics::default(),
        }))
    }

    /// Reports every connection to an observer, from now on. The first observer stays.
    pub fn watched_by(&self, observer: Arc<dyn ConnectionObserver>) {
        // Set once, when the application is put together.
        let _ = self.observer.set(observer);
    }

    /// Answers requests by other settings, which [`Embedded::replace`](crate::embed::Embedded::replace) has
    /// checked.
    ///
    /// # Errors
    /// [`GatewayError`] when backends want TLS and their authorities cannot be used; nothing changed.
    pub(crate) fn replace(
        &self,
        config: Config,
        identify: &Identifiers,
        expiry_grace: Duration,
    ) -> Result<(), GatewayError> {
        let rules = Rules::of(
            config,
            identify,
            expiry_grace,
            &self.session,
            #[cfg(feature = "upstream")]
            &self.backends.members,
        )?;
        rules.mark_users(&self.admission);
        self.rules.store(Arc::new(rules));
        Ok(())
    }

    /// Answers one upgrade request for the client that [`Builder::identify`](crate::embed::Builder::identify)
    /// finds. The server around it must serve HTTP/1.1 with upgrades, as `axum::serve` does.
    ///
    /// A handler that knows its client by extractors of its own takes an [`Upgrade`] instead.
    pub async fn upgrade(self: Arc<Self>, request: Request) -> Response {
        let gateway = self.clone();
        let (parts, _) = request.into_parts();
        let response = if self.is_traced() {
            front::open_traced(self, parts).await
        } else {
            match front::open(self, parts) {
                Ok(opening) => opening.answer().await,
                Err(refusal) => *refusal,
            }
        };
        gateway.noted(response)
    }

    /// Answers any request, by the route that it takes.
    async fn answer(self: Arc<Self>, request: Request) -> Response {
        let gateway = self.clone();
        let response = front::answer(self, request).await;
        gateway.noted(response)
    }

    /// A response on its way out; the log hears of it if it refuses.
    fn noted(&self, response: Response) -> Response {
        self.refusals.note(&response, &self.session.clock);
        response
    }

    /// [`upgrade`](Self::upgrade) as a tower service, for `Router::route_service` and for layers.
    #[must_use]
    pub fn service(self: &Arc<Self>) -> GatewayService {
        GatewayService::new(self.clone())
    }

    /// A router that answers every request by the routes of the configuration: hands it on, upgrades,
    /// or says where the gateway listens.
    pub fn router(self: &Arc<Self>) -> Router {
        let handler = |State(gateway): State<Arc<Self>>, request: Request| gateway.answer(request);
        Router::new().fallback(handler).with_state(self.clone())
    }

    /// The room's settings, as they are now.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        self.rules.load().config.clone()
    }
}

impl Rules {
    /// The rules of a configuration. Backends that were there before are counted on.
    fn of(
        config: Config,
        identify: &Identifiers,
        expiry_grace: Duration,
        session: &Arc<ConnectionContext>,
        #[cfg(feature = "upstream")] members: &upstream::Members,
    ) -> Result<Self, GatewayError> {
        Ok(Self {
            #[cfg(not(feature = "upstream"))]
            routes: Routes::of(&config, identify, session),
            #[cfg(feature = "upstream")]
            routes: Routes::of(&config, identify, session, members)?,
            #[cfg(feature = "upstream")]
            http: config.hands_on().then(|| Client::of(&config)).transpose()?,
            config: Arc::new(config),
            expiry_grace,
        })
    }

    /// Has a user be blocked and evicted on every route, also on those that count it apart.
    fn mark_users(&self, admission: &Admission) {
        if self.routes.has_scopes() {
            admission.scoped_by(route::MARK);
        }
    }
}
