//! What is read when metrics are scraped: backends as they are, places, and the age of the keys of tokens.
//!
//! Nothing here is counted beside what it counts. The labels of a backend are its address as it is configured:
//! a set that the operator closed.

use std::fmt::Error;
use std::sync::{Arc, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Gateway;
use super::places::Places;

impl Gateway {
    /// Registers all metrics of the room under `wastegate_gateway_`.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        self.metrics.register(registry);
        registry.register_collector(Box::new(GatewayCollector(Arc::downgrade(self))));
    }

    /// When the oldest set of token keys in use was read, seconds since the Unix epoch; none where no route
    /// checks tokens by a set, and before the first was read.
    fn keys_read_unix_s(&self) -> Option<u64> {
        let rules = self.rules.load();
        let clock = &self.session.clock;
        let read = rules
            .routes
            .all()
            .filter_map(|route| route.identify.keys_read_at());
        let oldest = read.min()?;
        Some(clock.unix_ms(oldest) / 1_000)
    }
}

#[derive(Debug)]
struct GatewayCollector(Weak<Gateway>);

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").finish_non_exhaustive()
    }
}

impl Collector for GatewayCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let Some(gateway) = self.0.upgrade() else {
            return Ok(());
        };
        #[cfg(feature = "upstream")]
        gateway.backends.members.encode(&mut encoder)?;
        if let Some(read) = gateway.keys_read_unix_s() {
            let help =
                "When the set of public keys of tokens was last read, seconds since the Unix epoch";
            let name = "token_keys_read_timestamp_seconds";
            gauge(&mut encoder, name, help, read)?;
        }
        Ok(())
    }
}

impl Places {
    /// Registers under `wastegate_gateway_`.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        registry.register_collector(Box::new(PlacesCollector(self.clone())));
    }
}

#[derive(Debug)]
struct PlacesCollector(Arc<Places>);

impl Collector for PlacesCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let places = &self.0;
        gauge(
            &mut encoder,
            "connection_places",
            "Connections that the public listener may hold at once",
            places.count() as u64,
        )?;
        gauge(
            &mut encoder,
            "connection_places_free",
            "Connections that the public listener may still take",
            places.free() as u64,
        )
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> Result<(), Error> {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
}
