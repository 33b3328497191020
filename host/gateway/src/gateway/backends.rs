//! What a gateway has beside its connections where it hands them on: the backends that it knows, the upstream
//! connections that wait for lost clients, and the counts of requests that are no upgrade.

use std::sync::Arc;
use std::time::Duration;

use super::caps::Caps;
use super::config::Config;
use super::http::{Client, Requests};
use super::parking::Parking;
use super::route::Route;
use super::upstream::{BackendView, Members, Upstreams};
use super::{Gateway, GatewayError, Rules};
use wastegate_core::types::Timestamp;

/// Between two looks whether backends are back, at the least.
const UPSTREAM_CHECK_MIN: Duration = Duration::from_secs(1);

/// What handing on needs of a gateway, whatever its settings.
pub(super) struct Backends {
    /// All backends that there are connections of, also those that the settings do not name any more.
    pub(super) members: Members,
    pub(super) parking: Arc<Parking>,
    /// How fast requests come that are no upgrade.
    pub(super) caps: Arc<Caps>,
    /// Those that are under way.
    pub(super) requests: Arc<Requests>,
    /// Connections that bring them.
    pub(super) connections: Arc<Requests>,
}

impl Backends {
    pub(super) fn new(config: &Config, now: Timestamp) -> Self {
        Self {
            members: Members::new(config.upstream_hedges_max),
            parking: Arc::default(),
            caps: Caps::new(&config.http.rates(), now),
            requests: Arc::default(),
            connections: Arc::default(),
        }
    }
}

impl Gateway {
    /// Whether a gateway could be made by these settings.
    ///
    /// # Errors
    /// [`GatewayError`] when backends want TLS and their authorities cannot be used.
    pub fn check(config: &Config) -> Result<(), GatewayError> {
        Client::of(config).map(drop)
    }

    /// Looks whether backends that are away are back, over and over.
    pub(crate) async fn watch_upstreams(self: Arc<Self>) {
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
    pub fn upstreams(&self) -> Vec<BackendView> {
        let mut views: Vec<BackendView> = Vec::new();
        for (_, view) in self.routed_upstreams() {
            if views.iter().all(|known| known.url != view.url) {
                views.push(view);
            }
        }
        views
    }

    /// The backends of each route, as they are, with where the route listens.
    #[must_use]
    pub fn routed_upstreams(&self) -> Vec<(String, BackendView)> {
        let rules = self.rules.load();
        let now = self.session.clock.now();
        let views = |route: &Arc<Route>| {
            let views = route.upstreams().map(|it| it.view(now));
            let name = route.name().to_owned();
            let views = views.into_iter().flatten();
            views
                .map(move |view| (name.clone(), view))
                .collect::<Vec<_>>()
        };
        rules.routes.all().flat_map(views).collect()
    }
}

impl Rules {
    /// The backends of each route that has some.
    fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstreams>> {
        self.routes.all().filter_map(|route| route.upstreams())
    }
}
