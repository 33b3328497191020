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
pub mod http;
pub mod identity;
pub mod notice;
pub mod origin;
pub mod route;
pub mod tls;
pub mod upstream;

mod attach;
pub mod authority;
mod config;
mod door;
mod extract;
mod front;
mod hello;
mod hop;
mod listener;
mod lists;
mod metrics;
mod parking;
mod passage;
mod peer;
mod places;
mod refuse;
mod refused;
mod request_digest;
mod resting;
mod resume;
mod service;
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

use self::caps::Caps;
use self::flap::Flapping;
use self::http::{Client, Requests};
use self::parking::Parking;
use self::refused::Refusals;
use self::route::Routes;
use self::tls::TlsError;
use self::upstream::{Members, Upstreams};
use crate::admission::Admission;
use crate::connection::ConnectionContext;
use crate::tasks::Tasks;

pub use config::{Config, RefusalStyle, WithoutBackend};
pub use door::Door;
pub use extract::{Upgrade, UpgradeRefusal};
pub use identity::{
    DevIdentity, Identified, Identifiers, Identify, Identity, Naming, Reach, Unidentified,
};
pub use listener::{ListenerContext, serve};
pub use metrics::Metrics;
pub use places::{ConnectionSlot, Places};
pub use service::GatewayService;

/// The subprotocol of clients that understand our notices.
pub const SUBPROTOCOL: &str = "wastegate.v1";

/// Between two looks whether backends are back, at the least.
const UPSTREAM_CHECK_MIN: Duration = Duration::from_secs(1);

/// Everything an upgrade needs.
pub struct Gateway {
    admission: Arc<Admission>,
    session: Arc<ConnectionContext>,
    /// What may be replaced while it runs; each request sees one of them from beginning to end.
    rules: ArcSwap<Rules>,
    caps: Arc<Caps>,
    /// How fast requests come that are no upgrade.
    http_caps: Arc<Caps>,
    flapping: Flapping,
    parking: Arc<Parking>,
    /// Requests under way that are no upgrade.
    requests: Arc<Requests>,
    /// Connections that bring them.
    plain: Arc<Requests>,
    refusals: Refusals,
    /// All backends that there are connections of, also those that the settings do not name any more.
    members: Members,
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

impl Gateway {
    /// Tells how many lines about refused clients were left out of floods that are over. Called once a
    /// second by the server's main loop.
    pub fn tell_left_out(&self) {
        self.refusals.tell_left_out(&self.session.clock);
    }

    /// A gateway in front of an admission.
    ///
    /// # Errors
    /// [`TlsError`] when backends want TLS and their authorities cannot be used.
    pub fn new(parts: GatewayParts) -> Result<Arc<Self>, TlsError> {
        let GatewayParts {
            admission,
            identify,
            expiry_grace,
            session,
            config,
            tasks,
        } = parts;
        let members = Members::new(config.upstream_hedges_max);
        let rules = Rules::of(config, &identify, expiry_grace, &session, &members)?;
        let caps = Caps::new(&rules.config.caps, session.clock.now());
        let http_caps = Caps::new(&rules.config.http.rates(), session.clock.now());
        Ok(Arc::new(Self {
            admission,
            session,
            rules: ArcSwap::from_pointee(rules),
            caps,
            http_caps,
            flapping: Flapping::default(),
            parking: Arc::default(),
            requests: Arc::default(),
            plain: Arc::default(),
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
        Client::of(config).map(drop)
    }

    /// Answers requests by other settings from now on; connections that are there stay as they are.
    /// The certificate's files stay too, as does what the other rooms were built with: how many connections
    /// there may be, and how long a manager waits for its client (`upstream_grace`).
    ///
    /// # Errors
    /// [`TlsError`] when backends want TLS and their authorities cannot be used; nothing changed.
    pub fn replace(
        &self,
        config: Config,
        identify: &Identifiers,
        expiry_grace: Duration,
    ) -> Result<(), TlsError> {
        let rules = Rules::of(config, identify, expiry_grace, &self.session, &self.members)?;
        self.rules.store(Arc::new(rules));
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
        let checks = !rules.config.upstream_check.is_zero();
        let looks = rules.upstreams().filter(|_| checks);
        let looks = looks.map(|upstreams| upstreams.look(first, timeout, &self.session.clock));
        futures_util::future::join_all(looks).await;
    }

    /// Whether there is a backend, of any route, that is not known to be away; also where there are none at all,
    /// because the built-in application answers.
    #[must_use]
    pub fn has_backend(&self) -> bool {
        let rules = self.rules.load();
        let now = self.session.clock.now();
        let mut upstreams = rules.upstreams();
        !rules.config.hands_on() || upstreams.any(|upstreams| upstreams.is_there(now))
    }

    /// The backends, as they are, each once.
    #[must_use]
    pub fn upstreams(&self) -> Vec<upstream::BackendView> {
        let mut views: Vec<upstream::BackendView> = Vec::new();
        for (_, view) in self.routed_upstreams() {
            if views.iter().all(|known| known.url != view.url) {
                views.push(view);
            }
        }
        views
    }

    /// The backends of each route, as they are, with where the route listens.
    #[must_use]
    pub fn routed_upstreams(&self) -> Vec<(String, upstream::BackendView)> {
        let rules = self.rules.load();
        let now = self.session.clock.now();
        let views = |route: &Arc<route::Route>| {
            let views = route.upstreams.as_ref().map(|it| it.view(now));
            let name = route.name().to_owned();
            let views = views.into_iter().flatten();
            views
                .map(move |view| (name.clone(), view))
                .collect::<Vec<_>>()
        };
        rules.routes.all().flat_map(views).collect()
    }

    /// Answers one upgrade request for the client that [`Builder::identify`](crate::embed::Builder::identify)
    /// finds. The server around it must serve HTTP/1.1 with upgrades, as `axum::serve` does.
    ///
    /// A handler that knows its client by extractors of its own takes an [`Upgrade`] instead.
    pub async fn upgrade(self: Arc<Self>, request: Request) -> Response {
        let gateway = self.clone();
        let (parts, _) = request.into_parts();
        let response = match front::open(self, parts) {
            Ok(opening) => opening.answer().await,
            Err(refusal) => *refusal,
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

    /// The room's metrics, to be registered.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

impl Rules {
    /// The rules of a configuration. Backends that were there before are counted on.
    fn of(
        config: Config,
        identify: &Identifiers,
        expiry_grace: Duration,
        session: &Arc<ConnectionContext>,
        members: &Members,
    ) -> Result<Self, TlsError> {
        let now = session.clock.now();
        let routes = Routes::of(&config, identify, session, |config| {
            Upstreams::of(config, members, now)
        })?;
        let http = config.hands_on().then(|| Client::of(&config)).transpose()?;
        Ok(Self {
            config: Arc::new(config),
            expiry_grace,
            routes,
            http,
        })
    }

    /// The backends of each route that has some.
    fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstreams>> {
        self.routes
            .all()
            .filter_map(|route| route.upstreams.as_ref())
    }
}
