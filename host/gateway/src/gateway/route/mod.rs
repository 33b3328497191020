//! Where a request leads: by its host and its path to one route, with backends and settings of its own.
//!
//! Matching is ours. Nothing of a configuration is given to a router that has patterns. Without the feature
//! `upstream` there is one route, that of the application.

#[cfg(feature = "upstream")]
mod area;
#[cfg(feature = "upstream")]
mod config;
mod prefix;
mod scope;

use std::sync::Arc;

use axum::http::request::Parts;

#[cfg(feature = "upstream")]
use self::area::Area;
#[cfg(feature = "upstream")]
pub use self::config::{BadHost, Config, HostPattern};
pub use self::prefix::{BadPrefix, Prefix};
pub(super) use self::scope::{MARK, Scope, is_reserved};
use super::config::Config as GatewayConfig;
use super::identity::{Identifiers, Identify};
#[cfg(feature = "upstream")]
use super::upstream::Upstreams;
use crate::connection::ConnectionContext;

/// The path of the built-in application where no setting says it.
const BUILT_IN_PATH: &str = "/ws";

/// The routes of one configuration, the narrowest first.
pub(super) struct Routes(Vec<Arc<Route>>);

/// One of them.
pub(super) struct Route {
    covers: Covers,
    /// Where it listens, in words.
    name: String,
    /// In which names its managers are held.
    pub(super) scope: Scope,
    pub(super) to: Destination,
    /// How its clients prove who they are.
    pub(super) identify: Arc<dyn Identify>,
    /// Sizes and deadlines of its connections.
    pub(super) session: Arc<ConnectionContext>,
}

/// What answers at a route.
pub(super) enum Destination {
    /// The built-in application, or that of an embedding server.
    Application,
    /// One of these backends gets the connection.
    #[cfg(feature = "upstream")]
    Backends(Arc<Upstreams>),
}

/// The requests of a route.
enum Covers {
    /// Those of this path.
    Exactly(String),
    /// Those of a part of a site.
    #[cfg(feature = "upstream")]
    Area(Area),
}

impl Routes {
    /// The one route of a gateway that has no backends.
    #[cfg(not(feature = "upstream"))]
    pub(super) fn of(
        config: &GatewayConfig,
        identify: &Identifiers,
        session: &Arc<ConnectionContext>,
    ) -> Self {
        let application = Route::application(config, identify, session);
        Self(vec![Arc::new(application)])
    }

    /// The route of a request.
    pub(super) fn find(&self, parts: &Parts) -> Option<&Arc<Route>> {
        #[cfg(feature = "upstream")]
        let asked = area::Asked::of(parts);
        self.0.iter().find(|route| match &route.covers {
            Covers::Exactly(path) => path == parts.uri.path(),
            #[cfg(feature = "upstream")]
            Covers::Area(area) => area.covers(&asked),
        })
    }

    /// The one of the application, if there is one.
    pub(super) fn application(&self) -> Option<&Arc<Route>> {
        self.0.iter().find(|route| route.is_application())
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
    fn application(
        config: &GatewayConfig,
        identify: &Identifiers,
        session: &Arc<ConnectionContext>,
    ) -> Self {
        let name = config.entry().to_owned();
        Self {
            covers: Covers::Exactly(name.clone()),
            name,
            scope: Scope::None,
            to: Destination::Application,
            identify: identify.of(None).clone(),
            session: session.clone(),
        }
    }

    /// Where it listens: a path, behind a host where there is one.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its path, or the beginning of its paths.
    pub(super) fn path(&self) -> &str {
        match &self.covers {
            Covers::Exactly(path) => path,
            #[cfg(feature = "upstream")]
            Covers::Area(area) => area.path(),
        }
    }

    /// Whether the application answers there.
    pub(super) const fn is_application(&self) -> bool {
        matches!(self.to, Destination::Application)
    }
}

impl GatewayConfig {
    /// A path where a client gets in: where no route of its own does, if there is such a place.
    #[must_use]
    pub fn entry(&self) -> &str {
        #[cfg(feature = "upstream")]
        if self.hands_on() {
            return self.backends_entry();
        }
        self.path.as_ref().map_or(BUILT_IN_PATH, Prefix::as_str)
    }
}

#[cfg(feature = "upstream")]
#[cfg(test)]
mod tests;
