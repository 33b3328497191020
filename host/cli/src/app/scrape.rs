//! Metrics of the program as a whole: which build it is, and whether it is about to stop.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

/// What is known when the program is built.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
    os: &'static str,
    arch: &'static str,
    /// `release` with optimisations, `debug` without.
    profile: &'static str,
}

/// Registers under `wastegate_`. `leaving` is cancelled when the drain begins.
pub(super) fn register(registry: &mut Registry, leaving: CancellationToken) {
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
    registry.register_collector(Box::new(Draining(leaving)));
}

#[derive(Debug)]
struct Draining(CancellationToken);

impl Collector for Draining {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let gauge = ConstGauge::new(u64::from(self.0.is_cancelled()));
        let help =
            "1 once the server stops: `/readyz` answers 503 and clients are sent away, else 0";
        gauge.encode(encoder.encode_descriptor("draining", help, None, gauge.metric_type())?)
    }
}
