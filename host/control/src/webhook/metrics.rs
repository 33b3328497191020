//! What was delivered, and what was not.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// Counts of one webhook.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    delivered: Counter,
    dropped: Counter,
    failed: Counter,
}

impl Metrics {
    /// Registers under `wastegate_webhook_`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "events_delivered",
            "Events that the webhook's service took",
            self.delivered.clone(),
        );
        registry.register(
            "events_dropped",
            "Events that the webhook's service did not take in all attempts",
            self.dropped.clone(),
        );
        registry.register(
            "attempts_failed",
            "Requests that the webhook's service did not take",
            self.failed.clone(),
        );
    }

    pub(super) fn delivered(&self, events: u64) {
        self.delivered.inc_by(events);
    }

    pub(super) fn dropped(&self, events: u64) {
        self.dropped.inc_by(events);
    }

    pub(super) fn failed(&self) {
        self.failed.inc();
    }
}
