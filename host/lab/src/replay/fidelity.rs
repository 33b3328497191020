//! Does a replay of those who ranked do what was recorded? If not, what it says of others is about another
//! world.
//!
//! Victims are matched by user, manager and time, so that one decision too many or too few does not shift
//! those behind it. What the node took for its own limit is no user's matter and is not compared.

use std::collections::{BTreeMap, HashMap};

use super::run::ReplayOutcome;
use crate::trace::{ByUser, TraceEventKind};
use wastegate_core::types::Scope;

/// The share of recorded victims that a replay has to take at the same decision.
pub const FAITHFUL_FROM: f64 = 0.99;

/// How far apart in time a recorded and a replayed eviction of one manager may be and be the same, ms: an
/// interval of the background pass, and a round of probes.
pub(crate) const MATCHED_WITHIN_MS: u64 = 6_000;

/// How well a replay of the record reproduces it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fidelity {
    /// Victims of recorded decisions.
    pub recorded: u64,
    /// Victims of the replay's.
    pub replayed: u64,
    /// Those that both took at the same time.
    pub matched: u64,
    /// Keys that came back after an eviction, as recorded.
    pub returns_recorded: u64,
    /// The same in the replay.
    pub returns_replayed: u64,
    /// Victims that the node took for its own limit; they are taken over as recorded.
    pub of_the_node: u64,
    /// Every moment of a user at which they differ, by time.
    pub differences: Vec<FidelityMismatch>,
}

/// What a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DifferenceKind {
    /// Both made room, and took others.
    OtherVictims,
    /// The record made room, and the replay had no need or found nobody.
    OnlyRecorded,
    /// The replay made room, and the record did not.
    OnlyReplayed,
    /// There is a difference of the same user before it, so that they hold others.
    Follows,
}

impl DifferenceKind {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OtherVictims => "other-victims",
            Self::OnlyRecorded => "only-recorded",
            Self::OnlyReplayed => "only-replayed",
            Self::Follows => "follows",
        }
    }
}

/// A moment at which record and replay differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FidelityMismatch {
    /// When, ms as in the trace.
    pub at_ms: u64,
    /// Whose, by place in the trace.
    pub user: u32,
    /// What the difference is.
    pub kind: DifferenceKind,
    /// Whom the record has and the replay has not, by place in the trace.
    pub recorded: Vec<u32>,
    /// Whom the replay has and the record has not.
    pub replayed: Vec<u32>,
}

/// When which manager was taken.
type Taken = (u64, u32);

impl Fidelity {
    /// Compares a trace's own evictions with those of a replay. None if it records no decision.
    #[must_use]
    pub fn of(by_user: &ByUser<'_>, outcome: &ReplayOutcome) -> Option<Self> {
        let mut simulated: HashMap<u32, Vec<Taken>> = HashMap::new();
        for one in &outcome.decisions {
            let of_user = simulated.entry(one.user).or_default();
            of_user.extend(one.victims.iter().map(|victim| (one.at_ms, *victim)));
        }
        let mut fidelity = Self {
            recorded: 0,
            replayed: 0,
            matched: 0,
            returns_recorded: 0,
            returns_replayed: outcome.tally.reopen_misses,
            of_the_node: 0,
            differences: Vec::new(),
        };
        for user in 0..by_user.users() {
            let number = u32::try_from(user).unwrap_or(u32::MAX);
            let events = by_user.of(user).iter();
            let returns = events.filter(|event| event.kind == TraceEventKind::Back);
            fidelity.returns_recorded += returns.count() as u64;
            let recorded = fidelity.recorded_of(by_user, user);
            let replayed = simulated.remove(&number).unwrap_or_default();
            fidelity.compare(by_user, number, &recorded, &replayed);
        }
        fidelity
            .differences
            .sort_by_key(|one| (one.at_ms, one.user));
        (fidelity.recorded > 0).then_some(fidelity)
    }

    /// A user's recorded victims: those that a tier chose, or that left when a loan ended.
    fn recorded_of(&mut self, by_user: &ByUser<'_>, user: usize) -> Vec<Taken> {
        let notes = &by_user.trace().notes;
        let mut taken = Vec::new();
        for event in by_user.of(user) {
            let TraceEventKind::Evict { tier, decision } = event.kind else {
                continue;
            };
            let note = decision.and_then(|id| notes.decision(id, event.at_ms));
            if note.is_some_and(|note| note.asked.scope == Scope::Node) {
                self.of_the_node += 1;
            } else if tier.is_some() || decision.is_some() {
                taken.push((event.at_ms, event.session));
            }
        }
        taken
    }

