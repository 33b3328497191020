//! The room's metrics.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::caps::Cap;
use crate::observe::metrics::{ClosedLabel, Label};
use wastegate_core::types::CloseReason;

impl ClosedLabel for Cap {
    const KEY: &'static str = "cap";

    fn value(&self) -> &'static str {
        self.name()
    }
}

/// What came in and how it ended.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    pub(super) handshakes_bad: Counter,
    pub(super) unidentified: Counter,
    pub(super) origins_refused: Counter,
    pub(super) turned_away: Family<Label<Cap>, Counter>,
    pub(super) flapping: Counter,
    pub(super) upgrades_failed: Counter,
    pub(super) unrouted: Counter,
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

#[cfg(feature = "upstream")]
impl BackendMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "upstream_failed",
            "Clients that were let in and that the upstream did not take",
            self.upstream_failed.clone(),
        );
        registry.register(
            "requests",
            "Requests that are no upgrade and were handed on",
            self.requests.clone(),
        );
        registry.register(
            "requests_failed",
            "Requests that were handed on and had no answer of a backend",
            self.requests_failed.clone(),
        );
        registry.register(
            "requests_refused",
            "Requests that were not handed on because too many were under way",
            self.requests_refused.clone(),
        );
    }
}

impl Metrics {
    /// Registers under `wastegate_gateway_`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "handshakes_bad",
            "Requests that were no valid upgrade",
            self.handshakes_bad.clone(),
        );
        registry.register(
            "unidentified",
            "Upgrades of whom nobody could be made",
            self.unidentified.clone(),
        );
        registry.register(
            "origins_refused",
            "Upgrades of pages that may not connect",
            self.origins_refused.clone(),
        );
        registry.register(
            "turned_away",
            "Connections that were over a cap before their first byte",
            self.turned_away.clone(),
        );
        registry.register(
            "flapping",
            "Upgrades refused because their client comes and goes too often",
            self.flapping.clone(),
        );
        registry.register(
            "upgrades_failed",
            "Upgrades that were answered and never completed",
            self.upgrades_failed.clone(),
        );
        registry.register(
            "unrouted",
            "Requests that no route takes",
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
