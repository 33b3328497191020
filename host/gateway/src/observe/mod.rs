//! What the host tells about itself: log lines, metrics, journals, spans, alerts, its own process.
//!
//! The room writes what it is handed and decides nothing about managers. It knows no policy, no
//! registry and no decision: a decision record reaches [`Journal::write`] as anything that is
//! `Serialize`, and the composition root makes that connection. Three rules hold everywhere:
//!
//! - Observing never delays what is observed. A full queue drops, counts, and says so later.
//! - No payload and no user id leaves the room: files carry [`Pseudonym`]s, metric labels carry
//!   members of closed enums.
//! - What could not be measured is absent, not zero.
//!
//! At the end, when everyone who is observed has stopped: [`ActivitySink::flush_all`], then
//! [`JournalThread::close`] on a thread that may block.

pub mod activity;
pub mod alerts;
pub mod cgroup;
pub mod config;
pub mod descriptors;
pub mod error;
pub mod exposition;
pub mod journal;
mod lines;
pub mod logging;
pub mod metrics;
pub mod process;
pub mod pseudonym;
pub mod spans;
pub mod throttle;

pub use activity::{ActivityEvent, ActivitySink, HintName};
pub use alerts::{Alert, Pressure, PressureLevel, PressureThresholds};
pub use config::Config;
pub use error::Error;
pub use exposition::Exposition;
pub use journal::{Journal, JournalThread};
pub use metrics::MetricsRegistry;
pub use pseudonym::{Pseudonym, PseudonymKey, Pseudonymizer};
pub use spans::{SpanRecord, SpanSink, Spans};
pub use throttle::Throttle;