    fn compare(&mut self, by_user: &ByUser<'_>, user: u32, recorded: &[Taken], replayed: &[Taken]) {
        self.recorded += recorded.len() as u64;
        self.replayed += replayed.len() as u64;
        let (only_recorded, only_replayed) = unmatched(recorded, replayed);
        self.matched += (recorded.len() - only_recorded.len()) as u64;
        // What differs within the tolerance is one difference.
        let mut sides: Vec<(u64, u32, bool)> = Vec::new();
        sides.extend(only_recorded.iter().map(|(at, who)| (*at, *who, true)));
        sides.extend(only_replayed.iter().map(|(at, who)| (*at, *who, false)));
        sides.sort_unstable();
        let mut last: Option<FidelityMismatch> = None;
        let mut life = None;
        for (at_ms, who, in_record) in sides {
            let is_near = |one: &FidelityMismatch| at_ms - one.at_ms <= MATCHED_WITHIN_MS;
            if last.as_ref().is_none_or(|one| !is_near(one)) {
                let done = last.replace(FidelityMismatch {
                    at_ms,
                    user,
                    kind: DifferenceKind::Follows,
                    recorded: Vec::new(),
                    replayed: Vec::new(),
                });
                self.differences
                    .extend(done.map(|one| one.named(by_user, &mut life)));
            }
            if let Some(one) = &mut last {
                let side = if in_record {
                    &mut one.recorded
                } else {
                    &mut one.replayed
                };
                side.push(who);
            }
        }
        self.differences
            .extend(last.map(|one| one.named(by_user, &mut life)));
    }

    /// The first difference, by time.
    #[must_use]
    pub fn first(&self) -> Option<&FidelityMismatch> {
        self.differences.first()
    }

    /// How many differences there are of each kind.
    #[must_use]
    pub fn kinds(&self) -> BTreeMap<&'static str, u64> {
        let mut kinds = BTreeMap::new();
        for one in &self.differences {
            *kinds.entry(one.kind.name()).or_default() += 1;
        }
        kinds
    }

    /// The share of victims that both took, of those that either took more of.
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

impl FidelityMismatch {
    /// Says what it is. `life` is the life of the recorder in which the user had a difference before.
    fn named(mut self, by_user: &ByUser<'_>, life: &mut Option<usize>) -> Self {
        let now = by_user.trace().notes.life(self.at_ms);
        self.kind = if life.replace(now) == Some(now) {
            DifferenceKind::Follows
        } else if self.replayed.is_empty() {
            DifferenceKind::OnlyRecorded
        } else if self.recorded.is_empty() {
            DifferenceKind::OnlyReplayed
        } else {
            DifferenceKind::OtherVictims
        };
        self
    }
}

/// What either side has and the other has not. Of one manager, evictions are matched in their order.
fn unmatched(recorded: &[Taken], replayed: &[Taken]) -> (Vec<Taken>, Vec<Taken>) {
    let mut open: HashMap<u32, Vec<u64>> = HashMap::new();
    for (at_ms, who) in replayed.iter().rev() {
        open.entry(*who).or_default().push(*at_ms);
    }
    let mut only_recorded = Vec::new();
    let mut only_replayed = Vec::new();
    for (at_ms, who) in recorded {
        let times = open.entry(*who).or_default();
        while let Some(early) = times.pop_if(|time| *time + MATCHED_WITHIN_MS < *at_ms) {
            only_replayed.push((early, *who));
        }
        if times
            .pop_if(|time| time.abs_diff(*at_ms) <= MATCHED_WITHIN_MS)
            .is_none()
        {
            only_recorded.push((*at_ms, *who));
        }
    }
    for (who, times) in open {
        only_replayed.extend(times.into_iter().map(|at_ms| (at_ms, who)));
    }
    (only_recorded, only_replayed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_eviction_too_many_shifts_none() {
        let recorded: Vec<Taken> = (1..100).map(|n| (n * 10_000, n as u32 % 7)).collect();
        let mut replayed = recorded.clone();
        replayed.insert(3, (32_000, 6));
        replayed.insert(9, (77_000, 6));
        let (only_recorded, only_replayed) = unmatched(&recorded, &replayed);
        assert_eq!(only_recorded, []);
        assert_eq!(only_replayed.len(), 2);
        let (one, other) = unmatched(&replayed, &recorded);
        assert_eq!((one.len(), other.len()), (2, 0));
    }

    #[test]
    fn a_later_eviction_of_the_same_manager_is_another() {
        let (only_recorded, only_replayed) = unmatched(&[(1_000, 1)], &[(9_000, 1)]);
        assert_eq!(only_recorded, [(1_000, 1)]);
        assert_eq!(only_replayed, [(9_000, 1)]);
        assert_eq!(unmatched(&[(1_000, 1)], &[(6_900, 1)]), (vec![], vec![]));
    }
}
