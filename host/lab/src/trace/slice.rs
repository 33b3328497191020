//! A part of a trace: of its time, or of its users.

use super::builder::{NotTaken, RawEvent, TraceBuilder};
use super::event::Trace;
use super::notes::Aside;
use wastegate_core::stats::random_draw;
use wastegate_core::types::SplitMix64;

/// A part of a trace, by time and by users.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// From this moment on, ms as in the trace.
    pub from_ms: u64,
    /// Before this moment.
    pub to_ms: u64,
    /// Only these users; everybody if none is named.
    pub users: Vec<String>,
    /// This share of the users, chosen by a hash of their names, so that the same share of the same
    /// trace is the same users and a larger one holds them all. 0 to 1.
    pub share: f64,
    /// Which of the many such shares.
    pub seed: u64,
}

impl Default for Part {
    fn default() -> Self {
        Self {
            from_ms: 0,
            to_ms: u64::MAX,
            users: Vec::new(),
            share: 1.0,
            seed: 1,
        }
    }
}

impl Part {
    /// The first user that is named and is none of the trace's.
    #[must_use]
    pub fn strange(&self, trace: &Trace) -> Option<&str> {
        let known = |name: &&String| trace.users.iter().any(|user| **user == ***name);
        self.users
            .iter()
            .find(|name| !known(name))
            .map(String::as_str)
    }

    fn has(&self, user: &str) -> bool {
        let named = self.users.is_empty() || self.users.iter().any(|name| name == user);
        named && place(user, self.seed) < self.share
    }
}

/// Where a user is in [0, 1): the same on every machine.
fn place(user: &str, seed: u64) -> f64 {
    let hash = user.bytes().fold(seed, |hash, byte| {
        SplitMix64::nth(hash, 1 + u64::from(byte))
    });
    random_draw::unit(hash)
}

/// Cuts a part out, with what its recorder wrote beside the events. Order stays. Decisions of the whole node stay
/// whichever users are left.
///
/// # Errors
/// [`NotTaken`] as a builder says it; a part of a trace that was read does not go over its limits.
pub fn slice(trace: &Trace, part: &Part) -> Result<Trace, NotTaken> {
    let chosen: Vec<bool> = trace.users.iter().map(|user| part.has(user)).collect();
    let mut builder = TraceBuilder::default();
    let within = |at_ms: u64| part.from_ms <= at_ms && at_ms < part.to_ms;
    for event in trace.events.iter().filter(|event| within(event.at_ms)) {
        let user = event.user as usize;
        let (Some(true), Some(name)) = (chosen.get(user), trace.users.get(user)) else {
            continue;
        };
        let Some(session) = trace.sessions.get(event.session as usize) else {
            continue;
        };
        let device = event.device.and_then(|at| trace.devices.get(at as usize));
        builder.add(RawEvent {
            at_ms: event.at_ms,
            user: name,
            key: &session.key,
            device: device.map(|device| &**device),
            kind: event.kind,
        })?;
    }
    let asides = trace.notes.asides(trace).into_iter();
    let of_part =
        |aside: &Aside| within(aside.at_ms()) && aside.user().is_none_or(|user| part.has(user));
    for aside in asides.filter(of_part) {
        builder.aside(aside)?;
    }
    // The last start before it too: a part that begins later does not begin with a start.
    let starts = trace.notes.starts.iter().copied();
    let starts = starts
        .filter(|at_ms| *at_ms < part.to_ms)
        .collect::<Vec<_>>();
    let before = starts.partition_point(|at_ms| *at_ms < part.from_ms);
    let starts = starts
        .get(before.saturating_sub(1)..)
        .unwrap_or_default()
        .to_vec();
    Ok(builder.build_as(starts, trace.notes.is_complete))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use super::*;
    use crate::trace::Reading;
    use crate::trace::read::read_from;

    #[test]
    fn parts_of_time_and_of_users() {
        let mut table = "t_ms,user,key\n".to_owned();
        for at in 0..4_000 {
            writeln!(table, "{at},u{},k", at % 400).unwrap();
        }
        let trace = read_from(Path::new("t"), table.as_bytes(), &Reading::default())
            .unwrap()
            .trace;
        let cut = |part: &Part| slice(&trace, part).unwrap();
        assert_eq!(cut(&Part::default()), trace);
        let later = cut(&Part {
            from_ms: 100,
            to_ms: 300,
            ..Part::default()
        });
        assert_eq!((later.events.len(), later.users.len()), (200, 200));
        let share = |share| {
            cut(&Part {
                share,
                ..Part::default()
            })
            .users
        };
        let (tenth, half) = (share(0.1), share(0.5));
        assert!((20..70).contains(&tenth.len()), "{}", tenth.len());
        assert!((160..240).contains(&half.len()), "{}", half.len());
        assert!(
            tenth.iter().all(|user| half.contains(user)),
            "a larger share holds a smaller"
        );
        let named = Part {
            users: vec!["u7".to_owned()],
            ..Part::default()
        };
        assert_eq!(cut(&named).events.len(), 10);
    }
}
