//! Routes to backends: each serves a part of a site, which a host and the beginning of a path name.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::http::Uri;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;

use super::{Config, Covers, Destination, HostPattern, Prefix, Route, Routes, Scope};
use crate::connection::ConnectionContext;
use crate::gateway::GatewayError;
use crate::gateway::authority::Authority;
use crate::gateway::config::Config as GatewayConfig;
use crate::gateway::identity::Identifiers;
use crate::gateway::site;
use crate::gateway::upstream::{Members, Upstream, Upstreams};

/// A part of a site.
pub(super) struct Area {
    host: Option<HostPattern>,
    /// The beginning of its paths; none for everything, also what is no path, such as the `*` of OPTIONS.
    path: Option<Prefix>,
    /// Whether the backend does not see that beginning.
    strips: bool,
}

/// The place that a request asks for.
pub(super) struct Asked<'a> {
    host: Option<Authority>,
    path: &'a str,
}

impl<'a> Asked<'a> {
    pub(super) fn of(parts: &'a Parts) -> Self {
        Self {
            host: site::host(parts).and_then(Authority::read),
            path: parts.uri.path(),
        }
    }
}

impl Area {
    /// The beginning of its paths.
    pub(super) fn path(&self) -> &str {
        self.path.as_ref().map_or("/", Prefix::as_str)
    }

    pub(super) fn covers(&self, asked: &Asked<'_>) -> bool {
        let host = asked.host.as_ref().map(Authority::host);
        let is_host = |pattern: &HostPattern| host.is_some_and(|host| pattern.covers(host));
        let is_path = |prefix: &Prefix| prefix.beneath(asked.path).is_some();
        self.path.as_ref().is_none_or(is_path) && self.host.as_ref().is_none_or(is_host)
    }
}

impl Routes {
    /// The routes of a configuration. What is known of backends that are there already stays known.
    pub(in crate::gateway) fn of(
        config: &GatewayConfig,
        identify: &Identifiers,
        session: &Arc<ConnectionContext>,
        members: &Members,
    ) -> Result<Self, GatewayError> {
        let now = session.clock.now();
        let backends = |upstream: &[Upstream]| {
            let upstreams = Upstreams::of(config, upstream, members, now)?;
            Ok::<_, GatewayError>(Destination::Backends(upstreams))
        };
        let mut routes = Vec::new();
        for route in &config.routes {
            let sizes = (route.frame_bytes_max, route.message_bytes_max);
            routes.push(Arc::new(Route {
                covers: Covers::Area(Area {
                    host: route.host.clone(),
                    path: Some(route.path.clone()),
                    strips: route.strip_prefix,
                }),
                name: route.name(),
                scope: Scope::of(&route.name(), route.managers_per_user),
                to: backends(&route.upstream)?,
                identify: identify.of(route.identity).clone(),
                session: sized(session, sizes),
            }));
        }
        // Stable, so that of equals the one that is written first holds.
        routes.sort_by_key(|route| Reverse(route.rank()));
        let usual = Route::application(config, identify, session);
        if !config.upstream.is_empty() {
            routes.push(Arc::new(Route {
                covers: Covers::Area(Area {
                    host: None,
                    path: config.path.clone(),
                    strips: false,
                }),
                to: backends(&config.upstream)?,
                ..usual
            }));
        } else if routes.is_empty() {
            routes.push(Arc::new(usual));
        }
        Ok(Self(routes))
    }
}

impl Route {
    /// Its backends, if it has some.
    pub(in crate::gateway) const fn upstreams(&self) -> Option<&Arc<Upstreams>> {
        match &self.to {
            Destination::Application => None,
            Destination::Backends(upstreams) => Some(upstreams),
        }
    }

    /// Hosts come before paths: a route that names a host takes the whole host.
    fn rank(&self) -> (Option<(bool, usize)>, usize) {
        match &self.covers {
            Covers::Exactly(path) => (None, path.len()),
            Covers::Area(Area { host, path, .. }) => {
                let length = path.as_ref().map_or(0, |path| path.as_str().len());
                (host.as_ref().map(HostPattern::rank), length)
            }
        }
    }

    /// Cuts from a target what the backend is not to see. Everything else stays letter by letter.
    pub(in crate::gateway) fn cut(&self, uri: &mut Uri) {
        let Covers::Area(Area {
            path: Some(prefix),
            strips: true,
            ..
        }) = &self.covers
        else {
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

    /// [`Self::entry`] where connections are handed on.
    pub(super) fn backends_entry(&self) -> &str {
        match (&self.path, self.routes.first()) {
            (_, Some(route)) if self.upstream.is_empty() => route.path.as_str(),
            (Some(path), _) => path.as_str(),
            (None, _) => "/",
        }
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
