//! The metrics registry and what every room's metrics have in common.
//!
//! A room defines a struct of its counters, gauges and histograms with a `register(&mut Registry)`
//! and increments its own fields; the composition root hands it [`MetricsRegistry::room`]; the admin
//! listener serves [`MetricsRegistry::encode`]. No room reads a metric back: what decides anything is
//! counted elsewhere.
//!
//! # Rules
//! - A label's values come from a closed enum ([`ClosedLabel`]). Never a user id, a key, a device,
//!   an address, or any text that a client chose: each would make a new time series, and a series
//!   is kept for ever. The journals say which user it was.
//! - Names are `wastegate_<room>_<what>`; base units only (seconds, bytes), the unit in the name.
//!   The encoder adds `_total` to counters.
//! - Durations are observed in seconds into [`micros`] or [`millis`] buckets, so that rooms compare.

use prometheus_client::encoding::{EncodeLabel, EncodeLabelSet, LabelSetEncoder, text};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::alerts::PressureLevel;
use wastegate_core::types::{CloseReason, Health, Scope, Tier};

/// What [`MetricsRegistry::encode`] produces, for the `Content-Type` header.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Buckets for work that takes microseconds: upper bounds in seconds, 1 µs to 25 ms.
pub const MICROS: [f64; 14] = [
    1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2,
];

/// Buckets for work that waits for a peer: upper bounds in seconds, 1 ms to 25 s.
pub const MILLIS: [f64; 14] = [
    1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0,
];

/// A histogram with [`MICROS`]; fit for `Family::new_with_constructor`.
#[must_use]
pub fn micros() -> Histogram {
    Histogram::new(MICROS)
}

/// A histogram with [`MILLIS`]; fit for `Family::new_with_constructor`.
#[must_use]
pub fn millis() -> Histogram {
    Histogram::new(MILLIS)
}

/// Every room's metrics.
#[derive(Debug, Default)]
pub struct MetricsRegistry {
    registry: Registry,
}

impl MetricsRegistry {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where a room registers; its names are prefixed with `wastegate_<room>_`.
    pub fn room(&mut self, room: &'static str) -> &mut Registry {
        self.registry
            .sub_registry_with_prefix("wastegate")
            .sub_registry_with_prefix(room)
    }

    /// The registry without a prefix, for names that are not ours to choose
    /// ([`process::register`](super::process::register)).
    pub fn root(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// All metrics as they are now, in the OpenMetrics text format ([`CONTENT_TYPE`]).
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        if let Err(error) = text::encode(&mut text, &self.registry) {
            // A text without its end mark, which a scraper refuses: better than one that lies.
            tracing::error!(%error, "metrics could not be encoded");
        }
        text
    }
}

/// A closed enum that may be a label.
pub trait ClosedLabel {
    /// The label's name.
    const KEY: &'static str;

    /// The label's value: one of a small fixed set.
    fn value(&self) -> &'static str;
}

/// The label set of one [`ClosedLabel`]. A tuple of two is a label set too:
/// `Family<(Label<Tier>, Label<Scope>), Counter>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label<T>(pub T);

impl<T: ClosedLabel> EncodeLabelSet for Label<T> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        (T::KEY, self.0.value()).encode(encoder.encode_label())
    }
}

macro_rules! closed_label {
    ($($type:ty as $key:literal;)*) => {
        $(impl ClosedLabel for $type {
            const KEY: &'static str = $key;

            fn value(&self) -> &'static str {
                self.name()
            }
        })*
    };
}

closed_label! {
    Tier as "tier";
    Scope as "scope";
    Health as "health";
    CloseReason as "reason";
    PressureLevel as "level";
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::family::Family;

    use super::*;

    /// M5: by tier and reason, in the form a scraper reads.
    #[test]
    fn a_room_registers_once_and_is_encoded_with_closed_labels() {
        let runs = Family::<(Label<Tier>, Label<Scope>), Counter>::default();
        let took = Family::<Label<Tier>, Histogram>::new_with_constructor(micros);
        let mut metrics = MetricsRegistry::new();
        let room = metrics.room("cleanup");
        room.register("runs", "Runs of a tier", runs.clone());
        room.register("run_seconds", "How long a run took", took.clone());
        runs.get_or_create(&(Label(Tier::Force), Label(Scope::User)))
            .inc();
        took.get_or_create(&Label(Tier::Force)).observe(3e-6);
        let text = metrics.encode();
        for line in [
            "wastegate_cleanup_runs_total{tier=\"force\",scope=\"user\"} 1",
            "wastegate_cleanup_run_seconds_bucket{le=\"0.000005\",tier=\"force\"} 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn buckets_rise() {
        for buckets in [MICROS, MILLIS] {
            assert!(buckets.is_sorted_by(|a, b| a < b));
        }
    }
}
