//! The room's metrics. What is read at a scrape, backends and keys, is in [`scrape`](super::scrape).

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::caps::Cap;
use crate::observe::metrics::{ClosedLabel, Label, begin, millis};
use wastegate_core::types::CloseReason;

impl ClosedLabel for Cap {
    const KEY: &'static str = "cap";

    fn value(&self) -> &'static str {
        self.name()
    }
}

/// What came in and how it ended.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub(super) handshakes_bad: Counter,
    pub(super) unidentified: Counter,
    pub(super) origins_refused: Counter,
    pub(super) turned_away: Family<Label<Cap>, Counter>,
    pub(super) flapping: Counter,
    pub(super) upgrades_failed: Counter,
    pub(super) unrouted: Counter,
    pub(super) handshake: Histogram,
    open: Gauge,
    #[cfg(feature = "upstream")]
    pub(super) backends: BackendMetrics,
    pub(super) closed: Family<Label<CloseReason>, Counter>,
}

/// What came of handing on.
#[cfg(feature = "upstream")]
#[derive(Debug, Clone, Default)]
pub(super) struct BackendMetrics {
    pub(super) upstream_failed: Counter,
    pub(super) requests: Counter,
    pub(super) requests_failed: Counter,
    pub(super) requests_refused: Counter,
}

/// One more open connection, as long as this lives.
#[derive(Debug)]
pub(super) struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let (turned_away, closed) = (Family::default(), Family::default());
        begin(&turned_away, Cap::ALL.iter().copied().map(Label));
        begin(&closed, CloseReason::all().map(Label));
        Self {
            handshakes_bad: Counter::default(),
            unidentified: Counter::default(),
            origins_refused: Counter::default(),
            turned_away,
            flapping: Counter::default(),
            upgrades_failed: Counter::default(),
            unrouted: Counter::default(),
            handshake: millis(),
            open: Gauge::default(),
            #[cfg(feature = "upstream")]
            backends: BackendMetrics::default(),
            closed,
        }
    }
}

#[cfg(feature = "upstream")]
impl BackendMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "upstream_failed",
            "Upgrades that were admitted, and that no backend accepted",
            self.upstream_failed.clone(),
        );
        registry.register(
            "requests",
            "Requests other than upgrades that were forwarded to a backend",
            self.requests.clone(),
        );
        registry.register(
            "requests_failed",
            "Forwarded requests that no backend answered in a usable way",
            self.requests_failed.clone(),
        );
        registry.register(
            "requests_refused",
            "Requests that were not forwarded because too many were in progress",
            self.requests_refused.clone(),
        );
    }
}

impl Metrics {
    /// Counts a connection that runs.
    pub(super) fn opened(&self) -> Open {
        self.open.inc();
        Open(self.open.clone())
    }

    /// Registers under `wastegate_gateway_`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "open_connections",
            "WebSocket connections that are attached to a manager now",
            self.open.clone(),
        );
        registry.register(
            "handshake_duration_seconds",
            "Time to the 101 of an upgrade: from the accepted socket for its first request, from the request's head for a later one",
            self.handshake.clone(),
        );
        registry.register(
            "handshakes_bad",
            "Requests that were no valid WebSocket upgrade",
            self.handshakes_bad.clone(),
        );
        registry.register(
            "unidentified",
            "Upgrades that were refused because their client could not be identified",
            self.unidentified.clone(),
        );
        registry.register(
            "origins_refused",
            "Upgrades that were refused because pages of their origin may not connect",
            self.origins_refused.clone(),
        );
        registry.register(
            "turned_away",
            "Connections and requests that were refused because they were over a cap, by cap",
            self.turned_away.clone(),
        );
        registry.register(
            "flapping",
            "Upgrades that were refused because their client reconnects too often",
            self.flapping.clone(),
        );
        registry.register(
            "upgrades_failed",
            "Upgrades that were answered with 101 and whose connection ended before it was switched",
            self.upgrades_failed.clone(),
        );
        registry.register(
            "unrouted",
            "Requests that no route matches",
            self.unrouted.clone(),
        );
        #[cfg(feature = "upstream")]
        self.backends.register(registry);
        registry.register(
            "closed",
            "Connections that ended, by reason",
            self.closed.clone(),
        );
    }
}
