//! What is in a trace: how much, of whom, how far apart.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::event::{Trace, TraceEvent, TraceEventKind};
use super::users::ByUser;
use wastegate_core::stats::spread::quantile;

/// The quantiles that are told.
const QUANTILES: [(f64, &str); 5] = [
    (0.5, "p50"),
    (0.9, "p90"),
    (0.95, "p95"),
    (0.99, "p99"),
    (1.0, "max"),
];

/// What is in a trace.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// Lines, as far as they are events.
    pub events: u64,
    /// Different users in the trace.
    pub users: u64,
    /// Managers: a user and a key.
    pub managers: u64,
    /// Different devices in the trace.
    pub devices: u64,
    /// Its first moment, ms.
    pub from_ms: Option<u64>,
    /// Its last moment, ms.
    pub to_ms: Option<u64>,
    /// Events by kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Managers of one user, over users.
    pub managers_per_user: Quantiles,
    /// Times that a user wanted a manager, over users.
    pub accesses_per_user: Quantiles,
    /// Between two accesses of the same manager, ms.
    pub gaps_ms: Quantiles,
    /// Users who wanted more managers than the cap, if one was given: at least these need decisions.
    pub users_over_cap: Option<u64>,
    /// What a replay will not know.
    pub missing: Vec<&'static str>,
}

/// How numbers are spread; empty of none.
pub type Quantiles = BTreeMap<&'static str, f64>;

/// Looks at a trace.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "counts and milliseconds of a trace"
)]
pub fn describe(trace: &Trace, cap: Option<u32>) -> Description {
    let mut kinds: BTreeMap<&'static str, u64> = BTreeMap::new();
    for event in &trace.events {
        *kinds.entry(event.kind.name()).or_default() += 1;
    }
    let by_user = ByUser::new(trace);
    let (mut managers, mut accesses, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    let mut over = 0;
    for user in 0..by_user.users() {
        let wanted: Vec<&TraceEvent> = by_user
            .of(user)
            .iter()
            .filter(|event| event.kind.is_wanted())
            .collect();
        let sessions: HashSet<u32> = wanted.iter().map(|event| event.session).collect();
        over += u64::from(cap.is_some_and(|cap| sessions.len() > cap as usize));
        managers.push(sessions.len() as f64);
        accesses.push(wanted.len() as f64);
        let mut last: HashMap<u32, u64> = HashMap::new();
        for event in wanted {
            if let Some(before) = last.insert(event.session, event.at_ms)
                && event.at_ms > before
            {
                gaps.push((event.at_ms - before) as f64);
            }
        }
    }
    Description {
        events: trace.events.len() as u64,
        users: trace.users.len() as u64,
        managers: trace.sessions.len() as u64,
        devices: trace.devices.len() as u64,
        from_ms: trace.events.first().map(|event| event.at_ms),
        to_ms: trace.events.last().map(|event| event.at_ms),
        managers_per_user: quantiles(managers),
        accesses_per_user: quantiles(accesses),
        gaps_ms: quantiles(gaps),
        users_over_cap: cap.map(|_| over),
        missing: missing(&kinds),
        kinds,
    }
}

fn quantiles(mut numbers: Vec<f64>) -> Quantiles {
    numbers.sort_unstable_by(f64::total_cmp);
    let of = |(q, name): (f64, &'static str)| Some((name, quantile(&numbers, q)?));
    QUANTILES.into_iter().filter_map(of).collect()
}

/// What its kinds do not tell.
fn missing(kinds: &BTreeMap<&'static str, u64>) -> Vec<&'static str> {
    let has = |names: &[&str]| names.iter().any(|name| kinds.contains_key(name));
    let mut missing = Vec::new();
    if !has(&["attach"]) {
        missing.push("who was attached: whoever opens counts as attached until it closes");
    }
    if !has(&["close", "detach"]) {
        missing.push("closes: nothing ever ends by itself");
    }
    if !has(&["die", "die-silently", "silent"]) {
        missing.push("deaths: everybody answers, so only `force` evicts");
    }
    if !has(&["hint", "visible", "hidden"]) {
        missing.push("hints: nobody is protected, important or on screen");
    }
    missing
}

impl TraceEventKind {
    /// Its name in a line.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::Refuse { .. } => "refuse",
            Self::Attach => "attach",
            Self::In { .. } => "in",
            Self::Out { .. } => "out",
            Self::Ping { .. } => "ping",
            Self::Pong { .. } => "pong",
            Self::Visible => "visible",
            Self::Hidden => "hidden",
            Self::Hint(_) => "hint",
            Self::Detach => "detach",
            Self::Close => "close",
            Self::Die => "die",
            Self::DieSilently => "die-silently",
            Self::Evict { .. } => "evict",
            Self::Echo { .. } => "echo",
            Self::Silent { .. } => "silent",
            Self::Health { .. } => "health",
            Self::Back => "back",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::trace::Reading;
    use crate::trace::read::read_from;

    #[test]
    fn counts_gaps_and_what_is_missing() {
        let table = "t_ms,user,key\n0,a,x\n100,a,y\n1000,a,x\n1000,b,x\n";
        let loaded = read_from(Path::new("t"), table.as_bytes(), &Reading::default()).unwrap();
        let described = describe(&loaded.trace, Some(1));
        assert_eq!(
            (described.events, described.users, described.managers),
            (4, 2, 3)
        );
        assert_eq!(described.kinds, BTreeMap::from([("in", 4)]));
        assert_eq!(described.gaps_ms["max"], 1_000.0);
        assert_eq!(described.managers_per_user["p50"], 1.5);
        assert_eq!(described.users_over_cap, Some(1));
        assert_eq!(described.missing.len(), 4);
        let none = describe(&Trace::default(), None);
        assert_eq!((none.from_ms, none.gaps_ms.len()), (None, 0));
    }
}
