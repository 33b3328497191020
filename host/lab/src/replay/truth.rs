//! What a trace knows and a gateway could not: since when a peer is gone without a word.
//!
//! A synthetic trace says so (`die-silently`). Of a recorded one it became clear later: a victim that
//! did not answer our Close, or a manager that ended because its peer did, has been gone since the
//! first ping that it did not answer. Whether it was gone a little earlier nobody can tell, and nobody
//! asked: a probe would have been a ping.

use std::collections::HashMap;

use crate::trace::{TraceEvent, TraceEventKind};

/// Of every event of one user: since when the peer of that life is silent.
pub(super) struct Truth(Vec<Option<u64>>);

/// One life, as far as its events go.
#[derive(Debug, Default)]
struct Life {
    /// Places of its events.
    events: Vec<usize>,
    /// The last moments of its runs of pings; a run goes on only as long as pings are answered.
    pings: Vec<u64>,
    /// Its last sign of life.
    received_ms: u64,
    /// What its end says.
    end: End,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing of a silence.
    #[default]
    Open,
    /// It turned out to be gone.
    Silent,
    /// The trace knows since when.
    Since(u64),
}

impl Truth {
    /// Looks through the lives of every manager.
    pub(super) fn of(events: &[TraceEvent]) -> Self {
        let mut truth = vec![None; events.len()];
        let mut lives: HashMap<u32, Life> = HashMap::new();
        for (place, event) in events.iter().enumerate() {
            let life = lives.entry(event.session).or_default();
            if matches!(event.kind, TraceEventKind::Open { .. }) {
                std::mem::take(life).report(&mut truth);
            }
            life.events.push(place);
            life.take(event);
        }
        for life in lives.into_values() {
            life.report(&mut truth);
        }
        Self(truth)
    }

    /// Since when, ms, the life is silent that the event at that place belongs to.
    pub(super) fn silent_from(&self, place: usize) -> Option<u64> {
        self.0.get(place).copied().flatten()
    }
}

impl Life {
    fn take(&mut self, event: &TraceEvent) {
        let last = |last_ms: u32| event.at_ms + u64::from(last_ms);
        match event.kind {
            TraceEventKind::In { last_ms, .. } | TraceEventKind::Pong { last_ms } => {
                self.received_ms = self.received_ms.max(last(last_ms));
            }
            TraceEventKind::Open { .. } | TraceEventKind::Attach => {
                self.received_ms = self.received_ms.max(event.at_ms)
            }
            TraceEventKind::Ping { last_ms } => self.pings.push(last(last_ms)),
            TraceEventKind::Silent | TraceEventKind::Die if self.end == End::Open => {
                self.end = End::Silent
            }
            TraceEventKind::DieSilently => self.end = End::Since(event.at_ms),
            _ => {}
        }
    }

    fn report(self, truth: &mut [Option<u64>]) {
        let from = match self.end {
            End::Open => return,
            End::Since(from) => from,
            End::Silent => {
                let unanswered = self.pings.iter().filter(|ping| **ping > self.received_ms);
                unanswered.min().copied().unwrap_or(self.received_ms + 1)
            }
        };
        for place in self.events {
            if let Some(truth) = truth.get_mut(place) {
                *truth = Some(from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at_ms: u64, kind: TraceEventKind) -> TraceEvent {
        TraceEvent {
            at_ms,
            session: 0,
            user: 0,
            device: None,
            kind,
        }
    }

    #[test]
    fn a_silent_victim_was_gone_since_the_first_ping_that_it_did_not_answer() {
        let evict = TraceEventKind::Evict {
            tier: None,
            decision: None,
        };
        let open = TraceEventKind::Open { wait_ms: 0 };
        let frame = TraceEventKind::In {
            n: 1,
            bytes: 0,
            last_ms: 0,
        };
        let ping = |last_ms| TraceEventKind::Ping { last_ms };
        let events = [
            event(1, open),
            event(5, frame),
            event(6, ping(3)),
            event(7, TraceEventKind::Pong { last_ms: 0 }),
            event(12, ping(0)),
            event(15, evict),
            event(16, TraceEventKind::Silent),
            event(20, open),
            event(25, frame),
            event(30, evict),
            event(31, TraceEventKind::Echo),
            event(40, open),
            event(44, TraceEventKind::DieSilently),
        ];
        let truth = Truth::of(&events);
        let from: Vec<Option<u64>> = (0..events.len()).map(|at| truth.silent_from(at)).collect();
        assert_eq!(from[..7], [Some(9); 7]);
        assert_eq!(from[7..11], [None; 4]);
        assert_eq!(from[11..], [Some(44); 2]);
    }

    #[test]
    fn without_pings_its_last_sign_has_to_do() {
        let events = [
            event(1, TraceEventKind::Open { wait_ms: 0 }),
            event(2, TraceEventKind::Attach),
            event(9, TraceEventKind::Die),
        ];
        assert_eq!(Truth::of(&events).silent_from(0), Some(3));
    }
}
