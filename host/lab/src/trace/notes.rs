//! What a gateway writes beside the events of a recording, and no event can say: when its process began,
//! when its background pass ran, who ranked at a decision, and users' own limits.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::LineProblem;
use super::settings::RecordedPolicy;
use wastegate_core::types::{Scope, Tier};

/// Everything beside the events. Empty in a trace that no gateway recorded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecorderNotes {
    /// When a process of the recorder began, ms, in order: nothing that was held before is held after it.
    pub starts: Vec<u64>,
    /// When the background pass began, ms, in order: one run in each interval. Runs in between are known
    /// by their evictions.
    pub sweeps: Vec<u64>,
    /// Changes of users' own limits, in order of time.
    pub limits: Vec<LimitChange>,
    /// Decisions that took managers, in order of time.
    pub decisions: Vec<RecordedDecision>,
    /// The recorder writes all of this, and `health`. Earlier versions wrote their starts alone.
    pub is_complete: bool,
}

/// A user may hold another number of managers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitChange {
    /// When, ms as in the trace.
    pub at_ms: u64,
    /// Whose limit, by place in the trace.
    pub user: u32,
    /// How many; none for as many as everybody.
    pub managers: Option<u32>,
}

/// A decision that took managers.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedDecision {
    /// When its snapshot was taken, ms as in the trace.
    pub at_ms: u64,
    /// Whose managers, by place in the trace; none where they were many users'.
    pub user: Option<u32>,
    /// What was asked of whom.
    pub asked: Asked,
    /// Victims of its plan that were not evicted, by place in the trace.
    pub spared: Vec<u32>,
}

/// What was asked of whom.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Asked {
    /// The number behind its evictions; unique from one start of the recorder to the next.
    pub id: u64,
    /// How hard the host was looking.
    pub tier: Tier,
    /// Whose managers were ranked.
    pub scope: Scope,
    /// How many had to go.
    pub needed: u32,
    /// The limit that the scope was held to, and how many managers it held, those on their way in included.
    /// Recordings of earlier builds do not say.
    #[serde(flatten)]
    pub occupied: Option<Occupied>,
    /// The built-in ranking completed the plan.
    #[serde(default)]
    pub last: bool,
    /// Whose order was followed.
    pub policy: RecordedPolicy,
    /// Its parameters, in its order.
    #[serde(default)]
    pub params: Vec<f64>,
    /// Which arm of an experiment it was.
    #[serde(default)]
    pub arm: Option<String>,
    /// The host drew its first choice at random.
    #[serde(default)]
    pub drawn: bool,
    /// From which its randomness was derived.
    #[serde(default)]
    pub seed: u64,
}

/// How full a scope was at a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Occupied {
    /// The limit that it was held to, temporary slots included.
    pub limit: u32,
    /// How many managers it held, those on their way in included.
    pub held: u32,
}

/// One line beside the events.
#[derive(Debug)]
pub(super) enum Aside {
    Decision {
        at_ms: u64,
        user: Option<String>,
        asked: Asked,
        spared: Vec<String>,
    },
    Sweep(u64),
    Limit {
        at_ms: u64,
        user: String,
        managers: Option<u32>,
    },
}

#[derive(Deserialize)]
struct DecisionLine {
    t_ms: u64,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    spared: Vec<String>,
    #[serde(flatten)]
    asked: Asked,
}

#[derive(Deserialize)]
struct SweepLine {
    t_ms: u64,
}

#[derive(Deserialize)]
struct LimitLine {
    t_ms: u64,
    user: String,
    managers: Option<u32>,
}

impl Aside {
    /// What a line without `kind` says beside the events; none where it is none of these.
    pub(super) fn of(line: &Map<String, Value>) -> Option<Result<Self, LineProblem>> {
        let (name, value) = ["decision", "sweep", "limit"]
            .into_iter()
            .find_map(|name| Some((name, line.get(name).filter(|value| value.is_object())?)))?;
        let read = match name {
            "decision" => DecisionLine::deserialize(value).map(|line| Self::Decision {
                at_ms: line.t_ms,
                user: line.user,
                asked: line.asked,
                spared: line.spared,
            }),
            "sweep" => SweepLine::deserialize(value).map(|line| Self::Sweep(line.t_ms)),
            _ => LimitLine::deserialize(value).map(|line| Self::Limit {
                at_ms: line.t_ms,
                user: line.user,
                managers: line.managers,
            }),
        };
        Some(read.map_err(|error| LineProblem::Json(format!("`{name}`: {error}"))))
    }
}

impl RecorderNotes {
    /// In which life of the recorder's process a moment lies, counted from 0.
    #[must_use]
    pub fn life(&self, at_ms: u64) -> usize {
        self.starts.partition_point(|start| *start <= at_ms)
    }

    /// The decision of a number at about a moment.
    #[must_use]
    pub fn decision(&self, id: u64, at_ms: u64) -> Option<&RecordedDecision> {
        let life = self.life(at_ms);
        // A snapshot is taken a little before its victims go, and a ranking has a deadline.
        let until = self.decisions.partition_point(|one| one.at_ms <= at_ms);
        let earlier = self.decisions.get(..until)?.iter().rev();
        earlier
            .take_while(|one| self.life(one.at_ms) == life)
            .find(|one| one.asked.id == id)
    }

    /// In order of time, whatever the order of the lines.
    pub(super) fn sort(&mut self) {
        self.starts.sort_unstable();
        self.sweeps.sort_unstable();
        self.limits.sort_by_key(|change| change.at_ms);
        self.decisions.sort_by_key(|decision| decision.at_ms);
    }
}
