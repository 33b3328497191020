//! A decision written down: enough to explain it to a person and to repeat it to the bit.
//!
//! User ids and keys appear as keyed hashes only; payload never appears.

use std::sync::Arc;

use serde::Serialize;

use super::guard::{Plan, RejectedChoice, Victim};
use super::question::Question;
use super::ranker::{Explored, Fault, PolicyRef, Ranked};
use super::snapshot::{Class, Elsewhere, Row, Standing};
use crate::types::{Health, Limits, ManagerId, Protection, RevisionId, Scope, Tier, UserId};

/// The version of the record's own shape; a reader refuses one it does not know.
pub const RECORD_VERSION: u32 = 1;

/// What became of a victim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum VictimOutcome {
    /// It was left alone: another life of the key, or it had become active since the snapshot.
    Spared,
    /// Another node holds it. It has left the count, and its node was told to evict it.
    Elsewhere,
    /// It had no connection to close.
    Released,
    /// It answered our Close: it was alive.
    Echoed {
        /// How long the answer took, ms.
        after_ms: u64,
    },
    /// Its transport was gone when we wrote, or ended without an answer.
    Gone,
    /// It did not answer by the deadline and was cut off.
    Aborted,
    /// It did not answer either, and that shows nothing: its path is slow, other bytes came from it, or it
    /// had too little time. It is counted neither as alive nor as dead.
    Undecided,
}

impl VictimOutcome {
    /// Every outcome of a victim that was evicted; one that answered stands for any time that it took.
    pub const EVICTED: [Self; 5] = [
        Self::Released,
        Self::Echoed { after_ms: 0 },
        Self::Gone,
        Self::Aborted,
        Self::Undecided,
    ];

    /// Whether this node evicted it.
    #[must_use]
    pub const fn is_eviction(self) -> bool {
        !matches!(self, Self::Spared | Self::Elsewhere)
    }

    /// Its name in labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spared => "spared",
            Self::Elsewhere => "elsewhere",
            Self::Released => "released",
            Self::Echoed { .. } => "echoed",
            Self::Gone => "gone",
            Self::Aborted => "aborted",
            Self::Undecided => "undecided",
        }
    }
}

/// One decision, ready to be written as a line.
#[derive(Debug, Clone, Serialize)]
pub struct DecisionRecord {
    /// The format of the record: [`RECORD_VERSION`] when it was written.
    pub v: u32,
    /// The decision's id, unique in the life of the process.
    pub id: u64,
    /// When it was made: milliseconds since the Unix epoch.
    pub unix_ms: u64,
    /// When it was made: microseconds on the host's monotonic clock.
    pub now_us: u64,
    /// Which node made it.
    pub node: Arc<str>,
    /// Whose managers it is about, as a keyed hash; none at node scope.
    pub user: Option<String>,
    /// How hard the host was looking.
    pub tier: Tier,
    /// Whether it was the last tier that the host could go to, where the built-in ranking completes
    /// what a policy leaves open.
    pub last: bool,
    /// Whose managers the rows are.
    pub scope: Scope,
    /// How many were needed.
    pub needed: u32,
    /// How many would have been taken.
    pub most: u32,
    /// The limit in force.
    pub limit: u32,
    /// How many were held.
    pub held: u32,
    /// The policy, or the built-in ranking, that gave the ranking.
    pub policy: PolicyRef,
    /// As which revision; none for the built-in ranking.
    pub revision: Option<RevisionId>,
    /// The version of the engine that the fuel was counted by.
    pub engine: &'static str,
    /// The parameters it was given.
    pub params: Arc<[f64]>,
    /// The limits that its operator set instead of the node's; absent if none.
    #[serde(skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// The seed it was given.
    pub seed: u64,
    /// The names of the columns it was given, in its order; of all where the host drew at random, so that
    /// the decision can be weighed for other policies.
    pub signals: Vec<&'static str>,
    /// The facts of every row that the guard went by, with the columns' values behind them.
    pub rows: Vec<RowRecord>,
    /// The proposal: row, score and reason number, best first.
    pub ranking: Vec<(u32, Option<f64>, u16)>,
    /// The choices of it that were rejected.
    pub refusals: Vec<RejectedChoice>,
    /// Who was to go, with what became of each.
    pub victims: Vec<VictimRecord>,
    /// What the call used.
    pub fuel: Option<u64>,
    /// How long the call took, microseconds.
    pub call_us: u64,
    /// Why the built-in ranking had to complete it, if it had to.
    pub fault: Option<Fault>,
    /// The experiment's phase and arm, if the user was in one.
    pub experiment: Option<Arc<str>>,
    /// How its first choice was drawn, if the host drew at random.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explored: Option<Explored>,
}

