//! What a recording says about when its gateway looked at a user's managers: at which moment an admission
//! had room made for it, and for how many at once; when the background pass took somebody, or ended a
//! loan. These are times, no choices: who goes is simulated.
//!
//! Of an admission the line `open` has the moment at which it was let in. Between the decision and that line other
//! things happen to its user, so the decision is made where the first of its evictions stands.

use std::collections::{HashMap, HashSet};

use crate::trace::{
    Occupied, RecordedDecision, RecorderNotes, RefusingLimit, TraceEvent, TraceEventKind,
};
use wastegate_core::types::{Scope, Tier};

/// How long after its decision an admission's line may come, ms: its budget, and a backend's answer.
pub(super) const ADMITTED_WITHIN_MS: u64 = 30_000;

/// Something that the gateway did just before an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// It made room: for that manager, by place in the trace, if the record says for which; and for so
    /// many newcomers at once.
    Room {
        /// For which manager.
        wanted: Option<u32>,
        /// How many newcomers there were room to be made for.
        needed: u32,
        /// The tier that found somebody. Those below it had looked up to a round of probes before.
        tier: Tier,
    },
    /// The background pass cleaned up.
    Pass,
    /// The background pass ended the user's temporary slots.
    LoanEnds,
    /// The node took the manager of the event: no matter of its user's limit.
    Node,
}

/// A decision of the record, with all that a replay needs to ask the same again.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) note: &'a RecordedDecision,
    /// How full its scope was.
    pub(super) occupied: Occupied,
    /// Who went, by place in the trace.
    pub(super) took: Vec<u32>,
}

/// What stands before one event.
#[derive(Debug)]
struct Entry<'a> {
    place: usize,
    mark: Mark,
    told: Option<Told<'a>>,
}

/// The marks of one user, by the place of the event that they stand before.
pub(super) struct Script<'a>(Vec<Entry<'a>>);

impl<'a> Script<'a> {
    /// Reads the marks off a user's evictions.
    pub(super) fn of(events: &[TraceEvent], notes: &'a RecorderNotes) -> Self {
        let mut entries = Vec::new();
        let (mut seen, mut claimed) = (HashSet::new(), HashSet::new());
        let taken = taken(events, notes);
        for (place, event) in events.iter().enumerate() {
            let TraceEventKind::Evict { tier, decision } = event.kind else {
                continue;
            };
            let note = decision.and_then(|id| notes.decision(id, event.at_ms));
            if note.is_some_and(|note| note.asked.scope == Scope::Node) {
                entries.push(Entry {
                    place,
                    mark: Mark::Node,
                    told: None,
                });
                continue;
            }
            let life = notes.life(event.at_ms);
            let is_first = decision.is_none_or(|id| seen.insert((life, id)));
            let took = decision.and_then(|id| taken.get(&(life, id)));
            let needed = match tier {
                // Those who gave up while the policy ranked were not counted any more.
                Some(Tier::Force) => took.map(|took| u32::try_from(took.len()).unwrap_or(u32::MAX)),
                _ => note.map(|note| note.asked.needed),
            };
            let mark = match (tier, decision) {
                (None, None) => None,
                (None, Some(_)) => Some(Mark::LoanEnds),
                (Some(Tier::Proactive), _) => Some(Mark::Pass),
                (Some(tier), _) => Some(Mark::Room {
                    tier,
                    wanted: newcomer(events, place, &mut claimed),
                    needed: needed.unwrap_or(1).max(1),
                }),
            };
            // Only the first of its evictions tells.
            let told = note.filter(|_| is_first).and_then(|note| {
                Some(Told {
                    note,
                    occupied: note.asked.occupied?,
                    took: took.cloned().unwrap_or_default(),
                })
            });
            entries.extend(
                mark.filter(|_| is_first)
                    .map(|mark| Entry { place, mark, told }),
            );
        }
        Self(entries)
    }

    /// What the gateway did just before the event of that place, and the decision that the record has of it.
    pub(super) fn before(&self, place: usize) -> Option<(Mark, Option<&Told<'a>>)> {
        let at = self.0.binary_search_by_key(&place, |entry| entry.place);
        let entry = at.ok().and_then(|at| self.0.get(at))?;
        Some((entry.mark, entry.told.as_ref()))
    }
}

/// Which managers each decision took, by the recorder's life and the decision's number.
fn taken(events: &[TraceEvent], notes: &RecorderNotes) -> HashMap<(usize, u64), Vec<u32>> {
    let mut taken: HashMap<_, Vec<u32>> = HashMap::new();
    for event in events {
        if let TraceEventKind::Evict {
            decision: Some(id), ..
        } = event.kind
        {
            let of = taken.entry((notes.life(event.at_ms), id)).or_default();
            of.push(event.session);
        }
    }
    taken
}

/// The manager that room was made for: the next that asks to be let in and that no decision before was for.
fn newcomer(events: &[TraceEvent], place: usize, claimed: &mut HashSet<usize>) -> Option<u32> {
    let at_ms = events.get(place)?.at_ms;
    let after = events.iter().enumerate().skip(place + 1);
    let mut after = after.take_while(|(_, event)| event.at_ms - at_ms <= ADMITTED_WITHIN_MS);
    let (found, event) = after.find(|(place, event)| {
        let asks = match event.kind {
            TraceEventKind::Open { .. } => true,
            TraceEventKind::Refuse { by, .. } => by != RefusingLimit::Other,
            _ => false,
        };
        asks && !claimed.contains(place)
    })?;
    claimed.insert(found);
    Some(event.session)
}
