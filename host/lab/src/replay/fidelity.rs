//! Does a replay of the recorded policy do what was recorded? If not, what it says of others is about
//! another world.

use std::collections::BTreeMap;

use super::run::ReplayOutcome;
use crate::trace::{ByUser, TraceEventKind};
use wastegate_core::decision::Disagreement;

/// The share of recorded victims that a replay has to take at the same decision.
pub const FAITHFUL_FROM: f64 = 0.99;

/// How well a replay of the recorded policy reproduces what was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Fidelity {
    /// Victims of recorded decisions.
    pub recorded: u64,
    /// Victims of the replay's.
    pub replayed: u64,
    /// Those that both took at the same decision of the same user.
    pub matched: u64,
    /// Keys that came back after an eviction, as recorded.
    pub returns_recorded: u64,
    /// The same in the replay.
    pub returns_replayed: u64,
    /// The first decision that differs, by time.
    pub first: Option<FidelityMismatch>,
}

/// A decision at which record and replay differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FidelityMismatch {
    /// When, ms as in the trace.
    pub at_ms: u64,
    /// Whose, by place in the trace.
    pub user: u32,
    /// Whom the record has, by place in the trace.
    pub recorded: Vec<u32>,
    /// Whom the replay has.
    pub replayed: Vec<u32>,
}

/// When a decision was made, and whom it took.
type Taken = (u64, Vec<u32>);

impl Fidelity {
    /// Compares a trace's own evictions with those of a replay. None if it records no decision.
    #[must_use]
    pub fn of(by_user: &ByUser<'_>, outcome: &ReplayOutcome) -> Option<Self> {
        let mut simulated: BTreeMap<u32, Vec<Taken>> = BTreeMap::new();
        for one in outcome
            .decisions
            .iter()
            .filter(|one| !one.victims.is_empty())
        {
            let of_user = simulated.entry(one.user).or_default();
            of_user.push((one.at_ms, one.victims.clone()));
        }
        let mut fidelity = Self {
            recorded: 0,
            replayed: 0,
            matched: 0,
            returns_recorded: 0,
            returns_replayed: outcome.tally.reopen_misses,
            first: None,
        };
        for user in 0..by_user.users() {
            let number = u32::try_from(user).unwrap_or(u32::MAX);
            let events = by_user.of(user).iter();
            let returns = events
                .filter(|event| event.kind == TraceEventKind::Back)
                .count();
            fidelity.returns_recorded += returns as u64;
            let recorded = recorded(by_user, user);
            let replayed = simulated.remove(&number).unwrap_or_default();
            fidelity.compare(number, &recorded, &replayed);
        }
        (fidelity.recorded > 0).then_some(fidelity)
    }

    /// Decision by decision, in the order of the user's own. A user at whose decisions they disagree once
    /// goes on being compared: where both agree again they agree.
    fn compare(&mut self, user: u32, recorded: &[Taken], replayed: &[Taken]) {
        let mut disagreed = false;
        for place in 0..recorded.len().max(replayed.len()) {
            let (in_record, in_replay) = (recorded.get(place), replayed.get(place));
            let who = |taken: Option<&Taken>| taken.map_or(Vec::new(), |(_, who)| sorted(who));
            let (a, b) = (who(in_record), who(in_replay));
            self.recorded += a.len() as u64;
            self.replayed += b.len() as u64;
            let taken = Disagreement::between(&a, &b);
            self.matched += taken.both.len() as u64;
            if taken.is_none() || std::mem::replace(&mut disagreed, true) {
                continue;
            }
            let times = [in_record, in_replay].into_iter().flatten();
            let at_ms = times.map(|(at, _)| *at).min().unwrap_or(0);
            if self.first.as_ref().is_none_or(|first| at_ms < first.at_ms) {
                self.first = Some(FidelityMismatch {
                    at_ms,
                    user,
                    recorded: a,
                    replayed: b,
                });
            }
        }
    }

    /// The share of recorded victims that the replay took too.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn share(&self) -> f64 {
        self.matched as f64 / self.recorded.max(self.replayed) as f64
    }

    /// Whether what the replay says of others may be believed.
    #[must_use]
    pub fn is_faithful(&self) -> bool {
        self.share() >= FAITHFUL_FROM
    }
}

fn sorted(who: &[u32]) -> Vec<u32> {
    let mut who = who.to_vec();
    who.sort_unstable();
    who
}

/// A user's recorded decisions: evictions that a tier chose, together where they are of one decision.
fn recorded(by_user: &ByUser<'_>, user: usize) -> Vec<Taken> {
    let mut decisions: Vec<(Option<u64>, Taken)> = Vec::new();
    for event in by_user.of(user) {
        let TraceEventKind::Evict {
            tier: Some(_),
            decision,
        } = event.kind
        else {
            continue;
        };
        match decisions.last_mut() {
            Some((last, (_, taken))) if decision.is_some() && *last == decision => {
                taken.push(event.session);
            }
            _ => decisions.push((decision, (event.at_ms, vec![event.session]))),
        }
    }
    decisions.into_iter().map(|(_, taken)| taken).collect()
}
