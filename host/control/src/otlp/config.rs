//! Where spans are sent, and of which requests there are some.

use std::time::Duration;

use wastegate::observe::spans::ParentTrust;
use wastegate_core::types::Secret;

/// Where spans are sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The collector's URL; none for no spans. Without a path, `/v1/traces` is added, as OTLP has it. None.
    pub endpoint: Option<String>,
    /// The value of the header `Authorization`; empty for none. Empty.
    pub authorization: Secret,
    /// The name of this service (`service.name`). `wastegate`.
    pub service: String,
    /// The share of handshakes and sweeps that are traced, from 0 to 1. 1.
    pub ratio: f64,
    /// Whose `traceparent` is followed instead. That of trusted proxies.
    pub parents: ParentTrust,
    /// The most spans that wait; more are dropped. 8,192.
    pub queue_spans_max: usize,
    /// How long the collector has to answer. 10 s.
    pub timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: None,
            authorization: Secret::default(),
            service: "wastegate".to_owned(),
            ratio: 1.0,
            parents: ParentTrust::default(),
            queue_spans_max: 8_192,
            timeout: Duration::from_secs(10),
        }
    }
}
