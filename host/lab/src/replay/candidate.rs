//! Who ranks in a replay: policies in the sandbox that serves, natives to measure them by, and the
//! one that knows the future.

use std::sync::Arc;

use super::recorded::{Ranks, RecordedRanking, Spot};
use wastegate_core::decision::builtin::BuiltIn;
use wastegate_core::decision::{Answer, Choice, PolicyRef, Question, Ranked, Ranker, Ranking};
use wastegate_core::types::{Signal, SplitMix64};
use wastegate_engine::policy::load::digest;
use wastegate_engine::policy::{CallOptions, Program, shipped};

/// A strategy that a trace is replayed with.
#[derive(Clone)]
pub struct ReplayCandidate {
    /// What it is called in the results.
    pub name: String,
    who: Who,
}

#[derive(Clone)]
enum Who {
    Policy(Arc<Program>, Arc<[f64]>),
    BuiltIn,
    Native(Native),
    Oracle,
    Recorded(Arc<RecordedRanking>),
}

impl std::fmt::Debug for ReplayCandidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ReplayCandidate").field(&self.name).finish()
    }
}

/// Strategies without a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Native {
    /// Least recently used first.
    Lru,
    /// The manager that was made first goes first.
    Fifo,
    /// A uniform random order, by the seed of the replay.
    Random,
}

impl Native {
    /// Every native strategy.
    pub const ALL: [Self; 3] = [Self::Lru, Self::Fifo, Self::Random];

    /// Its name on the command line and in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lru => "lru",
            Self::Fifo => "fifo",
            Self::Random => "random",
        }
    }

    /// The shipped policy that ranks like it. None for `random`, whose draws are others.
    fn shipped(self) -> Option<&'static [u8]> {
        match self {
            Self::Lru | Self::Fifo => shipped::find(self.name()),
            Self::Random => None,
        }
    }
}

impl ReplayCandidate {
    /// A policy with its parameters, in its order.
    #[must_use]
    pub fn policy(name: String, program: Arc<Program>, params: Arc<[f64]>) -> Self {
        let who = Who::Policy(program, params);
        Self { name, who }
    }

    /// The same with these values of its parameters, in its order; unchanged where it is no policy.
    #[must_use]
    pub fn with_params(mut self, params: &[f64]) -> Self {
        if let Who::Policy(_, own) = &mut self.who
            && own.len() == params.len()
        {
            *own = params.into();
        }
        self
    }

    /// The host's own ranking.
    #[must_use]
    pub fn builtin() -> Self {
        Self {
            name: "builtin".to_owned(),
            who: Who::BuiltIn,
        }
    }

    /// A native one.
    #[must_use]
    pub fn native(native: Native) -> Self {
        Self {
            name: format!("native:{}", native.name()),
            who: Who::Native(native),
        }
    }

    /// Belady's MIN: the manager that is wanted latest goes first. It knows the future, so it is a bound and no
    /// strategy.
    #[must_use]
    pub fn oracle() -> Self {
        Self {
            name: "oracle".to_owned(),
            who: Who::Oracle,
        }
    }

    /// Whoever ranked while the trace was recorded.
    #[must_use]
    pub fn recorded(ranking: Arc<RecordedRanking>) -> Self {
        Self {
            name: "recorded".to_owned(),
            who: Who::Recorded(ranking),
        }
    }

