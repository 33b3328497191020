//! A trace, user by user.
//!
//! A limit is a user's, so users can be looked at one after another and in parallel. The events of
//! a user keep their order.

use super::event::{Event, Kind, Trace};

/// There is no next time.
pub const NEVER: u64 = u64::MAX;

/// The events of every user, each user's together.
#[derive(Debug)]
pub struct ByUser<'a> {
    trace: &'a Trace,
    /// Events, by user and then in the trace's order.
    events: Vec<Event>,
    /// Where the events of each user begin; one more entry ends the last.
    begins: Vec<usize>,
}

impl Kind {
    /// Whether its user wanted the manager at that moment: regret and the oracle go by these. Pings,
    /// pongs, pushes and what the host did are not.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        matches!(
            self,
            Self::In { .. } | Self::Open { .. } | Self::Refuse { .. }
        )
    }
}

impl<'a> ByUser<'a> {
    /// Groups a trace: one pass to count, one to place.
    #[must_use]
    pub fn new(trace: &'a Trace) -> Self {
        let mut begins = vec![0; trace.users.len() + 1];
        for event in &trace.events {
            if let Some(count) = begins.get_mut(event.user as usize + 1) {
                *count += 1;
            }
        }
        let mut before = 0;
        for begin in &mut begins {
            before += *begin;
            *begin = before;
        }
        let mut order: Vec<u32> =
            (0..u32::try_from(trace.events.len()).unwrap_or(u32::MAX)).collect();
        order.sort_by_key(|&at| trace.events.get(at as usize).map(|event| event.user));
        let events = order
            .into_iter()
            .filter_map(|at| trace.events.get(at as usize).copied())
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
    pub fn of(&self, user: usize) -> &[Event] {
        let range = self.begins.get(user).zip(self.begins.get(user + 1));
        range
            .and_then(|(&from, &to)| self.events.get(from..to))
            .unwrap_or_default()
    }
}

/// For every event of one user, when the same manager is wanted next, strictly later in the list:
/// milliseconds, or [`NEVER`]. One pass from the end.
#[must_use]
pub fn next_wanted(events: &[Event]) -> Vec<u64> {
    let mut next: std::collections::HashMap<u32, u64> = std::collections::HashMap::new();
    let mut wanted: Vec<u64> = events
        .iter()
        .rev()
        .map(|event| {
            let later = next.get(&event.session).copied().unwrap_or(NEVER);
            if event.kind.is_wanted() {
                next.insert(event.session, event.at_ms);
            }
            later
        })
        .collect();
    wanted.reverse();
    wanted
}
