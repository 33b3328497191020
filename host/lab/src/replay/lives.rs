//! What a trace knows of each life of a manager, and a gateway could not: when it ends in the record, and
//! since when its peer is gone without a word.
//!
//! A synthetic trace says of a silence that it begins (`die-silently`). Of a recorded one it became clear later: a
//! victim that did not answer our Close, or a manager that ended because its peer did, has been gone
//! since the first ping that it did not answer. Whether it was gone a little earlier nobody can tell, and
//! nobody asked: a probe would have been a ping. A connection that ended was there until it did, unless a
//! ping before had no answer.
//!
//! What became of a victim is written seconds after its eviction, when its key may have been opened again.
//! It belongs to the life that the decision took, never to a later one.

use std::collections::HashMap;

use crate::trace::{NEVER, TraceEvent, TraceEventKind};

/// How long before the end of a connection a ping has to have gone unanswered to speak for a silence, ms.
const UNANSWERED_MS: u64 = 1_000;

/// Of every event of one user: what is known of the life that it belongs to.
pub(super) struct Lives {
    of: Vec<Option<usize>>,
    lives: Vec<LifeFacts>,
}

/// What is known of one life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LifeFacts {
    /// Since when, ms, its peer is silent.
    pub(super) silent_from: Option<u64>,
    /// When it ends in the record, ms; [`NEVER`] if it does not.
    pub(super) until_ms: u64,
}

impl LifeFacts {
    /// What is known of a client that the record refused.
    pub(super) const NONE: Self = Self {
        silent_from: None,
        until_ms: 0,
    };
}

/// One life, as far as its events go.
#[derive(Debug)]
struct Life {
    /// The last moments of its runs of pings; a run goes on only as long as pings are answered.
    pings: Vec<u64>,
    /// Its last sign of life.
    received_ms: u64,
    /// When its last connection ended, as long as no other came.
    detached_ms: Option<u64>,
    /// When it ended, and how.
    until_ms: u64,
    /// The decision that took it.
    taken_by: Option<u64>,
    /// A decision took it, and what became of it is not told yet.
    is_unlabelled: bool,
    silence: Silence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// Nothing speaks for one.
    None,
    /// It turned out to be gone.
    Found,
    /// The trace knows since when.
    Since(u64),
}

impl Life {
    const fn new() -> Self {
        Self {
            pings: Vec::new(),
            received_ms: 0,
            detached_ms: None,
            until_ms: NEVER,
            taken_by: None,
            is_unlabelled: false,
            silence: Silence::None,
        }
    }

    fn take(&mut self, event: &TraceEvent) {
        let last = |last_ms: u32| event.at_ms + u64::from(last_ms);
        match event.kind {
            TraceEventKind::In { last_ms, .. } | TraceEventKind::Pong { last_ms } => {
                self.received_ms = self.received_ms.max(last(last_ms));
            }
            TraceEventKind::Open { .. } | TraceEventKind::Attach => {
                self.received_ms = self.received_ms.max(event.at_ms);
                self.detached_ms = None;
            }
            TraceEventKind::Ping { last_ms } => self.pings.push(last(last_ms)),
            TraceEventKind::Detach => self.detached_ms = Some(event.at_ms),
            TraceEventKind::Close => self.until_ms = event.at_ms,
            TraceEventKind::Die => {
                self.until_ms = event.at_ms;
                if self.silence == Silence::None && self.is_lost() {
                    self.silence = Silence::Found;
                }
            }
            TraceEventKind::Evict { decision, .. } => {
                self.until_ms = event.at_ms;
                self.taken_by = decision;
                self.is_unlabelled = true;
            }
            TraceEventKind::DieSilently => self.silence = Silence::Since(event.at_ms),
            _ => {}
        }
    }

    /// The first ping after its last sign of life.
    fn unanswered(&self) -> Option<u64> {
        let unanswered = self.pings.iter().filter(|ping| **ping > self.received_ms);
        unanswered.min().copied()
    }

    /// Whether its end says that its peer vanished: it was attached, or had left a ping unanswered for a
    /// while when its connection ended.
    fn is_lost(&self) -> bool {
        self.detached_ms.is_none_or(|detached| {
            self.unanswered()
                .is_some_and(|ping| ping + UNANSWERED_MS <= detached)
        })
    }

    fn facts(&self) -> LifeFacts {
        LifeFacts {
            until_ms: self.until_ms,
            silent_from: match self.silence {
                Silence::None => None,
                Silence::Since(from) => Some(from),
                Silence::Found => Some(self.unanswered().unwrap_or(self.received_ms + 1)),
            },
        }
    }
}