/// One row as it was decided on.
#[derive(Debug, Clone, Serialize)]
pub struct RowRecord {
    /// Which life of the manager.
    pub manager: ManagerId,
    /// Its user and key, as a keyed hash; of one on another node its node, `/`, and its hash in the cluster.
    pub key: String,
    /// Whether somebody was attached.
    pub standing: Standing,
    /// What was believed of its peer.
    pub health: Health,
    /// What kind of candidate it was.
    pub class: Option<Class>,
    /// How strongly it was held.
    pub protection: Protection,
    /// The values of the columns, in the order of `signals`; unknown ones are null.
    pub values: Vec<Option<f64>>,
    /// Where it was and how old what is known of it, if another node held it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Elsewhere>,
}

/// One victim and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct VictimRecord {
    /// Who and why.
    #[serde(flatten)]
    pub victim: Victim,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: VictimOutcome,
}

/// Turns ids into keyed hashes; the key belongs to the deployment and is in no record.
pub trait Pseudonyms {
    /// A user's pseudonym.
    fn user(&self, user: &UserId) -> String;
    /// A manager's pseudonym: of user and key together, the same for every life of it.
    fn manager(&self, row: &Row) -> String;
}

/// When and where a decision was made.
#[derive(Debug, Clone)]
pub struct Circumstances {
    /// Milliseconds since the Unix epoch.
    pub unix_ms: u64,
    /// The name of the node that decided (`server.node_id`).
    pub node: Arc<str>,
    /// The engine's version.
    pub engine: &'static str,
}

impl DecisionRecord {
    /// Writes a decision down. `outcomes` are in the order of the plan's victims.
    #[must_use]
    pub fn new(
        question: &Question,
        answer: &Ranked,
        plan: &Plan,
        outcomes: &[VictimOutcome],
        circumstances: Circumstances,
        pseudonyms: &dyn Pseudonyms,
    ) -> Self {
        let known = |value: f64| (!value.is_nan()).then_some(value);
        let first = question
            .rows
            .first()
            .filter(|_| question.scope == Scope::User);
        let rows = question.rows.iter().map(|row| RowRecord {
            manager: row.manager,
            key: match &row.elsewhere {
                Some(_) => row.key.to_string(),
                None => pseudonyms.manager(row),
            },
            standing: row.standing,
            health: row.health,
            class: row.class(),
            protection: row.protection,
            values: answer
                .signals
                .iter()
                .map(|&signal| known(row.signals[signal]))
                .collect(),
            elsewhere: row.elsewhere.clone(),
        });
        let choices = answer
            .outcome
            .as_ref()
            .map(|ranking| ranking.choices.as_slice());
        let victims = plan.victims().iter().zip(outcomes);
        Self {
            v: RECORD_VERSION,
            id: question.decision.raw(),
            unix_ms: circumstances.unix_ms,
            now_us: question.now.micros(),
            node: circumstances.node,
            user: first.map(|row| pseudonyms.user(&row.user)),
            tier: question.tier,
            last: plan.is_last(),
            scope: question.scope,
            needed: question.needed,
            most: question.most,
            limit: question.limit,
            held: question.held,
            policy: answer.policy.clone(),
            revision: answer.revision,
            engine: circumstances.engine,
            params: answer.params.clone(),
            limits: answer.limits,
            seed: question.seed,
            signals: answer.signals.iter().map(|signal| signal.name()).collect(),
            rows: rows.collect(),
            ranking: choices
                .unwrap_or_default()
                .iter()
                .map(|choice| (choice.row, known(choice.score), choice.reason))
                .collect(),
            refusals: plan.refusals().to_vec(),
            victims: victims
                .map(|(victim, &outcome)| VictimRecord {
                    victim: victim.clone(),
                    outcome,
                })
                .collect(),
            fuel: answer.fuel,
            call_us: u64::try_from(answer.duration.as_micros()).unwrap_or(u64::MAX),
            fault: answer.outcome.as_ref().err().cloned(),
            experiment: answer.experiment.clone(),
            explored: answer.explored.clone(),
        }
    }
}
