//! Who ranked while a trace was recorded: the active policy, the arms of experiments, what was activated in
//! between. A replay of the record asks at each decision whom the gateway asked. Where that policy is not
//! at hand, or the host drew a lot, the decision is taken over as it was recorded, and counted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::candidate::ReplayCandidate;
use crate::trace::{ByUser, RecordedPolicy, TraceEventKind};
use wastegate_core::decision::{Choice, PolicyRef, Question, Ranked, Ranking};
use wastegate_core::types::{Scope, Signal, Tier};

/// Everybody who ranked, decision by decision.
#[derive(Debug, Default)]
pub struct RecordedRanking {
    rankers: Vec<Option<ReplayCandidate>>,
    /// Decisions of each user for its newcomers and its loans, in order of time.
    by_user: HashMap<u32, Vec<Entry>>,
    /// Decisions of the background pass for any user, in order of time.
    passes: Vec<Entry>,
    /// Who ranked where no decision says.
    default: Option<ReplayCandidate>,
    signals: Vec<Signal>,
    missing: BTreeMap<String, u64>,
}

/// One recorded decision.
#[derive(Debug)]
struct Entry {
    at_ms: u64,
    user: u32,
    tier: Tier,
    /// The number of its decision.
    id: Option<u64>,
    ranker: usize,
    /// The host drew its first choice at random.
    drawn: bool,
    seed: Option<u64>,
    took: Vec<u32>,
}

/// When and where a strategy is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) user: u32,
    pub(super) at_ms: u64,
    pub(super) tier: Tier,
}

/// Who ranks at a spot.
pub(super) enum Ranks<'a> {
    /// This one; with the seed of the record, if there is one.
    Candidate {
        candidate: &'a ReplayCandidate,
        seed: Option<u64>,
    },
    /// The record: it took these.
    AsRecorded { took: &'a [u32], seed: Option<u64> },
}

impl<'a> Ranks<'a> {
    pub(super) const fn candidate(&self) -> Option<&'a ReplayCandidate> {
        match self {
            Self::Candidate { candidate, .. } => Some(candidate),
            Self::AsRecorded { .. } => None,
        }
    }

    pub(super) const fn seed(&self) -> Option<u64> {
        match self {
            Self::Candidate { seed, .. } | Self::AsRecorded { seed, .. } => *seed,
        }
    }
}

/// The rows that the record took, in its order.
pub(super) fn ranked(
    took: &[u32],
    question: &Question,
    session: &dyn Fn(usize) -> Option<u32>,
) -> Ranked {
    let row = |taken: &u32| {
        let mut rows = 0..question.rows.len();
        rows.find(|row| session(*row) == Some(*taken))
    };
    let rows = took.iter().filter_map(row);
    let choices = rows.map(|row| Choice {
        row: u32::try_from(row).unwrap_or(u32::MAX),
        score: 0.0,
        reason: 0,
    });
    let ranking = Ranking {
        choices: choices.collect(),
    };
    let about = PolicyRef {
        name: "recorded".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        digest: "recorded".into(),
    };
    Ranked {
        reasons: Arc::new(["recorded".to_owned()]),
        ..Ranked::of(about, Ok(ranking))
    }
}

