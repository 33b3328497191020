//! The room's metrics.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::observe::metrics::Label;
use crate::types::CloseReason;

/// What came in and how it ended.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    pub(super) handshakes_bad: Counter,
    pub(super) unidentified: Counter,
    pub(super) upgrades_failed: Counter,
    pub(super) upstream_failed: Counter,
    pub(super) closed: Family<Label<CloseReason>, Counter>,
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
            "upgrades_failed",
            "Upgrades that were answered and never completed",
            self.upgrades_failed.clone(),
        );
        registry.register(
            "upstream_failed",
            "Clients that were let in and that the upstream did not take",
            self.upstream_failed.clone(),
        );
        registry.register(
            "closed",
            "Connections that ended, by reason",
            self.closed.clone(),
        );
    }
}
