//! The node over the last minutes and the last day: gauges and rates in rings in memory, for the first look.
//!
//! [`NodeHistory`] is told of connections, admissions and decisions, and reads what else it needs when a step ends.
//! Not here: what lasts longer (a Prometheus server keeps that), and what a figure means.

mod ring;
mod series;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use self::ring::Ring;
use self::series::PerSeries;
pub use self::series::Series;
use wastegate::admission::{Admission, AdmissionEnd};
use wastegate::cleanup::Decided;
use wastegate::observe::process;
use wastegate::registry::Registry;
use wastegate_core::decision::VictimOutcome;
use wastegate_core::types::Clock;
use wastegate_core::types::time::whole_ms;

/// The step of the fine ring, which covers ten minutes.
pub const FINE: Duration = Duration::from_secs(1);
/// Steps of the fine ring.
pub const FINE_STEPS: usize = 600;
/// The step of the coarse ring, which covers a day.
pub const COARSE: Duration = Duration::from_secs(10);
/// Steps of the coarse ring.
pub const COARSE_STEPS: usize = 8_640;
/// Fine steps of a coarse one.
const FINE_PER_COARSE: u64 = 10;

/// How far back a reader looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Ten minutes, by the second.
    Minutes,
    /// A day, by ten seconds.
    Day,
}

/// What a reader gets: one list a series, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct NodePast {
    /// How long a step is.
    pub step: Duration,
    /// When the last step ended, ms since the Unix epoch.
    pub end_unix_ms: u64,
    /// The values by series, in the order of [`Series::ALL`]. NaN before the start and where the system tells
    /// nothing.
    pub values: Vec<(Series, Vec<f64>)>,
}

/// The rings of one process: about 0.7 MB after a day.
#[derive(Debug)]
pub struct NodeHistory {
    clock: Clock,
    connections: AtomicU64,
    /// Since the start, by [`Series`]; only those that count.
    counts: PerSeries<AtomicU64>,
    // Held to end a step, or to copy a ring.
    rings: Mutex<Rings>,
}

#[derive(Debug)]
struct Rings {
    fine: Ring,
    coarse: Ring,
    /// Fine steps that have ended.
    steps: u64,
    /// When the last one ended, ms since the Unix epoch.
    end_unix_ms: u64,
    /// The counts when the last fine step ended.
    before: PerSeries<u64>,
    /// What the process used, read once a coarse step: counting descriptors costs as much as there are.
    process: process::Readings,
}

impl NodeHistory {
    /// One without a past.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let end_unix_ms = clock.unix_ms(clock.now());
        Self {
            clock,
            connections: AtomicU64::new(0),
            counts: PerSeries::of(|_| AtomicU64::new(0)),
            rings: Mutex::new(Rings {
                fine: Ring::new(FINE_STEPS),
                coarse: Ring::new(COARSE_STEPS),
                steps: 0,
                end_unix_ms,
                before: PerSeries::of(|_| 0),
                process: process::Readings::default(),
            }),
        }
    }

    /// A connection was attached to a manager.
    pub fn attached(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection that was attached ended.
    pub fn ended(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// An admission ended.
    pub fn admission(&self, ended: &AdmissionEnd<'_>) {
        self.count(match ended.refused {
            None => Series::Admitted,
            Some(_) => Series::Refused,
        });
    }

    /// A decision is complete, the ends of its victims included.
    pub fn decided(&self, decided: &Decided) {
        for outcome in &decided.outcomes {
            if outcome.is_eviction() {
                self.count(Series::Evicted);
            }
            if matches!(outcome, VictimOutcome::Echoed { .. }) {
                self.count(Series::LiveKills);
            }
        }
    }

    fn count(&self, series: Series) {
        self.counts[series].fetch_add(1, Ordering::Relaxed);
    }

    /// Ends a step each second, for ever. To be kept running by a supervisor.
    pub async fn watch(self: Arc<Self>, registry: Arc<Registry>, admission: Arc<Admission>) {
        let mut steps = tokio::time::interval(FINE);
        // A process that was stopped has no values for that time; it must not make some up.
        steps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        steps.tick().await;
        loop {
            steps.tick().await;
            self.step(&registry, &admission);
        }
    }

    /// Ends a fine step, and with every tenth a coarse one.
    pub fn step(&self, registry: &Registry, admission: &Admission) {
        let now = PerSeries::of(|series| self.counts[series].load(Ordering::Relaxed));
        let end_unix_ms = self.clock.unix_ms(self.clock.now());
        let is_coarse = |steps: u64| steps.is_multiple_of(FINE_PER_COARSE);
        let readings = is_coarse(self.rings.lock().steps).then(process::read);
        let mut rings = self.rings.lock();
        if let Some(readings) = readings {
            rings.process = readings;
        }
        let value = |series: Series| match series {
            Series::Connections => number(self.connections.load(Ordering::Relaxed)),
            Series::Managers => f64::from(registry.total()),
            Series::Users => number(registry.users_held() as u64),
            Series::Queued => number(admission.queued() as u64),
            Series::OpenFds => rings.process.open_fds.map_or(f64::NAN, number),
            Series::RssBytes => rings.process.rss_bytes.map_or(f64::NAN, number),
            counted => number(now[counted].saturating_sub(rings.before[counted])),
        };
        let step = PerSeries::of(value);
        // Whole steps that passed without a look, as while the process was stopped, have no values.
        let missed = end_unix_ms.saturating_sub(rings.end_unix_ms) / whole_ms(FINE);
        for _ in 1..missed.min(FINE_STEPS as u64) {
            rings.end(PerSeries::of(|_| f64::NAN));
        }
        rings.end(step);
        rings.before = now;
        rings.end_unix_ms = end_unix_ms;
    }

    /// The past of this process.
    #[must_use]
    pub fn past(&self, span: Span) -> NodePast {
        let rings = self.rings.lock();
        let (ring, step) = match span {
            Span::Minutes => (&rings.fine, FINE),
            Span::Day => (&rings.coarse, COARSE),
        };
        let values = Series::ALL.map(|series| (series, ring.of(series)));
        NodePast {
            step,
            end_unix_ms: rings.end_unix_ms,
            values: values.into(),
        }
    }
}

impl Rings {
    /// Adds a fine step. The coarse ring gets the sum of ten where a series counts, else the last value.
    fn end(&mut self, step: PerSeries<f64>) {
        self.fine.push(step);
        self.steps += 1;
        if !self.steps.is_multiple_of(FINE_PER_COARSE) {
            return;
        }
        let coarse = PerSeries::of(|series| {
            let last = self.fine.last(series, FINE_PER_COARSE as usize);
            let known = last.filter(|value| !value.is_nan());
            if series.counts() {
                known.reduce(|sum, value| sum + value).unwrap_or(f64::NAN)
            } else {
                step[series]
            }
        });
        self.coarse.push(coarse);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of one process are far below 2^53"
)]
const fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