    /// Who ranks at a spot of the trace: this one, or whom the record names there.
    pub(super) fn ranks(&self, spot: Spot) -> Ranks<'_> {
        let named = match &self.who {
            Who::Recorded(ranking) => ranking.ranks(spot),
            _ => None,
        };
        named.unwrap_or(Ranks::Candidate {
            candidate: self,
            seed: None,
        })
    }

    /// Whether it knows the future.
    #[must_use]
    pub const fn is_oracle(&self) -> bool {
        matches!(self.who, Who::Oracle)
    }

    /// Whether it is LRU, in a sandbox or not: the strategy that sets the scale to the oracle.
    #[must_use]
    pub fn is_lru(&self) -> bool {
        self.is_same(&Self::native(Native::Lru))
    }

    /// Whether both are one strategy: the same code with the same parameters, or the shipped policy and
    /// the native that does the same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.who, &other.who) {
            (Who::Policy(a, with_a), Who::Policy(b, with_b)) => {
                a.about().digest == b.about().digest && with_a == with_b
            }
            (Who::Native(native), Who::Policy(program, _))
            | (Who::Policy(program, _), Who::Native(native)) => native
                .shipped()
                .is_some_and(|bytes| program.about().digest == digest(bytes)),
            (Who::Native(a), Who::Native(b)) => a == b,
            (Who::Recorded(a), Who::Recorded(b)) => Arc::ptr_eq(a, b),
            (Who::BuiltIn, Who::BuiltIn) | (Who::Oracle, Who::Oracle) => true,
            (
                Who::Policy(..) | Who::BuiltIn | Who::Native(_) | Who::Oracle | Who::Recorded(_),
                _,
            ) => false,
        }
    }

    /// The signals that it reads.
    #[must_use]
    pub fn signals(&self) -> &[Signal] {
        match &self.who {
            Who::Policy(program, _) => program.signals(),
            Who::Recorded(ranking) => ranking.signals(),
            Who::BuiltIn | Who::Native(_) | Who::Oracle => &[],
        }
    }

    /// Which code it is.
    #[must_use]
    pub fn about(&self) -> PolicyRef {
        match &self.who {
            Who::Policy(program, _) => program.about().clone(),
            Who::BuiltIn => PolicyRef::builtin(),
            Who::Native(_) | Who::Oracle | Who::Recorded(_) => PolicyRef {
                name: self.name.as_str().into(),
                version: env!("CARGO_PKG_VERSION").into(),
                digest: "native".into(),
            },
        }
    }

    /// Ranks. `next` says at which of its user's events the manager of a row is wanted next, and only the
    /// oracle asks it.
    pub(super) fn rank(&self, question: &Arc<Question>, next: &dyn Fn(usize) -> u64) -> Ranked {
        match &self.who {
            Who::Policy(program, params) => {
                program.answer(question, params, &CallOptions::OFF_PATH).0
            }
            // Where the record names nobody, the host's own ranking stands in.
            Who::BuiltIn | Who::Recorded(_) => match BuiltIn.rank(question) {
                Answer::Ready(ranked) => ranked,
                Answer::Pending(_) => self.ranked(Vec::new()),
            },
            Who::Native(native) => self.ranked(natively(*native, question)),
            Who::Oracle => self.ranked(by_future(question, next)),
        }
    }

    fn ranked(&self, choices: Vec<Choice>) -> Ranked {
        Ranked {
            reasons: Arc::new([self.name.clone()]),
            ..Ranked::of(self.about(), Ok(Ranking { choices }))
        }
    }
}

/// Rows by score, largest first; the lower row where scores are equal, as policies do.
fn by_score(scores: impl Iterator<Item = f64>) -> Vec<Choice> {
    let mut choices: Vec<Choice> = (0_u32..)
        .zip(scores)
        .map(|(row, score)| Choice {
            row,
            score,
            reason: 0,
        })
        .collect();
    choices.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
    choices
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a lot is as good with 53 bits of it"
)]
fn natively(native: Native, question: &Question) -> Vec<Choice> {
    let rows = question.rows.iter();
    match native {
        Native::Lru => by_score(rows.map(|row| row.signals[Signal::IdleMs])),
        Native::Fifo => by_score(rows.map(|row| row.signals[Signal::AgeMs])),
        Native::Random => by_score(
            rows.zip(1_u64..)
                .map(|(_, place)| SplitMix64::nth(question.seed, place) as f64),
        ),
    }
}

/// What is wanted latest goes first. Only managers that are never wanted again tie: the lower row goes
/// first, as with policies.
#[expect(
    clippy::cast_precision_loss,
    reason = "events of a user are far below 2^53, and never is larger than all"
)]
fn by_future(question: &Question, next: &dyn Fn(usize) -> u64) -> Vec<Choice> {
    by_score((0..question.rows.len()).map(|row| next(row) as f64))
}
