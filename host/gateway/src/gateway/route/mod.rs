//! Where a request leads: by its host and its path to one route, with backends and settings of its own.
//!
//! Matching is ours. Nothing of a configuration is given to a router that has patterns.

mod config;
mod scope;

use std::sync::Arc;

use axum::http::Uri;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;

pub use self::config::{BadHost, BadPrefix, Config, HostPattern, Prefix};
pub(super) use self::scope::{Scope, is_reserved};
use super::authority::Authority;
use super::config::Config as GatewayConfig;
use super::identity::{Identifiers, Identify};
use super::site;
use super::tls::TlsError;
use super::upstream::{Upstream, Upstreams};
use crate::connection::ConnectionContext;

/// The path of the built-in application where no setting says it.
const BUILT_IN_PATH: &str = "/ws";

/// The routes of one configuration, the narrowest first.
pub(super) struct Routes(Vec<Arc<Route>>);

/// One of them.
pub(super) struct Route {
    host: Option<HostPattern>,
    covers: Covers,
    /// What is cut from a path on its way to the backend.
    strips: Option<Prefix>,
    /// Where it listens, in words.
    name: String,
    /// In which names its managers are held.
    pub(super) scope: Scope,
    /// Its backends; none for the built-in application.
    pub(super) upstreams: Option<Arc<Upstreams>>,
    /// How its clients prove who they are.
    pub(super) identify: Arc<dyn Identify>,
    /// Sizes and deadlines of its connections.
    pub(super) session: Arc<ConnectionContext>,
}

/// The paths of a route.
enum Covers {
    /// Only this path.
    Exactly(String),
    /// The prefix itself and every path below it.
    Beneath(Prefix),
    /// Everything, also what is no path, such as the `*` of OPTIONS.
    All,
}

impl Routes {
    /// The routes of a configuration. `upstreams` makes the backends of one that has these settings.
    pub(super) fn of(
        config: &GatewayConfig,
        identify: &Identifiers,
        session: &Arc<ConnectionContext>,
        mut upstreams: impl FnMut(&GatewayConfig) -> Result<Option<Arc<Upstreams>>, TlsError>,
    ) -> Result<Self, TlsError> {
        let mut routes = Vec::new();
        for route in &config.routes {
            let theirs = GatewayConfig {
                upstream: route.upstream.clone(),
                ..config.clone()
            };
            let sizes = (route.frame_bytes_max, route.message_bytes_max);
            routes.push(Arc::new(Route {
                host: route.host.clone(),
                covers: Covers::Beneath(route.path.clone()),
                strips: route.strip_prefix.then(|| route.path.clone()),
                name: route.name(),
                scope: Scope::of(&route.name(), route.managers_per_user),
                upstreams: upstreams(&theirs)?,
                identify: identify.of(route.identity).clone(),
                session: sized(session, sizes),
            }));
        }
        // Stable, so that of equals the one that is written first holds.
        routes.sort_by_key(|route| std::cmp::Reverse(route.rank()));
        if routes.is_empty() || !config.upstream.is_empty() {
            routes.push(Arc::new(Route::usual(
                config,
                identify,
                session,
                upstreams(config)?,
            )));
        }
        Ok(Self(routes))
    }

    /// The route of a request.
    pub(super) fn find(&self, parts: &Parts) -> Option<&Arc<Route>> {
        let host = site::host(parts).and_then(Authority::read);
        let host = host.as_ref().map(Authority::host);
        let path = parts.uri.path();
        self.0.iter().find(|route| route.takes(host, path))
    }

    /// The one that is not named; none where all are.
    pub(super) fn usual(&self) -> Option<&Arc<Route>> {
        self.0.iter().find(|route| route.scope == Scope::None)
    }

    /// All of them, the narrowest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.0.iter()
    }

    /// Whether names of users and keys are also made of those of routes.
    pub(super) fn has_scopes(&self) -> bool {
        self.0.iter().any(|route| route.scope != Scope::None)
    }
}