impl Lives {
    /// Looks through the lives of every manager of a user. `starts` are those of the recorder's process:
    /// each ends all lives before it.
    pub(super) fn of(events: &[TraceEvent], starts: &[u64]) -> Self {
        let mut lives: Vec<Life> = Vec::new();
        let mut by_session: HashMap<u32, Vec<usize>> = HashMap::new();
        let mut of = Vec::with_capacity(events.len());
        let mut starts = starts.iter().copied().peekable();
        for event in events {
            while let Some(start) = starts.next_if(|start| *start <= event.at_ms) {
                let open = lives.iter_mut().filter(|life| life.until_ms == NEVER);
                open.for_each(|life| life.until_ms = start);
            }
            let known = by_session.entry(event.session).or_default();
            let life = match event.kind {
                TraceEventKind::Refuse { .. } => None,
                TraceEventKind::Echo { decision } | TraceEventKind::Silent { decision } => {
                    let is_it = |life: &Life| {
                        life.is_unlabelled
                            && (decision.is_none()
                                || life.taken_by.is_none()
                                || life.taken_by == decision)
                    };
                    let mut ended = known.iter().copied();
                    let labelled = ended.find(|at| lives.get(*at).is_some_and(is_it));
                    if let Some(life) = labelled.and_then(|at| lives.get_mut(at)) {
                        life.is_unlabelled = false;
                        if matches!(event.kind, TraceEventKind::Silent { .. })
                            && life.silence == Silence::None
                        {
                            life.silence = Silence::Found;
                        }
                    }
                    labelled
                }
                _ => {
                    let open = known.last().copied();
                    let mut open =
                        open.filter(|at| lives.get(*at).is_some_and(|life| life.until_ms == NEVER));
                    if matches!(event.kind, TraceEventKind::Open { .. })
                        && let Some(life) = open.take().and_then(|at| lives.get_mut(at))
                    {
                        // The line of its end is missing.
                        life.until_ms = event.at_ms;
                    }
                    Some(open.unwrap_or_else(|| {
                        lives.push(Life::new());
                        known.push(lives.len() - 1);
                        lives.len() - 1
                    }))
                }
            };
            if let Some(life) = life.and_then(|at| lives.get_mut(at)) {
                life.take(event);
            }
            of.push(life);
        }
        Self {
            of,
            lives: lives.iter().map(Life::facts).collect(),
        }
    }

    /// What is known of the life that the event at that place belongs to.
    pub(super) fn facts(&self, place: usize) -> LifeFacts {
        let life = self.of.get(place).copied().flatten();
        let facts = life.and_then(|life| self.lives.get(life)).copied();
        facts.unwrap_or(LifeFacts::NONE)
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

    const OPEN: TraceEventKind = TraceEventKind::Open { wait_ms: 0 };
    const FRAME: TraceEventKind = TraceEventKind::In {
        n: 1,
        bytes: 0,
        last_ms: 0,
    };

    fn ping(last_ms: u32) -> TraceEventKind {
        TraceEventKind::Ping { last_ms }
    }

    fn evict(decision: u64) -> TraceEventKind {
        TraceEventKind::Evict {
            tier: None,
            decision: Some(decision),
        }
    }

    fn silent(decision: Option<u64>) -> TraceEventKind {
        TraceEventKind::Silent { decision }
    }

    fn silences(events: &[TraceEvent]) -> Vec<Option<u64>> {
        let lives = Lives::of(events, &[]);
        (0..events.len())
            .map(|at| lives.facts(at).silent_from)
            .collect()
    }

    #[test]
    fn a_silent_victim_was_gone_since_the_first_ping_that_it_did_not_answer() {
        let from = silences(&[
            event(1, OPEN),
            event(5, FRAME),
            event(6, ping(3)),
            event(7, TraceEventKind::Pong { last_ms: 0 }),
            event(12, ping(0)),
            event(15, evict(1)),
            event(16, silent(Some(1))),
            event(20, OPEN),
            event(25, FRAME),
            event(30, evict(2)),
            event(31, TraceEventKind::Echo { decision: Some(2) }),
            event(40, OPEN),
            event(44, TraceEventKind::DieSilently),
        ]);
        assert_eq!(from[..7], [Some(9); 7]);
        assert_eq!(from[7..11], [None; 4]);
        assert_eq!(from[11..], [Some(44); 2]);
    }

    /// The key is open again when it becomes clear that its life before was gone.
    #[test]
    fn j12_a_late_silent_belongs_to_the_life_that_was_evicted() {
        for decision in [Some(7), None] {
            let from = silences(&[
                event(1_000, OPEN),
                event(1_005, TraceEventKind::Attach),
                event(5_000, evict(7)),
                event(5_400, OPEN),
                event(5_401, TraceEventKind::Attach),
                event(6_000, FRAME),
                event(7_000, silent(decision)),
                event(8_000, FRAME),
            ]);
            assert_eq!(from[..3], [Some(1_006); 3]);
            assert_eq!(from[3..6], [None; 3]);
            assert_eq!((from[6], from[7]), (Some(1_006), None));
        }
        // Two lives were taken within the deadline: the number says which.
        let from = silences(&[
            event(1_000, OPEN),
            event(2_000, evict(1)),
            event(2_100, OPEN),
            event(2_900, evict(2)),
            event(4_000, TraceEventKind::Echo { decision: Some(1) }),
            event(4_900, silent(Some(2))),
        ]);
        assert_eq!(from[0], None);
        assert_eq!(from[2], Some(2_101));
    }

    #[test]
    fn without_pings_its_last_sign_has_to_do() {
        let from = silences(&[
            event(1, OPEN),
            event(2, TraceEventKind::Attach),
            event(9, TraceEventKind::Die),
        ]);
        assert_eq!(from[0], Some(3));
    }

    /// A connection that ended was there until it did.
    #[test]
    fn a_lost_connection_is_no_silence() {
        let lost = |pings: &[u64]| {
            let mut events = vec![event(1, OPEN), event(2, TraceEventKind::Attach)];
            events.extend(pings.iter().map(|at| event(*at, ping(0))));
            events.push(event(9_000, TraceEventKind::Detach));
            events.push(event(39_000, TraceEventKind::Die));
            silences(&events)[0]
        };
        assert_eq!(lost(&[]), None);
        assert_eq!(lost(&[8_990]), None, "it had no time to answer");
        assert_eq!(lost(&[4_000]), Some(4_000));
    }

    #[test]
    fn j27_a_start_of_the_recorder_ends_what_was_open() {
        let events = [event(1, OPEN), event(50, OPEN), event(60, FRAME)];
        let lives = Lives::of(&events, &[0, 40]);
        assert_eq!(lives.facts(0).until_ms, 40);
        assert_eq!(lives.facts(2).until_ms, NEVER);
    }
}
