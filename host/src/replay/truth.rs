//! What a trace knows and a gateway could not: since when a peer is gone without a word.
//!
//! A synthetic trace says so (`die-silently`). Of a recorded one it became clear later: a victim that
//! did not answer our Close, or a manager that ended because its peer did, has been gone since its
//! last sign of life.

use std::collections::HashMap;

use crate::trace::{Event, Kind};

/// Of every event of one user: since when the peer of that life is silent.
pub(super) struct Truth(Vec<Option<u64>>);

impl Truth {
    /// Looks once from the end, life by life.
    pub(super) fn of(events: &[Event]) -> Self {
        let mut lives: HashMap<u32, Life> = HashMap::new();
        let mut truth = vec![None; events.len()];
        for (event, truth) in events.iter().zip(&mut truth).rev() {
            let life = lives.entry(event.session).or_default();
            match event.kind {
                // After the end: what became of the victim.
                Kind::Silent => *life = Life::Looking,
                Kind::Die => *life = Life::Looking,
                Kind::Echo | Kind::Close => *life = Life::Known(None),
                Kind::DieSilently => *life = Life::Known(Some(event.at_ms)),
                Kind::In { .. } | Kind::Pong { .. } | Kind::Attach if *life == Life::Looking => {
                    let last_ms = match event.kind {
                        Kind::Pong { last_ms } | Kind::In { last_ms, .. } => last_ms.into(),
                        _ => 0,
                    };
                    *life = Life::Known(Some(event.at_ms + last_ms + 1));
                }
                _ => {}
            }
            if let Life::Known(from) = *life {
                *truth = from;
            }
            if matches!(event.kind, Kind::Open { .. }) {
                // What lies before is another life.
                *life = Life::default();
            }
        }
        Self(truth)
    }

    /// Since when, ms, the life is silent that the event at that place belongs to.
    pub(super) fn silent_from(&self, place: usize) -> Option<u64> {
        self.0.get(place).copied().flatten()
    }
}

/// What is known of a life, coming from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Its peer was gone; since its last sign of life, which is looked for.
    Looking,
    /// Since then, or never.
    Known(Option<u64>),
}

impl Default for Life {
    fn default() -> Self {
        Self::Known(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at_ms: u64, kind: Kind) -> Event {
        Event {
            at_ms,
            session: 0,
            user: 0,
            device: None,
            kind,
        }
    }

    #[test]
    fn a_silent_victim_was_gone_since_its_last_sign() {
        let evict = Kind::Evict {
            tier: None,
            decision: None,
        };
        let open = Kind::Open { wait_ms: 0 };
        let frame = Kind::In {
            n: 1,
            bytes: 0,
            last_ms: 0,
        };
        let events = [
            event(1, open),
            event(5, frame),
            event(9, evict),
            event(10, Kind::Silent),
            event(20, open),
            event(25, frame),
            event(30, evict),
            event(31, Kind::Echo),
            event(40, open),
            event(44, Kind::DieSilently),
        ];
        let truth = Truth::of(&events);
        let from: Vec<Option<u64>> = (0..events.len()).map(|at| truth.silent_from(at)).collect();
        assert_eq!(from[..2], [Some(6), Some(6)]);
        assert_eq!(from[4..8], [None; 4]);
        assert_eq!(from[8..], [Some(44), Some(44)]);
    }
}
