//! `[otlp]`: spans for an OpenTelemetry collector.

use super::{MINUTE, Section};
use crate::config::shape::edge::{collector, word};
use crate::config::shape::{Credential, SHARE, Word, count, millis, one_of};
use wastegate::observe::spans::ParentTrust;
use wastegate_control::otlp::BATCH_SPANS_MAX;

pub(super) fn sections() -> Vec<Section> {
    vec![section! {
        |d| "otlp", "Spans of handshakes, cleanups and evictions for an OpenTelemetry collector (OTLP over HTTP).";

        /// The collector's URL. Without a path, `/v1/traces` is added. Without it there are no
        /// spans, and the `traceparent` of clients goes to backends as it came.
        restart endpoint: collector() => d.rooms.otlp.endpoint;

        /// The value of the header `Authorization` for the collector; empty for none.
        restart authorization: Credential => d.rooms.otlp.authorization;

        /// What the collector knows the gateway by (`service.name`).
        restart service: word() => d.rooms.otlp.service;

        /// The share of handshakes and background sweeps that have spans. It is decided by the id
        /// of the trace, so that services with the same ratio keep the same traces.
        restart ratio: SHARE => d.rooms.otlp.ratio;

        /// Whose `traceparent` is continued, also in whether it is sampled: "trusted-proxies" for
        /// that of peers in `gateway.trusted_proxies`, or "none". Every other handshake begins a
        /// trace of its own, with a link to the client's span. A proxy that passes on what its
        /// clients send lets them decide; set "none" behind it.
        restart parents: parents() => d.rooms.otlp.parents;

        /// The most spans that wait for the collector. More are dropped and counted.
        restart queue_spans_max: count(BATCH_SPANS_MAX as u64, 1_048_576) => d.rooms.otlp.queue_spans_max;

        /// How long the collector has to answer a request. A request is tried three times.
        restart timeout_ms: millis(10, MINUTE) => d.rooms.otlp.timeout;
    }]
}

fn parents() -> Word<ParentTrust> {
    let words = [
        ("trusted-proxies", ParentTrust::TrustedProxies),
        ("none", ParentTrust::None),
    ];
    one_of("peer whose traces are continued", words)
}
