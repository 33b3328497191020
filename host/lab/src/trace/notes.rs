//! What a gateway writes beside the events of a recording, and no event can say: when its process began,
//! when its background pass ran, who ranked at a decision, and users' own limits.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::LineProblem;
use super::event::Trace;
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    #[serde(default, skip_serializing_if = "is_false")]
    pub last: bool,
    /// Whose order was followed.
    pub policy: RecordedPolicy,
    /// Its parameters, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<f64>,
    /// Which arm of an experiment it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<String>,
    /// The host drew its first choice at random.
    #[serde(default, skip_serializing_if = "is_false")]
    pub drawn: bool,
    /// From which its randomness was derived.
    #[serde(default)]
    pub seed: u64,
}

/// How full a scope was at a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occupied {
    /// The limit that it was held to, temporary slots included.
    pub limit: u32,
    /// How many managers it held, those on their way in included.
    pub held: u32,
}

/// One line beside the events.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Aside {
    Decision {
        t_ms: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        #[serde(flatten)]
        asked: Asked,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        spared: Vec<String>,
    },
    Sweep {
        t_ms: u64,
    },
    Limit {
        t_ms: u64,
        user: String,
        managers: Option<u32>,
    },
}

/// The names of the lines.
const NAMES: [&str; 3] = ["decision", "sweep", "limit"];

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(is: &bool) -> bool {
    !*is
}

impl Aside {
    /// What a line without `kind` says beside the events; none where it is none of these.
    pub(super) fn of(line: &Map<String, Value>) -> Option<Result<Self, LineProblem>> {
        let (name, value) = NAMES
            .into_iter()
            .find_map(|name| Some((name, line.get(name).filter(|value| value.is_object())?)))?;
        let alone = Map::from_iter([(name.to_owned(), value.clone())]);
        let read = Self::deserialize(Value::Object(alone));
        Some(read.map_err(|error| LineProblem::Json(format!("`{name}`: {error}"))))
    }

    /// When it happened, ms as in the trace.
    pub(super) const fn at_ms(&self) -> u64 {
        match self {
            Self::Decision { t_ms, .. } | Self::Sweep { t_ms } | Self::Limit { t_ms, .. } => *t_ms,
        }
    }

    /// Whose managers it is about, if one user's.
    pub(super) fn user(&self) -> Option<&str> {
        match self {
            Self::Decision { user, .. } => user.as_deref(),
            Self::Limit { user, .. } => Some(user),
            Self::Sweep { .. } => None,
        }
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

    /// The lines that say it, but for the starts; in order of time.
    pub(super) fn asides(&self, trace: &Trace) -> Vec<Aside> {
        let user = |place: u32| {
            let name = trace.users.get(place as usize);
            name.map_or_else(String::new, |name| name.to_string())
        };
        let key = |place: &u32| {
            let session = trace.sessions.get(*place as usize)?;
            Some(session.key.to_string())
        };
        let sweeps = self.sweeps.iter().map(|&t_ms| Aside::Sweep { t_ms });
        let limits = self.limits.iter().map(|change| Aside::Limit {
            t_ms: change.at_ms,
            user: user(change.user),
            managers: change.managers,
        });
        let decisions = self.decisions.iter().map(|one| Aside::Decision {
            t_ms: one.at_ms,
            user: one.user.map(user),
            asked: one.asked.clone(),
            spared: one.spared.iter().filter_map(key).collect(),
        });
        let mut all: Vec<Aside> = sweeps.chain(limits).chain(decisions).collect();
        all.sort_by_key(Aside::at_ms);
        all
    }

    /// In order of time, whatever the order of the lines.
    pub(super) fn sort(&mut self) {
        self.starts.sort_unstable();
        self.sweeps.sort_unstable();
        self.limits.sort_by_key(|change| change.at_ms);
        self.decisions.sort_by_key(|decision| decision.at_ms);
    }
}