impl RecordedRanking {
    /// Reads off a trace who ranked. `default` is who ranked where the recorder does not say, and
    /// `at_hand` finds a policy with its parameters.
    ///
    /// # Errors
    /// That of `at_hand`.
    pub fn of<E>(
        by_user: &ByUser<'_>,
        default: Option<ReplayCandidate>,
        mut at_hand: impl FnMut(&RecordedPolicy, &[f64]) -> Result<Option<ReplayCandidate>, E>,
    ) -> Result<Self, E> {
        let notes = &by_user.trace().notes;
        let mut ranking = Self::default();
        let mut known: Vec<(RecordedPolicy, Vec<f64>)> = Vec::new();
        for user in 0..by_user.users() {
            let number = u32::try_from(user).unwrap_or(u32::MAX);
            let mut entries: Vec<Entry> = Vec::new();
            for event in by_user.of(user) {
                let TraceEventKind::Evict {
                    tier,
                    decision: Some(id),
                } = event.kind
                else {
                    continue;
                };
                if let Some(entry) = entries.iter_mut().rev().take(8).find(|entry| {
                    entry.id == Some(id) && notes.life(entry.at_ms) == notes.life(event.at_ms)
                }) {
                    entry.took.push(event.session);
                    continue;
                }
                let Some(note) = notes.decision(id, event.at_ms) else {
                    continue;
                };
                let asked = &note.asked;
                if asked.scope == Scope::Node {
                    continue;
                }
                let is_it = |(policy, params): &(RecordedPolicy, Vec<f64>)| {
                    policy.digest == asked.policy.digest && *params == asked.params
                };
                let ranker = match known.iter().position(is_it) {
                    Some(at) => at,
                    None => {
                        ranking.rankers.push(at_hand(&asked.policy, &asked.params)?);
                        known.push((asked.policy.clone(), asked.params.clone()));
                        known.len() - 1
                    }
                };
                entries.push(Entry {
                    at_ms: event.at_ms,
                    user: number,
                    tier: tier.unwrap_or(asked.tier),
                    id: Some(id),
                    ranker,
                    drawn: asked.drawn,
                    seed: Some(asked.seed),
                    took: vec![event.session],
                });
            }
            let (passes, own) = entries
                .into_iter()
                .partition(|entry| entry.tier == Tier::Proactive);
            ranking.passes.extend::<Vec<Entry>>(passes);
            ranking.by_user.insert(number, own);
        }
        ranking.passes.sort_by_key(|entry| entry.at_ms);
        ranking.default = default;
        ranking.count_missing(&known);
        let rankers = ranking.rankers.iter().flatten().chain(&ranking.default);
        let mut signals: Vec<Signal> = rankers.flat_map(|one| one.signals().to_vec()).collect();
        signals.sort_unstable();
        signals.dedup();
        ranking.signals = signals;
        Ok(ranking)
    }

    fn count_missing(&mut self, known: &[(RecordedPolicy, Vec<f64>)]) {
        let entries = self.by_user.values().flatten().chain(&self.passes);
        for entry in entries {
            let why = match self.rankers.get(entry.ranker) {
                _ if entry.drawn => "the host drew a lot".to_owned(),
                Some(None) => known
                    .get(entry.ranker)
                    .map_or_else(String::new, |(policy, _)| {
                        let digest: String = policy.digest.chars().take(12).collect();
                        format!(
                            "{} {} ({digest}…) is not at hand",
                            policy.name, policy.version
                        )
                    }),
                _ => continue,
            };
            *self.missing.entry(why).or_default() += entry.took.len() as u64;
        }
    }

    /// How many victims are taken over as they were recorded, by why.
    #[must_use]
    pub const fn as_recorded(&self) -> &BTreeMap<String, u64> {
        &self.missing
    }

    /// The signals that those who ranked read.
    #[must_use]
    pub fn signals(&self) -> &[Signal] {
        &self.signals
    }

    /// Who ranks at a spot: at a moment of the record whom it names, else whom it names next or last.
    pub(super) fn ranks(&self, spot: Spot) -> Option<Ranks<'_>> {
        let entries: &[Entry] = match spot.tier {
            Tier::Proactive => &self.passes,
            _ => self.by_user.get(&spot.user).map_or(&[], Vec::as_slice),
        };
        let from = entries.partition_point(|entry| entry.at_ms < spot.at_ms);
        let mut here = entries
            .iter()
            .skip(from)
            .take_while(|entry| entry.at_ms == spot.at_ms);
        let here = here.find(|entry| entry.user == spot.user && entry.tier == spot.tier);
        if let Some(entry) = here {
            let seed = entry.seed;
            return Some(
                match self.rankers.get(entry.ranker).and_then(Option::as_ref) {
                    Some(candidate) if !entry.drawn => Ranks::Candidate { candidate, seed },
                    _ => Ranks::AsRecorded {
                        took: &entry.took,
                        seed,
                    },
                },
            );
        }
        let near = entries.get(from).or_else(|| entries.last());
        let near = near.and_then(|entry| self.rankers.get(entry.ranker)?.as_ref());
        let candidate = near.or(self.default.as_ref())?;
        Some(Ranks::Candidate {
            candidate,
            seed: None,
        })
    }
}
