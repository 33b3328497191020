//! The shapes of the API for policies, for both ends of it: the server writes them, the program's
//! own commands read them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rollout::audit::AuditEntry;
use crate::rollout::ledger::Move;
use crate::rollout::service::{
    Awaits, Changed, InItsPlace, PolicyView, RevisionState, RevisionView, SeatView, Stage, Status,
    UnderWay,
};
use wastegate_core::types::{DecisionId, Limits, RevisionId, Scope, Tier};
use wastegate_engine::policy::log::{Level, Recent};
use wastegate_engine::policy::{Parameter, Policy};

pub use super::refusal::RefusalDto;

/// The answer to `GET /v1/policies`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ListDto {
    /// Who answers, tier by tier.
    pub seats: Vec<SeatDto>,
    /// Every policy with its revisions, by name.
    pub policies: Vec<PolicyDto>,
    /// What is on its way to being a revision, oldest first.
    pub under_way: Vec<UnderWayDto>,
    /// Policies that the host ships and that were not requested yet.
    pub shipped: Vec<String>,
    /// Whether changes survive a restart.
    pub durable: bool,
    /// The configured policy that was not to be had at the start; null if it was, or came since.
    #[serde(default)]
    pub awaited: Option<AwaitedDto>,
}

/// A configured policy that is not to be had.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AwaitedDto {
    /// Where it is to come from.
    pub source: String,
    /// Why it is not there, in a sentence.
    pub why: String,
    /// What is active meanwhile: `built-in`, or `before` for what was active before.
    pub in_its_place: String,
}

/// Who answers at a tier; null is the built-in ranking.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SeatDto {
    /// The tier of cleanup that the seat answers.
    pub tier: Tier,
    /// The active policy.
    pub active: Option<RevisionId>,
    /// The fallback, while the active one is quarantined.
    pub fallback: Option<RevisionId>,
    /// Who answers at this moment.
    pub answering: Option<RevisionId>,
}

/// The answer to `GET /v1/policies/{name}`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PolicyDto {
    /// The name, as the manifest has it.
    pub name: String,
    /// What is kept of it, newest first.
    pub revisions: Vec<RevisionDto>,
    /// What it says of itself; null while none of it is in memory.
    pub about: Option<AboutDto>,
}

/// What a policy says of itself, and what the acceptance kit found.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AboutDto {
    /// One sentence from the manifest about what the policy does.
    pub summary: String,
    /// The signals that it reads.
    pub signals: Vec<String>,
    /// Where it can rank.
    pub scopes: Vec<Scope>,
    /// The parameters that can be set.
    pub parameters: Vec<ParameterDto>,
    /// What the acceptance kit found, in a sentence.
    pub kit: String,
}

/// A parameter that can be set, with its value in the policy's current revision.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ParameterDto {
    /// The name, as the manifest has it.
    pub name: String,
    /// The value that calls of this revision get.
    pub value: f64,
    /// What it is where nothing is set.
    pub default: f64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// One sentence, with the unit.
    pub doc: String,
}

/// The answer to `GET /v1/revisions/{n}`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RevisionDto {
    /// The number, unique over all policies of this state directory.
    pub revision: RevisionId,
    /// The policy's name.
    pub policy: String,
    /// The version in its manifest.
    pub version: String,
    /// SHA-256 of its bytes, in hex.
    pub digest: String,
    /// How many bytes it has.
    pub size_bytes: u64,
    /// Where it came from.
    pub origin: String,
    /// The key that it was signed with and what the signer wrote.
    pub signed: Option<String>,
    /// The operator or the source that submitted it.
    pub by: String,
    /// When, ms since the Unix epoch.
    pub at_unix_ms: u64,
    /// The parameters that are set.
    pub params: BTreeMap<String, f64>,
    /// The limits that are set.
    pub limits: Limits,
    /// Where it is in its life.
    pub state: RevisionState,
    /// Why it is there, in a sentence.
    pub reason: String,
    /// The tiers at which it is active.
    pub active_at: Vec<Tier>,
    /// The tiers at which it is the fallback.
    pub standing_in_at: Vec<Tier>,
    /// Whether it could answer at once.
    pub warm: bool,
}

/// A submission on its way.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UnderWayDto {
    /// As what it was brought.
    pub policy: String,
    /// How far it has come.
    pub state: Stage,
    /// How many bytes it has.
    pub size_bytes: u64,
    /// Where it came from.
    pub origin: String,
    /// The operator or the source that submitted it.
    pub by: String,
    /// Since when, ms since the Unix epoch.
    pub since_unix_ms: u64,
}

/// What a change came to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ChangedDto {
    /// The revision that it was about; null for the built-in ranking.
    pub revision: Option<RevisionId>,
    /// The seats that changed hands; none if all was so already.
    pub moves: Vec<Move>,
    /// Whether it survives a restart.
    pub durable: bool,
    /// Who answers now, tier by tier.
    pub seats: Vec<SeatDto>,
    /// Experiments that the change stopped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<String>,
    /// Experiments whose arms still rank for their users.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub going_on: Vec<String>,
}

/// What became of an upload.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UploadedDto {
    /// Whether it is a new revision; false if there was one with the same bytes and settings.
    pub new: bool,
    /// The revision that the file became, or already was.
    #[serde(flatten)]
    pub revision: RevisionDto,
    /// The seats that changed hands, if it was to be activated.
    pub moves: Vec<Move>,
    /// Whether it survives a restart.
    pub durable: bool,
}

