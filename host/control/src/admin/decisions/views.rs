//! What the API says of decisions, as JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::why::subject;
use wastegate::cleanup::{Decided, chooser};
use wastegate_core::decision::{
    Class, Ranked, RejectReason, RejectedChoice, Row, Standing, VictimOutcome,
};
use wastegate_core::types::{Clock, Health, Protection, RevisionId, Scope, Tier};

/// A page of decisions.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct DecisionPage {
    /// Newest first, by when they were complete: the ends of their victims are waited for.
    pub decisions: Vec<DecisionLine>,
    /// What to give as `before` for the next page; null at the end.
    pub next_before: Option<u64>,
}

/// One decision in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct DecisionLine {
    /// Its number, unique in the life of the process.
    pub id: u64,
    /// When its snapshot was taken, ms since the Unix epoch.
    pub unix_ms: u64,
    /// Whose managers it is about.
    pub scope: Scope,
    /// The user; null at the scope of the node.
    pub user: Option<String>,
    /// How hard the host was looking.
    pub tier: Tier,
    /// The policy with its version, or the built-in ranking.
    pub policy: String,
    /// As which revision; null for the built-in ranking, and for an arm that is none.
    pub revision: Option<RevisionId>,
    /// How many managers the tier might have taken.
    pub rows: usize,
    /// How many the host was short of.
    pub needed: u32,
    /// How many the scope held.
    pub held: u32,
    /// The limit in force.
    pub limit: u32,
    /// How many were evicted.
    pub victims: usize,
    /// How many choices the guard rejected.
    pub rejected: usize,
    /// Why the policy gave no usable ranking, in a sentence; null if it did.
    pub fault: Option<String>,
    /// How long the policy's call took, microseconds.
    pub call_us: u64,
}

/// One decision, whole.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct DecisionAnswer {
    /// As in a list.
    #[serde(flatten)]
    pub line: DecisionLine,
    /// The parameters that the policy was given, in its order.
    pub params: Vec<ParamDto>,
    /// The signals that the policy was given, in its order.
    pub signals: Vec<&'static str>,
    /// The managers that the tier might have taken, as the policy saw them.
    pub candidates: Vec<CandidateDto>,
    /// The policy's proposal, best victim first.
    pub ranking: Vec<ChoiceDto>,
    /// The choices of it that the guard rejected.
    pub rejections: Vec<RejectionDto>,
    /// What was evicted, with what came of it.
    pub evicted: Vec<EvictedDto>,
    /// What the call used; null for the built-in ranking.
    pub fuel: Option<u64>,
    /// The experiment's phase and arm; null where the user was in none.
    pub experiment: Option<String>,
}

/// A parameter as a policy was given it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct ParamDto {
    /// What it is called.
    pub name: String,
    /// Its value in this call.
    pub value: f64,
}

/// One manager as a decision saw it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct CandidateDto {
    /// Its row, from 0.
    pub row: usize,
    /// Whose it was.
    pub user: String,
    /// Its key.
    pub key: String,
    /// Whether it had connections.
    pub standing: Standing,
    /// What was believed of its peer.
    pub health: Health,
    /// What kind of candidate it was; null for a newborn.
    pub class: Option<Class>,
    /// How strongly it was held.
    pub protection: Protection,
    /// The values of the signals, in their order; unknown ones are null.
    pub values: Vec<Option<f64>>,
}

/// One choice of a ranking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(super) struct ChoiceDto {
    /// The row that it names.
    pub row: u32,
    /// The score that it was given; null where it is no number.
    pub score: Option<f64>,
    /// Why, in the policy's words; empty where it gave none.
    pub reason: String,
}

/// One choice that the guard rejected.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct RejectionDto {
    /// The row that it names.
    pub row: u32,
    /// The first rule that it breaks.
    pub why: RejectReason,
}

