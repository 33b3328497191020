//! The events that are not written yet: coalesced as they come.
//!
//! Pure: it knows no journal and no clock. A run is an event that still grows; it lives beside the
//! finished events until its second is over or another event of its manager ends it.

use std::collections::HashMap;
use std::time::Duration;

use super::aside::Aside;
use super::line::{ActivityEvent, ActivityKind, ActivityLine, BelievedPeer};
use crate::observe::pseudonym::Pseudonym;
use wastegate_core::types::{DeviceId, ManagerId, Timestamp};

/// How many events, coalesced ones counted once, wait at most: about 8 MiB of them.
pub const EVENTS_MAX: usize = 65_536;

/// Frames of a second, besides the first, whose moments are told one by one.
const LATER_MAX: usize = 32;

/// Events that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Window {
    ended: Vec<Entry>,
    runs: HashMap<ManagerId, Vec<Run>>,
    /// How many runs there are in all.
    runs_open: usize,
    arrivals: u64,
    /// Lines beside the events.
    asides: Vec<Aside>,
    /// When the background pass was last written down.
    swept_at: Option<Timestamp>,
    /// Events that found no room since the last [`Window::take`].
    pub(super) dropped: u64,
}

/// There is no room for one more event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Whose event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) user: Pseudonym,
    pub(super) key: Pseudonym,
    pub(super) device: Option<Pseudonym>,
}

/// An event, or several of one kind, ready to become a line.
#[derive(Debug)]
pub(super) struct Entry {
    /// When the first of them happened.
    pub(super) at: Timestamp,
    /// When the last of them happened.
    last: Timestamp,
    /// When each but the first happened, ms after it, as far as that is told.
    later: Vec<u16>,
    arrival: u64,
    origin: Origin,
    event: ActivityEvent,
    n: u64,
}

/// An entry that still grows.
#[derive(Debug)]
struct Run {
    device: Option<DeviceId>,
    entry: Entry,
}

impl Window {
    /// Takes in an event of a manager, or of none that there is. `origin` is asked only if it becomes
    /// an entry of its own.
    pub(super) fn add(
        &mut self,
        at: Timestamp,
        manager: Option<ManagerId>,
        device: Option<&DeviceId>,
        event: ActivityEvent,
        origin: &dyn Fn() -> Origin,
    ) -> Result<(), Full> {
        if event.is_coalesced()
            && let Some(manager) = manager
            && !self.leaves_a_ping_open(manager, device, event)
            && let Some(run) = self.run(manager, device, event.kind())
            && second(run.entry.at) == second(at)
        {
            run.entry.n += 1;
            run.entry.last = run.entry.last.max(at);
            if event.kind() == ActivityKind::In && run.entry.later.len() < LATER_MAX {
                // Within one second, so it fits.
                let after = at.millis().saturating_sub(run.entry.at.millis());
                run.entry.later.extend(u16::try_from(after));
            }
            run.entry.event.absorb(event);
            return Ok(());
        }
        if self.ended.len() + self.runs_open >= EVENTS_MAX {
            return Err(Full);
        }
        let entry = Entry {
            at,
            last: at,
            later: Vec::new(),
            arrival: self.arrivals,
            origin: origin(),
            event,
            n: 1,
        };
        self.arrivals += 1;
        match manager {
            Some(manager) if event.is_coalesced() => self.begin(manager, device, entry),
            manager => {
                let runs = manager.and_then(|manager| self.runs.remove(&manager));
                let runs = runs.unwrap_or_default();
                self.runs_open -= runs.len();
                self.ended.extend(runs.into_iter().map(|run| run.entry));
                self.ended.push(entry);
            }
        }
        Ok(())
    }

    /// Whether it is a ping although the one before it was not answered. Then it begins a run of its
    /// own, so that the moment of the first ping without an answer is never lost.
    fn leaves_a_ping_open(
        &mut self,
        manager: ManagerId,
        device: Option<&DeviceId>,
        event: ActivityEvent,
    ) -> bool {
        if event != ActivityEvent::Ping {
            return false;
        }
        let mut last = |kind| self.run(manager, device, kind).map(|run| run.entry.last);
        let (ping, pong) = (last(ActivityKind::Ping), last(ActivityKind::Pong));
        ping.is_some_and(|ping| pong.is_none_or(|pong| pong < ping))
    }

