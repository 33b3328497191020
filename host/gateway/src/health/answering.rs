//! What a client makes of our pings, as far as that was seen: no client is judged by an answer that it does
//! not give, or not so soon.
//!
//! Clients are in the field whose library answers no ping at all, and they live for days where nobody asks.
//! One that was heard when its pong was overdue is one of these, or one that has read what we sent since: it
//! is there, and did not answer. Until then it cannot be told from one that was stopped before it could
//! answer, and is judged as such. Clients that answer, but late, have a record of it ([`PongStats`]): a probe
//! that waits for less says little of them.

use super::Config;
use super::backlog::reads;
use super::kernel::tcp_view;
use crate::manager::{PongStats, Port, Vitals};
use wastegate_core::types::Timestamp;

/// A deviation of at least this share of the mean is assumed, since a few samples show too little of it.
const DEVIATION_MIN_SHARE: f64 = 0.25;
/// How many deviations beyond the mean a pong may be late and still be an ordinary one.
const DEVIATIONS: f64 = 3.0;

/// What a client makes of pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answering {
    /// It has answered one.
    Answers,
    /// It was heard, or has read, when its answer was overdue, and has never given one.
    Ignores,
    /// It has neither answered nor been heard since, nor has it read enough for its kernel to show it.
    Unproven,
}

/// What the client of a connection makes of pings.
pub(super) fn answering(port: &Port, config: &Config, now: Timestamp) -> Answering {
    let vitals = &port.vitals;
    if vitals.pong_at().is_some() {
        return Answering::Answers;
    }
    let overdue = vitals
        .asked_since()
        .map(|asked| asked.after(config.pong_deadline));
    match overdue {
        Some(overdue) if vitals.received_at() >= overdue => Answering::Ignores,
        Some(overdue) if now >= overdue && reads(port) => Answering::Ignores,
        _ => Answering::Unproven,
    }
}

/// Whether the client of a connection is known to answer no ping, so that its silence after one says
/// nothing.
#[must_use]
pub fn ignores_pings(port: &Port, config: &Config, now: Timestamp) -> bool {
    answering(port, config, now) == Answering::Ignores
}

/// Whether the kernel at the other end acknowledges what we send. None where the kernel cannot be asked.
pub(super) fn acknowledges(port: &Port) -> Option<bool> {
    let view = port.socket.upgrade().and_then(|socket| tcp_view(&socket))?;
    Some(view.acknowledges())
}

/// Whether a client that has not answered a probe may still do so, by the delays that it has shown.
pub(super) fn may_be_late(vitals: &Vitals, now: Timestamp) -> bool {
    let Some(patience_ms) = patience_ms(vitals.pong_stats()) else {
        return false;
    };
    let asked = vitals
        .asked_since()
        .map(|asked| asked.max(vitals.received_at()));
    asked.is_some_and(|asked| now.ms_since(asked) < patience_ms)
}

/// How long an ordinary pong may take, ms; none if there was none yet.
fn patience_ms(stats: PongStats) -> Option<f64> {
    let deviation = stats.variance_ms2.sqrt();
    let deviation = deviation.max(DEVIATION_MIN_SHARE * stats.mean_ms);
    (stats.samples > 0).then_some(stats.mean_ms + DEVIATIONS * deviation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b11_patience_follows_what_was_seen() {
        let stats = |samples, mean_ms, deviation: f64| PongStats {
            samples,
            mean_ms,
            variance_ms2: deviation * deviation,
        };
        assert_eq!(patience_ms(PongStats::default()), None);
        assert_eq!(patience_ms(stats(1, 4_000.0, 0.0)), Some(7_000.0));
        assert_eq!(patience_ms(stats(9, 20.0, 1.0)), Some(35.0));
        assert_eq!(patience_ms(stats(9, 200.0, 400.0)), Some(1_400.0));
    }
}
