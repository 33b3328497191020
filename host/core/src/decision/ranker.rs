//! The seam through which rankings come in: whoever answers a [`Question`] is a [`Ranker`].
//!
//! A ranking is a proposal. It carries no permission: only [`super::guard::plan`] makes a plan.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::question::Question;
use crate::types::{Limits, RevisionId, Signal};

/// One proposed victim: a row of the question, best first in its list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// The row, from 0. Not yet known to exist.
    pub row: u32,
    /// How good a victim it is, higher is better. Not yet known to be a number.
    pub score: f64,
    /// Which of the policy's reasons applies. Not yet known to exist.
    pub reason: u16,
}

/// A ranker's untrusted answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ranking {
    /// Best victim first.
    pub choices: Vec<Choice>,
}

/// Which code answered: one name, one version, one digest of the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PolicyRef {
    /// From the manifest.
    pub name: Arc<str>,
    /// From the manifest.
    pub version: Arc<str>,
    /// SHA-256 of the bytes as loaded, in hex; `builtin` for the host's own ranking.
    pub digest: Arc<str>,
}

impl std::fmt::Display for PolicyRef {
    /// Its name and its version.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

impl PolicyRef {
    /// The host's own ranking.
    #[must_use]
    pub fn builtin() -> Self {
        Self {
            name: "builtin".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            digest: "builtin".into(),
        }
    }
}

/// Why a policy gave no usable ranking. The same decision is completed by the built-in ranking.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "detail")]
pub enum Fault {
    /// The guest trapped; the text is the trap's message.
    #[error("trapped: {0}")]
    Trap(String),
    /// It used up its fuel.
    #[error("used all of its {0} units of fuel")]
    OutOfFuel(u64),
    /// The wall clock ran out.
    #[error("did not answer within {0:?}")]
    Deadline(Duration),
    /// It asked for more memory than it may have.
    #[error("asked for more than its {0} bytes of memory")]
    Memory(u64),
    /// Its answer was larger than an answer may be.
    #[error("answered with more than {0} bytes")]
    OutputTooLarge(u64),
    /// It returned an error of its own.
    #[error("refused to rank: {0}")]
    Refused(String),
    /// It does not rank in this scope.
    #[error("does not support this scope")]
    ScopeUnsupported,
    /// Every worker was busy and the queue full.
    #[error("not asked: all policy workers are busy")]
    Saturated,
    /// It is quarantined after too many faults.
    #[error("not asked: quarantined after repeated faults")]
    Quarantined,
}

impl Fault {
    /// Every fault, with nothing in particular to say.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::successors(Some(Self::Trap(String::new())), Self::next)
    }

    /// The fault after this one in [`all`](Self::all). A match, so that a new fault has to be put in.
    const fn next(&self) -> Option<Self> {
        Some(match self {
            Self::Trap(_) => Self::OutOfFuel(0),
            Self::OutOfFuel(_) => Self::Deadline(Duration::ZERO),
            Self::Deadline(_) => Self::Memory(0),
            Self::Memory(_) => Self::OutputTooLarge(0),
            Self::OutputTooLarge(_) => Self::Refused(String::new()),
            Self::Refused(_) => Self::ScopeUnsupported,
            Self::ScopeUnsupported => Self::Saturated,
            Self::Saturated => Self::Quarantined,
            Self::Quarantined => return None,
        })
    }

    /// Its name in labels.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Trap(_) => "trap",
            Self::OutOfFuel(_) => "out-of-fuel",
            Self::Deadline(_) => "deadline",
            Self::Memory(_) => "memory",
            Self::OutputTooLarge(_) => "output-too-large",
            Self::Refused(_) => "refused",
            Self::ScopeUnsupported => "scope-unsupported",
            Self::Saturated => "saturated",
            Self::Quarantined => "quarantined",
        }
    }

    /// Whether the policy's own code is to blame, so that it counts towards quarantine.
    #[must_use]
    pub const fn is_policys(&self) -> bool {
        match self {
            Self::Trap(_)
            | Self::OutOfFuel(_)
            | Self::Deadline(_)
            | Self::Memory(_)
            | Self::OutputTooLarge(_)
            | Self::Refused(_) => true,
            Self::ScopeUnsupported | Self::Saturated | Self::Quarantined => false,
        }
    }
}

/// An answer with all that its record needs.
#[derive(Debug, Clone)]
pub struct Ranked {
    /// The policy, or the built-in ranking, that gave the answer.
    pub policy: PolicyRef,
    /// As which revision; none for the host's own ranking, and for a policy that is none, such as
    /// an arm of an experiment.
    pub revision: Option<RevisionId>,
    /// The proposal, or why there is none.
    pub outcome: Result<Ranking, Fault>,
    /// The phrases that choices refer to.
    pub reasons: Arc<[String]>,
    /// The columns to record: those that it was given, in its order, and all where the host drew at random.
    pub signals: Arc<[Signal]>,
    /// The parameters it was given, in its order.
    pub params: Arc<[f64]>,
    /// What they are called, in the same order.
    pub param_names: Arc<[String]>,
    /// What its operator set instead of the node's limits.
    pub limits: Limits,
    /// What the call used, in the engine's units; none for native code.
    pub fuel: Option<u64>,
    /// How long the call took by the wall clock.
    pub duration: Duration,
    /// Which experiment's phase and arm it was answered for, if for one.
    pub experiment: Option<Arc<str>>,
    /// With what chance the host put its first choice first, if it drew at random.
    pub explored: Option<Explored>,
}

impl Ranked {
    /// An answer of native code: without phrases, columns, parameters and fuel. What else is known of it is set
    /// behind: `Ranked { reasons, ..Ranked::of(policy, outcome) }`.
    #[must_use]
    pub fn of(policy: PolicyRef, outcome: Result<Ranking, Fault>) -> Self {
        Self {
            policy,
            revision: None,
            outcome,
            reasons: [].into(),
            signals: [].into(),
            params: [].into(),
            param_names: [].into(),
            limits: Limits::NODES,
            fuel: None,
            duration: Duration::ZERO,
            experiment: None,
            explored: None,
        }
    }
}

/// How the host drew the first choice of a ranking, so that the draw can be weighed later.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explored {
    /// The chance of the choice that came first, above 0 and at most 1.
    pub propensity: f64,
    /// The place that it had in the policy's own order, from 0.
    pub rank: u32,
    /// The number of candidates that the draw was made among.
    pub candidates: u32,
}

/// An answer, now or soon.
#[expect(
    clippy::large_enum_variant,
    reason = "it is moved once, and a box would be an allocation in every small call"
)]
pub enum Answer {
    /// It was cheap enough to make at once.
    Ready(Ranked),
    /// It is being made elsewhere, and will arrive within the ranker's own deadline.
    Pending(Pin<Box<dyn Future<Output = Ranked> + Send>>),
}

impl Answer {
    /// Waits for it if need be.
    pub async fn wait(self) -> Ranked {
        match self {
            Self::Ready(ranked) => ranked,
            Self::Pending(ranked) => ranked.await,
        }
    }
}

/// Answers questions. It may be wrong, slow or hostile; nobody who calls it has to care.
pub trait Ranker: Send + Sync + 'static {
    /// Ranks the rows of a question, best victim first.
    fn rank(&self, question: &Arc<Question>) -> Answer;
}