impl Route {
    /// What answers where no route of its own does: `gateway.upstream`, or the built-in application.
    fn usual(
        config: &GatewayConfig,
        identify: &Identifiers,
        session: &Arc<ConnectionContext>,
        upstreams: Option<Arc<Upstreams>>,
    ) -> Self {
        let covers = match (&config.path, &upstreams) {
            (Some(path), Some(_)) => Covers::Beneath(path.clone()),
            (None, Some(_)) => Covers::All,
            (Some(path), None) => Covers::Exactly(path.to_string()),
            (None, None) => Covers::Exactly(BUILT_IN_PATH.to_owned()),
        };
        Self {
            host: None,
            name: config.entry().to_owned(),
            covers,
            strips: None,
            scope: Scope::None,
            upstreams,
            identify: identify.of(None).clone(),
            session: session.clone(),
        }
    }

    /// Hosts come before paths: a route that names a host takes the whole host.
    fn rank(&self) -> (Option<(bool, usize)>, usize) {
        let path = match &self.covers {
            Covers::Exactly(path) => path.len(),
            Covers::Beneath(prefix) => prefix.as_str().len(),
            Covers::All => 0,
        };
        (self.host.as_ref().map(HostPattern::rank), path)
    }

    fn takes(&self, host: Option<&str>, path: &str) -> bool {
        let is_host = |pattern: &HostPattern| host.is_some_and(|host| pattern.covers(host));
        let is_path = match &self.covers {
            Covers::Exactly(exactly) => exactly == path,
            Covers::Beneath(prefix) => prefix.beneath(path).is_some(),
            Covers::All => true,
        };
        is_path && self.host.as_ref().is_none_or(is_host)
    }

    /// Where it listens: a path, behind a host where there is one.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Cuts from a target what the backend is not to see. Everything else stays letter by letter.
    pub(super) fn cut(&self, uri: &mut Uri) {
        let Some(prefix) = &self.strips else {
            return;
        };
        let Some(rest) = prefix.beneath(uri.path()) else {
            return;
        };
        let slash = if rest.is_empty() { "/" } else { "" };
        let query = uri.query().map(|query| format!("?{query}"));
        let left = format!("{slash}{rest}{}", query.unwrap_or_default());
        let mut parts = uri.clone().into_parts();
        // It was part of one before.
        parts.path_and_query = left.parse::<PathAndQuery>().ok();
        if let Ok(cut) = Uri::from_parts(parts) {
            *uri = cut;
        }
    }
}

impl GatewayConfig {
    /// Whether connections are handed on to backends, rather than answered by the built-in application.
    #[must_use]
    pub fn hands_on(&self) -> bool {
        !self.upstream.is_empty() || !self.routes.is_empty()
    }

    /// A path where a client gets in: where no route of its own does, if there is such a place.
    #[must_use]
    pub fn entry(&self) -> &str {
        match (&self.path, self.routes.first()) {
            (_, Some(route)) if self.upstream.is_empty() => route.path.as_str(),
            (Some(path), _) => path.as_str(),
            (None, _) if self.hands_on() => "/",
            (None, _) => BUILT_IN_PATH,
        }
    }

    /// Where it listens: paths, behind a host where there is one.
    #[must_use]
    pub fn listens_at(&self) -> Vec<String> {
        let mut places: Vec<String> = self.routes.iter().map(Config::name).collect();
        if self.routes.is_empty() || !self.upstream.is_empty() {
            places.push(self.entry().to_owned());
        }
        places
    }

    /// All backends, each once.
    #[must_use]
    pub fn upstreams(&self) -> Vec<&Upstream> {
        let routed = self.routes.iter().flat_map(|route| &route.upstream);
        let mut all: Vec<&Upstream> = Vec::new();
        for upstream in self.upstream.iter().chain(routed) {
            if !all.contains(&upstream) {
                all.push(upstream);
            }
        }
        all
    }
}

/// The same with other sizes, where a route has its own.
fn sized(
    session: &Arc<ConnectionContext>,
    sizes: (Option<usize>, Option<usize>),
) -> Arc<ConnectionContext> {
    let (frame, message) = sizes;
    if frame.is_none() && message.is_none() {
        return session.clone();
    }
    let message_bytes_max = message.unwrap_or(session.config.message_bytes_max);
    // A frame is part of a message, so a smaller message makes it smaller too.
    let frame = frame.or_else(|| {
        let own = session.config.frame_bytes_max;
        own.map(|own| own.min(message_bytes_max))
    });
    let mut config = session.config.clone();
    config.frame_bytes_max = frame;
    config.message_bytes_max = message_bytes_max;
    Arc::new(session.with(config))
}

#[cfg(test)]
mod tests;