/// One captured fault, as `GET /v1/revisions/{n}/faults` lists it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FaultDto {
    /// By which it is downloaded; 1 is the newest.
    pub number: usize,
    /// The name of the fault, such as `trap` or `fuel`.
    pub fault: String,
    /// The tier of cleanup that the seat answers.
    pub tier: Tier,
    /// Whose managers the rows were.
    pub scope: Scope,
    /// How many rows the call had.
    pub rows: u32,
    /// Where its test case is.
    pub href: String,
}

/// The answer to `GET /v1/revisions/{n}/log`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LogDto {
    /// The last lines, oldest first.
    pub lines: Vec<LineDto>,
    /// How many were dropped since the revision first logged.
    pub dropped: u64,
}

/// One line that a policy logged.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LineDto {
    /// When, ms since the Unix epoch.
    pub unix_ms: u64,
    /// How grave, in its policy's opinion: `debug`, `info`, `warn`, `error`.
    pub level: String,
    /// For which decision the policy was asked.
    pub decision: Option<u64>,
    /// The line that the policy wrote.
    pub text: String,
}

/// The answer to `GET /v1/audit`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AuditDto {
    /// Lines of the audit log, oldest first.
    pub entries: Vec<AuditEntry>,
}

impl From<&Status> for ListDto {
    fn from(status: &Status) -> Self {
        Self {
            seats: status.seats.iter().map(SeatDto::from).collect(),
            policies: status.policies.iter().map(PolicyDto::from).collect(),
            under_way: status.under_way.iter().map(UnderWayDto::from).collect(),
            shipped: status.shipped.iter().map(|&name| name.to_owned()).collect(),
            durable: status.is_durable,
            awaited: status.awaits.as_ref().map(AwaitedDto::from),
        }
    }
}

impl From<&Awaits> for AwaitedDto {
    fn from(awaits: &Awaits) -> Self {
        Self {
            source: awaits.source.clone(),
            why: awaits.why.clone(),
            in_its_place: in_its_place(awaits).to_owned(),
        }
    }
}

/// What is active for want of what is configured, in a word.
pub(in crate::admin) const fn in_its_place(awaits: &Awaits) -> &'static str {
    match awaits.in_its_place {
        InItsPlace::BuiltIn => "built-in",
        InItsPlace::Before => "before",
    }
}

impl From<&SeatView> for SeatDto {
    fn from(seat: &SeatView) -> Self {
        Self {
            tier: seat.tier,
            active: seat.active,
            fallback: seat.fallback,
            answering: seat.answering,
        }
    }
}

impl From<&PolicyView> for PolicyDto {
    fn from(view: &PolicyView) -> Self {
        Self {
            name: view.name.to_string(),
            revisions: view.revisions.iter().map(RevisionDto::from).collect(),
            about: view.policy.as_deref().map(AboutDto::from),
        }
    }
}

impl ParameterDto {
    /// The parameters of a policy, with the values that it is called with.
    pub(in crate::admin) fn all(policy: &Policy) -> Vec<Self> {
        let known = policy.program().manifest().parameters.iter();
        let dto = |(known, value): (&Parameter, &f64)| Self {
            name: known.name.clone(),
            value: *value,
            default: known.default,
            min: known.min,
            max: known.max,
            doc: known.doc.clone(),
        };
        known.zip(policy.params().iter()).map(dto).collect()
    }
}

impl From<&Policy> for AboutDto {
    fn from(policy: &Policy) -> Self {
        let manifest = policy.program().manifest();
        Self {
            summary: manifest.summary.clone(),
            signals: manifest
                .signals
                .iter()
                .map(|signal| signal.name().to_owned())
                .collect(),
            scopes: manifest.scopes.clone(),
            parameters: ParameterDto::all(policy),
            kit: policy.report().to_string(),
        }
    }
}

impl From<&RevisionView> for RevisionDto {
    fn from(view: &RevisionView) -> Self {
        let revision = &view.revision;
        Self {
            revision: revision.id,
            policy: revision.name.to_string(),
            version: revision.version.clone(),
            digest: revision.digest.clone(),
            size_bytes: revision.size,
            origin: revision.origin.to_string(),
            signed: revision.signed.clone(),
            by: revision.by.to_string(),
            at_unix_ms: revision.at_unix_ms,
            params: revision.params.clone(),
            limits: revision.limits,
            state: view.state,
            reason: view.reason.clone(),
            active_at: view.active_at.clone(),
            standing_in_at: view.standing_in_at.clone(),
            warm: view.is_warm,
        }
    }
}

impl From<&UnderWay> for UnderWayDto {
    fn from(under_way: &UnderWay) -> Self {
        Self {
            policy: under_way.name.to_string(),
            state: under_way.stage,
            size_bytes: under_way.size,
            origin: under_way.origin.to_string(),
            by: under_way.by.to_string(),
            since_unix_ms: under_way.since_unix_ms,
        }
    }
}

impl From<Recent> for LogDto {
    fn from(recent: Recent) -> Self {
        let level = |level: Level| match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        let lines = recent.lines.into_iter().map(|line| LineDto {
            unix_ms: line.unix_ms,
            level: level(line.level).to_owned(),
            decision: line.decision.map(DecisionId::raw),
            text: line.text,
        });
        Self {
            lines: lines.collect(),
            dropped: recent.dropped,
        }
    }
}

impl ChangedDto {
    /// Of a change, with who answers after it.
    pub(super) fn new(revision: Option<RevisionId>, changed: Changed, seats: &[SeatView]) -> Self {
        Self {
            revision,
            moves: changed.moves,
            durable: changed.is_durable,
            seats: seats.iter().map(SeatDto::from).collect(),
            stopped: Vec::new(),
            going_on: Vec::new(),
        }
    }
}
