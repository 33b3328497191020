//! The room's metrics: read from the table when they are asked for, never kept beside it.

use std::sync::{Arc, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry as Metrics;

use super::Registry;

/// Registers under `wastegate_registry_`.
pub fn register(registry: &Arc<Registry>, metrics: &mut Metrics) {
    metrics.register_collector(Box::new(Held(Arc::downgrade(registry))));
}

#[derive(Debug)]
struct Held(Weak<Registry>);

impl Collector for Held {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(registry) = self.0.upgrade() else {
            return Ok(());
        };
        let (created, returned) = registry.created();
        let gauges = [
            (
                "managers",
                "Managers that are held now",
                u64::from(registry.total()),
            ),
            (
                "users",
                "Users that hold a manager now",
                registry.users_held() as u64,
            ),
            (
                "limit_managers",
                "Managers that the node may hold (`limits.managers_total`)",
                registry.limits().managers_total.into(),
            ),
            (
                "limit_managers_per_user",
                "Managers that a user may hold unless a lever or its identity says otherwise (`limits.managers_per_user`)",
                registry.limits().managers_per_user.into(),
            ),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let counters = [
            ("created", "Managers that were created", created),
            (
                "returned",
                "Managers that were created and whose key had been evicted before",
                returned,
            ),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(
                name,
                help,
                None,
                counter.metric_type(),
            )?)?;
        }
        Ok(())
    }
}
