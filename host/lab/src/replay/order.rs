//! The order in which one user's events happen, and which of them wants a manager next.
//!
//! Times in a file are whole milliseconds, often whole seconds or minutes, so many events share one.
//! They still happened one after another: in the order of their lines. Each event therefore gets a
//! microsecond of its own within its time. Every strategy then sees one order, by the same clock, and
//! the names of managers decide nothing. The oracle goes by places in that order and not by times;
//! otherwise it would not know which of two accesses of one second comes first, and would be no bound.

use std::collections::HashMap;

use crate::trace::{NEVER, TraceEvent, TraceEventKind};
use wastegate_core::types::Timestamp;

/// Events of one time beyond so many for each millisecond until the next time share the last
/// microsecond, and are ordered by key among themselves.
const PLACES_PER_MS: u64 = 1_000;

/// When an event happens, and what comes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Microseconds after the event's time in the file.
    pub(super) after_us: u64,
    /// When the manager is wanted next, ms as in the trace; [`NEVER`] if never again.
    pub(super) next_ms: u64,
    /// At which place of the user's events it is wanted next in this life; [`NEVER`] if its user
    /// closes it before, or never wants it again. To evict it then costs no reopen-miss.
    pub(super) next_use: u64,
}

/// The moment of every event of one user. The events are in order of time.
pub(super) fn moments(events: &[TraceEvent]) -> Vec<Moment> {
    let mut moments = Vec::with_capacity(events.len());
    // By session, of the events that come later.
    let mut next: HashMap<u32, (u64, u64)> = HashMap::new();
    for (place, event) in events.iter().enumerate().rev() {
        let (next_ms, next_use) = next.get(&event.session).copied().unwrap_or((NEVER, NEVER));
        moments.push(Moment {
            after_us: 0,
            next_ms,
            next_use,
        });
        if event.kind.is_wanted() {
            let place = u64::try_from(place).unwrap_or(NEVER);
            next.insert(event.session, (event.at_ms, place));
        } else if event.kind.ends_life() {
            next.insert(event.session, (next_ms, NEVER));
        }
    }
    moments.reverse();
    let mut rest = moments.as_mut_slice();
    let mut later = events;
    for of_one_time in events.chunk_by(|a, b| a.at_ms == b.at_ms) {
        let these = rest.split_off_mut(..of_one_time.len()).unwrap_or_default();
        later = later.get(of_one_time.len()..).unwrap_or_default();
        let until = of_one_time.first().zip(later.first());
        let room_ms = until.map_or(NEVER, |(this, next)| next.at_ms - this.at_ms);
        let last_us = room_ms.saturating_mul(PLACES_PER_MS) - 1;
        for (place, moment) in (0..).zip(these) {
            moment.after_us = last_us.min(place);
        }
    }
    moments
}

impl Moment {
    /// When an event of that time in the file happens, on a clock that starts at `begin_ms`.
    pub(super) const fn at(self, event_ms: u64, begin_ms: u64) -> Timestamp {
        on_the_clock(event_ms, begin_ms, self.after_us)
    }
}

/// So many microseconds after a time of the trace, on a clock that starts at `begin_ms`.
pub(super) const fn on_the_clock(at_ms: u64, begin_ms: u64, after_us: u64) -> Timestamp {
    let time = Timestamp::from_millis(at_ms.saturating_sub(begin_ms));
    Timestamp::from_micros(time.micros().saturating_add(after_us))
}

impl TraceEventKind {
    /// Whether it ends a manager without taking anything from its user: the client, the application,
    /// the peer's end, or an operator. The end of a loan has a decision: a strategy chose.
    pub(super) const fn ends_life(&self) -> bool {
        matches!(
            self,
            Self::Close
                | Self::Die
                | Self::Evict {
                    tier: None,
                    decision: None
                }
        )
    }
}

#[cfg(test)]
mod tests;
