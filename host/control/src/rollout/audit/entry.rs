//! One line of the audit log.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::actor::Actor;
use super::super::ledger::Move;
use wastegate_core::types::{RevisionId, UserId};

/// Bytes of a reason; the rest is cut off.
pub const REASON_BYTES_MAX: usize = 4 * 1_024;

/// Something that was changed or refused, with who and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditEntry {
    /// Counts up by one, over restarts too.
    pub seq: u64,
    /// When, ms since the Unix epoch.
    pub unix_ms: u64,
    /// The author of the change: an operator, a source, or the gateway.
    pub by: Actor,
    /// The kind of the change, its reason and what it was about.
    pub note: Note,
}

/// The kind of a change, under its name in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The host started.
    Started,
    /// A file was accepted and became a revision.
    Accepted,
    /// A file was refused.
    Refused,
    /// A revision was activated.
    Activated,
    /// What was in a seat before was put back.
    RolledBack,
    /// The built-in ranking was activated.
    Disabled,
    /// Parameters or limits were changed: a new revision of the same bytes.
    Set,
    /// What ranks on this node is what all nodes of the cluster rank by.
    Shared,
    /// Old revisions were let go.
    Retired,
    /// A policy that kept failing is left alone.
    Quarantined,
    /// A policy in quarantine is tried out in shadow.
    OnTrial,
    /// A policy in quarantine answers again.
    Recovered,
    /// Something else had to be used than what should have been.
    FellBack,
    /// An experiment, or a new phase of one, began.
    ExperimentStarted,
    /// An experiment takes in more users.
    ExperimentCovered,
    /// An experiment did harm: all of its users are in the control arm now.
    ExperimentRolledBack,
    /// An experiment was stopped.
    ExperimentStopped,
    /// A shadow was started beside the active policy.
    ShadowStarted,
    /// It does not any more.
    ShadowStopped,
    /// An operator set a user's limit.
    LimitSet,
    /// An operator took it back.
    LimitCleared,
    /// Its time was over.
    LimitExpired,
    /// An operator blocked a user, and evicted its managers.
    UserBlocked,
    /// An operator let the user in again.
    UserUnblocked,
    /// The time of a block was over.
    BlockExpired,
    /// An operator evicted managers of a user.
    Evicted,
    /// An operator revoked tokens, and the connections of their clients were closed.
    TokensRevoked,
    /// An operator took a revocation back.
    TokensAllowed,
    /// The time of a revocation was over.
    RevocationExpired,
    /// An operator pinned a manager.
    Pinned,
    /// An operator took a pin back.
    Unpinned,
    /// The time of a pin was over.
    PinExpired,
    /// An operator drained the node: it takes no new connections.
    NodeDrained,
    /// It takes new connections again.
    NodeUndrained,
    /// The time of a drain was over.
    DrainExpired,
    /// An operator has the connections of the node closed, so many a second.
    DisconnectStarted,
    /// An operator stopped that.
    DisconnectStopped,
    /// An operator ended the console's sessions.
    SessionsEnded,
}