/// One manager that went.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct EvictedDto {
    /// Its row.
    pub row: u32,
    /// Whose it was.
    pub user: String,
    /// Its key.
    pub key: String,
    /// Its place in the plan, from 1.
    pub place: usize,
    /// What kind of candidate it was.
    pub class: Class,
    /// Who chose it: the policy, or the built-in ranking.
    pub by: String,
    /// Why, in the ranker's words; may be empty.
    pub reason: String,
    /// What became of it: `spared`, `released`, `echoed`, `gone`, `aborted` or `undecided`.
    pub outcome: &'static str,
    /// How long its client took to answer our Close, ms; null where it did not.
    pub after_ms: Option<u64>,
}

impl DecisionLine {
    pub(super) fn of(decided: &Decided, clock: &Clock) -> Self {
        let Decided {
            question,
            answer,
            plan,
            outcomes,
        } = decided;
        let evicted = outcomes.iter().filter(|outcome| outcome.is_eviction());
        Self {
            id: question.decision.raw(),
            unix_ms: clock.unix_ms(question.now),
            scope: question.scope,
            user: subject(decided).map(ToString::to_string),
            tier: question.tier,
            policy: answer.policy.to_string(),
            revision: answer.revision,
            rows: question.rows.len(),
            needed: question.needed,
            held: question.held,
            limit: question.limit,
            victims: evicted.count(),
            rejected: plan.refusals().len(),
            fault: answer.outcome.as_ref().err().map(ToString::to_string),
            call_us: u64::try_from(answer.duration.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

impl DecisionAnswer {
    pub(super) fn of(decided: &Decided, clock: &Clock) -> Self {
        let Decided {
            question,
            answer,
            plan,
            outcomes,
        } = decided;
        let candidate = |(place, row): (usize, &Row)| CandidateDto {
            row: place,
            user: row.user.to_string(),
            key: row.key.to_string(),
            standing: row.standing,
            health: row.health,
            class: row.class(),
            protection: row.protection,
            values: answer
                .signals
                .iter()
                .map(|&signal| known(row.signals[signal]))
                .collect(),
        };
        let params = answer.param_names.iter().zip(answer.params.iter());
        let params = params.map(|(name, &value)| ParamDto {
            name: name.clone(),
            value,
        });
        let ends = plan.victims().iter().zip(outcomes);
        let evicted = ends
            .enumerate()
            .map(|(before, (victim, outcome))| EvictedDto {
                row: victim.row,
                user: victim.user.to_string(),
                key: victim.key.to_string(),
                place: before + 1,
                class: victim.class,
                by: chooser(answer, victim).to_string(),
                reason: victim.reason.clone(),
                outcome: outcome.name(),
                after_ms: match outcome {
                    VictimOutcome::Echoed { after_ms } => Some(*after_ms),
                    _ => None,
                },
            });
        Self {
            line: DecisionLine::of(decided, clock),
            params: params.collect(),
            signals: answer.signals.iter().map(|signal| signal.name()).collect(),
            candidates: question.rows.iter().enumerate().map(candidate).collect(),
            ranking: ChoiceDto::all(answer),
            rejections: RejectionDto::all(plan.refusals()),
            evicted: evicted.collect(),
            fuel: answer.fuel,
            experiment: answer.experiment.as_deref().map(str::to_owned),
        }
    }
}

impl ChoiceDto {
    /// The choices of an answer; none where it is a fault.
    pub(super) fn all(answer: &Ranked) -> Vec<Self> {
        let choices = answer.outcome.as_ref().map(|it| it.choices.as_slice());
        let reason = |number: u16| answer.reasons.get(usize::from(number)).cloned();
        choices
            .unwrap_or_default()
            .iter()
            .map(|choice| Self {
                row: choice.row,
                score: known(choice.score),
                reason: reason(choice.reason).unwrap_or_default(),
            })
            .collect()
    }
}

impl RejectionDto {
    pub(super) fn all(rejected: &[RejectedChoice]) -> Vec<Self> {
        let dto = |choice: &RejectedChoice| Self {
            row: choice.row,
            why: choice.why,
        };
        rejected.iter().map(dto).collect()
    }
}

fn known(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
