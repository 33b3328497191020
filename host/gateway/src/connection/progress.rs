//! When what waits for a peer is looked at.

use std::time::Duration;

use crate::health::{self, look_interval};
use wastegate_core::types::Timestamp;

/// Until the next of the moments at which what waits is looked at, counted from when it began to.
pub(super) fn next_look(since: Timestamp, config: &health::Config, now: Timestamp) -> Duration {
    let every = look_interval(config).as_micros().max(1);
    let left = every - now.since(since).as_micros() % every;
    Duration::from_micros(u64::try_from(left).unwrap_or(u64::MAX))
}