/// What happened to what, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The kind of the change.
    pub what: What,
    /// The policy that it is about, if about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The user that it is about, if about one. It is not in the program's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The revision that it is about, if about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<RevisionId>,
    /// Seats that changed hands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<Move>,
    /// Why, or how, in a sentence; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl What {
    /// In a word or two.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Activated => "activated",
            Self::RolledBack => "rolled-back",
            Self::Disabled => "disabled",
            Self::Set => "set",
            Self::Shared => "shared",
            Self::Retired => "retired",
            Self::Quarantined => "quarantined",
            Self::OnTrial => "on-trial",
            Self::Recovered => "recovered",
            Self::FellBack => "fell-back",
            Self::ExperimentStarted => "experiment-started",
            Self::ExperimentCovered => "experiment-covered",
            Self::ExperimentRolledBack => "experiment-rolled-back",
            Self::ExperimentStopped => "experiment-stopped",
            Self::ShadowStarted => "shadow-started",
            Self::ShadowStopped => "shadow-stopped",
            Self::LimitSet => "limit-set",
            Self::LimitCleared => "limit-cleared",
            Self::LimitExpired => "limit-expired",
            Self::UserBlocked => "user-blocked",
            Self::UserUnblocked => "user-unblocked",
            Self::BlockExpired => "block-expired",
            Self::TokensRevoked => "tokens-revoked",
            Self::TokensAllowed => "tokens-allowed",
            Self::RevocationExpired => "revocation-expired",
            Self::Pinned => "pinned",
            Self::Unpinned => "unpinned",
            Self::PinExpired => "pin-expired",
            Self::NodeDrained => "node-drained",
            Self::NodeUndrained => "node-undrained",
            Self::DrainExpired => "drain-expired",
            Self::DisconnectStarted => "disconnect-started",
            Self::DisconnectStopped => "disconnect-stopped",
            Self::SessionsEnded => "sessions-ended",
            Self::Evicted => "evicted",
        }
    }
}

impl Note {
    /// That something happened.
    #[must_use]
    pub fn new(what: What, reason: impl AsRef<str>) -> Self {
        Self {
            what,
            policy: None,
            user: None,
            revision: None,
            moves: Vec::new(),
            reason: clip(reason.as_ref()),
        }
    }

    /// To a policy.
    #[must_use]
    pub fn of(mut self, policy: impl ToString) -> Self {
        self.policy = Some(policy.to_string());
        self
    }

    /// To a user.
    #[must_use]
    pub fn about(mut self, user: &UserId) -> Self {
        self.user = Some(user.to_string());
        self
    }

    /// To a revision.
    #[must_use]
    pub fn revision(mut self, revision: RevisionId) -> Self {
        self.revision = Some(revision);
        self
    }

    /// The same with the seats that changed.
    #[must_use]
    pub fn moves(mut self, moves: Vec<Move>) -> Self {
        self.moves = moves;
        self
    }

    /// Every revision that it names.
    pub(super) fn revisions(&self) -> impl Iterator<Item = RevisionId> {
        let seats = self.moves.iter().flat_map(|moved| [moved.from, moved.to]);
        self.revision.into_iter().chain(seats.flatten())
    }
}

impl AuditEntry {
    /// Tells the program's log.
    pub(super) fn log(&self) {
        let Note {
            what,
            policy,
            user: _,
            revision,
            moves,
            reason,
        } = &self.note;
        tracing::info!(
            target: "audit",
            seq = self.seq,
            what = what.name(),
            by = self.by.as_str(),
            policy = policy.as_deref(),
            revision = revision.map(RevisionId::get),
            seats = %in_words(moves),
            reason,
            "policies"
        );
    }
}

/// Seats that changed hands, such as `force r6 -> r7`; one line for all tiers where they agree.
#[must_use]
pub fn in_words(moves: &[Move]) -> String {
    let name = |revision: Option<RevisionId>| {
        revision.map_or_else(|| "built-in".to_owned(), |id| id.to_string())
    };
    let same = |a: &Move, b: &Move| (a.from, a.to) == (b.from, b.to);
    if let [first, rest @ ..] = moves
        && rest.len() + 1 == wastegate_core::types::Tier::ALL.len()
        && rest.iter().all(|other| same(first, other))
    {
        return format!("all tiers {} -> {}", name(first.from), name(first.to));
    }
    let mut text = String::new();
    for moved in moves {
        let separator = if text.is_empty() { "" } else { ", " };
        let (tier, from, to) = (moved.tier, name(moved.from), name(moved.to));
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}{tier} {from} -> {to}");
    }
    text
}

/// The beginning of a text, in whole characters.
fn clip(text: &str) -> String {
    let mut end = text.len().min(REASON_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
