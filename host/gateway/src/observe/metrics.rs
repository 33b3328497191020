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
//! - A series that can exist exists from the start, at zero ([`begin`]): the first event of its kind is then an
//!   increase that a rule sees, and not a series that was not there before.

use std::hash::{Hash, Hasher};

use prometheus_client::encoding::{EncodeLabel, EncodeLabelSet, LabelSetEncoder, text};
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::alerts::PressureLevel;
use super::exposition::{self, Exposition};
use wastegate_core::types::{CloseReason, Health, Scope, Tier};

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

/// Makes the series of these labels, at zero.
pub fn begin<S, M, C>(family: &Family<S, M, C>, labels: impl IntoIterator<Item = S>)
where
    S: Clone + Hash + Eq,
    C: MetricConstructor<M>,
{
    for labels in labels {
        drop(family.get_or_create(&labels));
    }
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

    /// Where the program registers what is of no room; its names are prefixed with `wastegate_`.
    pub fn program(&mut self) -> &mut Registry {
        self.registry.sub_registry_with_prefix("wastegate")
    }

    /// The registry without a prefix, for names that are not ours to choose
    /// ([`process::register`](super::process::register)).
    pub fn root(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// All metrics as they are now.
    #[must_use]
    pub fn encode(&self, exposition: Exposition) -> String {
        let mut text = String::new();
        if let Err(error) = text::encode(&mut text, &self.registry) {
            // A text without its end mark, which a scraper refuses: better than one that lies.
            tracing::error!(%error, "metrics could not be encoded");
        }
        match exposition {
            Exposition::OpenMetrics => text,
            Exposition::Text => exposition::classic(&text),
        }
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
///
/// Two are equal when their values are: what a reason holds beside its name is no label, and two series of the
/// same labels in one scrape would make it invalid.
#[derive(Debug, Clone, Copy)]
pub struct Label<T>(pub T);

impl<T: ClosedLabel> PartialEq for Label<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.value() == other.0.value()
    }
}

impl<T: ClosedLabel> Eq for Label<T> {}

impl<T: ClosedLabel> Hash for Label<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.value().hash(state);
    }
}

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

    use super::*;
    use wastegate_core::types::EvictionCause;

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
        let text = metrics.encode(Exposition::OpenMetrics);
        for line in [
            "wastegate_cleanup_runs_total{tier=\"force\",scope=\"user\"} 1",
            "wastegate_cleanup_run_seconds_bucket{le=\"0.000005\",tier=\"force\"} 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }

    /// Evictions differ in their cause, and their reason has one name.
    #[test]
    fn what_has_the_same_labels_is_one_series() {
        let closed = Family::<Label<CloseReason>, Counter>::default();
        begin(&closed, CloseReason::all().map(Label));
        for tier in Tier::ALL {
            let evicted = CloseReason::Evicted(EvictionCause::Cleanup(tier));
            closed.get_or_create(&Label(evicted)).inc();
        }
        let mut metrics = MetricsRegistry::new();
        metrics.room("gateway").register("closed", "Ends", closed);
        let text = metrics.encode(Exposition::Text);
        let evicted = "wastegate_gateway_closed_total{reason=\"evicted\"}";
        let series: Vec<&str> = text.lines().filter(|it| it.starts_with(evicted)).collect();
        assert_eq!(series, [format!("{evicted} {}", Tier::ALL.len())], "{text}");
        assert!(text.contains("{reason=\"shutdown\"} 0"), "{text}");
    }

    #[test]
    fn buckets_rise() {
        for buckets in [MICROS, MILLIS] {
            assert!(buckets.is_sorted_by(|a, b| a < b));
        }
    }
}
