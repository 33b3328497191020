//! A trace, user by user.
//!
//! A limit is a user's, so users can be looked at one after another and in parallel. The events of
//! a user keep their order.

use super::event::{Trace, TraceEvent, TraceEventKind};

/// Frames that one coalesced line is spread into at the most; more are taken together.
pub(crate) const FRAMES_MAX: u32 = 1_000;

/// There is no next time.
pub const NEVER: u64 = u64::MAX;

/// The events of every user, each user's together.
#[derive(Debug)]
pub struct ByUser<'a> {
    trace: &'a Trace,
    /// Events, by user and then in the trace's order.
    events: Vec<TraceEvent>,
    /// Where the events of each user begin; one more entry ends the last.
    begins: Vec<usize>,
}

impl TraceEventKind {
    /// Whether its user wanted the manager at that moment: a frame, or an attempt to attach. Pings,
    /// pongs, pushes and what the host did are not.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        matches!(
            self,
            Self::In { .. } | Self::Open { .. } | Self::Refuse { .. } | Self::Attach
        )
    }
}

impl<'a> ByUser<'a> {
    /// Groups a trace, and spreads what was coalesced over its time.
    #[must_use]
    pub fn new(trace: &'a Trace) -> Self {
        let mut events: Vec<TraceEvent> = trace.events.iter().flat_map(spread).collect();
        // Stable: events of one moment stay in the order of their lines.
        events.sort_by_key(|event| (event.user, event.at_ms));
        let begins = (0..=trace.users.len())
            .map(|user| events.partition_point(|event| (event.user as usize) < user))
            .collect();
        Self {
            trace,
            events,
            begins,
        }
    }

    /// The whole trace.
    #[must_use]
    pub const fn trace(&self) -> &'a Trace {
        self.trace
    }

    /// How many users there are.
    #[must_use]
    pub fn users(&self) -> usize {
        self.trace.users.len()
    }

    /// One user's events; none of a user that there is not.
    #[must_use]
    pub fn of(&self, user: usize) -> &[TraceEvent] {
        let range = self.begins.get(user).zip(self.begins.get(user + 1));
        range
            .and_then(|(&from, &to)| self.events.get(from..to))
            .unwrap_or_default()
    }
}

/// The frames of one coalesced line as events of their own, evenly from its first moment to its last,
/// which are the two that are known. Anything else is itself.
fn spread(event: &TraceEvent) -> impl Iterator<Item = TraceEvent> + use<> {
    let event = *event;
    let (n, bytes, last_ms) = match event.kind {
        TraceEventKind::In { n, bytes, last_ms } if n > 1 && last_ms > 0 => (n, bytes, last_ms),
        _ => (1, 0, 0),
    };
    let frames = n.min(FRAMES_MAX);
    let last = u64::from(frames.saturating_sub(1).max(1));
    (0..frames).map(move |frame| {
        if frames == 1 {
            return event;
        }
        let until = |whole: u64, frame: u32| whole * u64::from(frame) / u64::from(frames);
        let share = |whole: u64| until(whole, frame + 1) - until(whole, frame);
        TraceEvent {
            at_ms: event.at_ms + u64::from(last_ms) * u64::from(frame) / last,
            kind: TraceEventKind::In {
                n: u32::try_from(share(n.into())).unwrap_or(1),
                bytes: share(bytes),
                last_ms: 0,
            },
            ..event
        }
    })
}
