//! Metrics of the program as a whole: which build it is, and whether it is about to stop.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use wastegate::registry::Registry as Managers;

/// What is known when the program is built.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
    os: &'static str,
    arch: &'static str,
    /// `release` with optimisations, `debug` without.
    profile: &'static str,
}

/// Registers under `wastegate_`. `leaving` is cancelled when the server begins to stop.
pub(super) fn register(
    registry: &mut Registry,
    leaving: CancellationToken,
    managers: Arc<Managers>,
) {
    let build = Build {
        version: env!("CARGO_PKG_VERSION"),
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        profile: if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        },
    };
    registry.register("build", "Which build this is; always 1", Info::new(build));
    registry.register_collector(Box::new(Draining { leaving, managers }));
}

struct Draining {
    leaving: CancellationToken,
    managers: Arc<Managers>,
}

impl fmt::Debug for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Draining")
    }
}

impl Collector for Draining {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let gauge = ConstGauge::new(u64::from(
            self.leaving.is_cancelled() || self.managers.is_drained(),
        ));
        let help = "1 while the node takes no new connections, because it stops or an operator drains it: `/readyz` answers 503; else 0";
        gauge.encode(encoder.encode_descriptor("draining", help, None, gauge.metric_type())?)
    }
}