    /// Begins a run, in place of the one of an earlier second.
    fn begin(&mut self, manager: ManagerId, device: Option<&DeviceId>, entry: Entry) {
        if let Some(run) = self.run(manager, device, entry.event.kind()) {
            let ended = std::mem::replace(&mut run.entry, entry);
            self.ended.push(ended);
        } else {
            let device = device.cloned();
            let runs = self.runs.entry(manager).or_default();
            runs.push(Run { device, entry });
            self.runs_open += 1;
        }
    }

    fn run(
        &mut self,
        manager: ManagerId,
        device: Option<&DeviceId>,
        kind: ActivityKind,
    ) -> Option<&mut Run> {
        let mut runs = self.runs.get_mut(&manager)?.iter_mut();
        runs.find(|run| run.entry.event.kind() == kind && run.device.as_ref() == device)
    }

    /// Keeps a line beside the events until the next flush; counted as dropped where there is no room.
    pub(super) fn set_aside(&mut self, aside: Aside) {
        if self.asides.len() < EVENTS_MAX {
            self.asides.push(aside);
        } else {
            self.dropped += 1;
        }
    }

    /// Takes out the lines beside the events.
    pub(super) fn take_asides(&mut self) -> Vec<Aside> {
        std::mem::take(&mut self.asides)
    }

    /// Whether a run of the background pass is to be written down. True no oftener than every `interval`.
    pub(super) fn is_sweep_due(&mut self, now: Timestamp, interval: Duration) -> bool {
        let is_due = self.swept_at.is_none_or(|at| now.since(at) >= interval);
        if is_due {
            self.swept_at = Some(now);
        }
        is_due
    }

    /// Takes out what happened in the seconds before that of `before`, or everything, in any order;
    /// with the number of events dropped.
    pub(super) fn take(&mut self, before: Option<Timestamp>) -> (Vec<Entry>, u64) {
        let is_due = |entry: &Entry| before.is_none_or(|before| second(entry.at) < second(before));
        let mut due: Vec<Entry> = self.ended.extract_if(.., |entry| is_due(entry)).collect();
        self.runs.retain(|_, runs| {
            let ended = runs.extract_if(.., |run| is_due(&run.entry));
            due.extend(ended.map(|run| run.entry));
            !runs.is_empty()
        });
        self.runs_open = self.runs.values().map(Vec::len).sum();
        (due, std::mem::take(&mut self.dropped))
    }
}

impl Entry {
    /// What entries are sorted by.
    pub(super) const fn order(&self) -> (Timestamp, u64) {
        (self.at, self.arrival)
    }

    pub(super) fn into_line(self, t_ms: u64) -> ActivityLine {
        let (bytes, tier, decision) = match self.event {
            ActivityEvent::In { bytes } | ActivityEvent::Out { bytes } => (Some(bytes), None, None),
            ActivityEvent::Evict { tier, decision } => (None, tier, decision),
            ActivityEvent::Echo { decision } | ActivityEvent::Silent { decision } => {
                (None, None, Some(decision))
            }
            _ => (None, None, None),
        };
        let (hint, value) = match self.event {
            ActivityEvent::Hint { hint, value } => (Some(hint), Some(value)),
            _ => (None, None),
        };
        let why = match self.event {
            ActivityEvent::Refuse { why } => Some(why.into()),
            _ => None,
        };
        let believed = match self.event {
            ActivityEvent::Health(believed) => Some(believed),
            _ => None,
        };
        let flag =
            |of: fn(&BelievedPeer) -> bool| believed.as_ref().is_some_and(of).then_some(true);
        let last_ms = self.last.millis() - self.at.millis();
        // All of them or none: half a list would be read as the whole.
        let later = if self.later.len() as u64 + 1 == self.n {
            self.later
        } else {
            Vec::new()
        };
        ActivityLine {
            t_ms,
            user: self.origin.user,
            key: self.origin.key,
            device: self.origin.device,
            kind: self.event.kind(),
            n: self.event.is_coalesced().then_some(self.n),
            bytes,
            last_ms: (last_ms > 0).then_some(last_ms),
            later,
            hint,
            value,
            why,
            health: believed.map(|believed| believed.health),
            probed: flag(|believed| believed.probed),
            taken_over: flag(|believed| believed.taken_over),
            expected: flag(|believed| believed.expected),
            tier,
            decision: decision.map(|decision| decision.raw()),
        }
    }
}

/// The second of the clock that a moment lies in.
const fn second(at: Timestamp) -> u64 {
    at.millis() / 1_000
}
