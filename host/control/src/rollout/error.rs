//! Why an operator's request was refused, in sentences with a remedy.

use super::ledger::NothingBefore;
use super::signature::SignatureRefused;
use super::source::PolicyName;
use super::store::StoreError;
use wastegate_core::types::{RevisionId, Tier, chain};
use wastegate_engine::policy::LoadError;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
pub enum RolloutError {
    /// It is not signed as the operator asks for.
    #[error(transparent)]
    Signature(#[from] SignatureRefused),
    /// It was not accepted by the loading pipeline or the acceptance kit.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its source did not bring it; the text says what to do.
    #[error("{0}")]
    Source(String),
    /// It calls itself something else than it was brought as.
    #[error(
        "the policy calls itself `{says}` and was brought as `{asked}`: bring it as `{says}`, or change the name in its manifest"
    )]
    Name { asked: PolicyName, says: String },
    /// It cannot be kept, or what was kept is gone.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no policy of that name.
    #[error(
        "there is no policy `{name}` here{}: `wastegate policy list` shows what there is, `wastegate policy push` brings another",
        .nearest.as_ref().map(|nearest| format!(" (did you mean `{nearest}`?)")).unwrap_or_default()
    )]
    NoSuchPolicy {
        name: String,
        /// The nearest that there is.
        nearest: Option<String>,
    },
    /// The host ships it, and there is no revision of it yet.
    #[error(
        "the host ships `{name}`, and it was never activated here, so there is no revision to change: `wastegate policy activate {name}` makes one"
    )]
    NeverActivated { name: PolicyName },
    /// There is no revision of that number.
    #[error(
        "there is no {0}: it never was, or it was let go (`policy.rollout.revisions_kept`); `wastegate policy history` shows what there is"
    )]
    NoSuchRevision(RevisionId),
    /// The revision is one of another policy.
    #[error("{revision} is a revision of `{of}`, not of `{asked}`: name it as `{of}`")]
    OfAnother {
        revision: RevisionId,
        of: PolicyName,
        /// Whose it was said to be.
        asked: PolicyName,
    },
    /// Another change was faster.
    #[error(
        "{} {}, not {}: somebody changed it; look again with `wastegate policy list`",
        .tier.map_or_else(|| "the policy's revision is".to_owned(), |tier| format!("{tier} is answered by")),
        seat(.found), seat(.expected)
    )]
    Changed {
        /// The first tier at which it is otherwise; none where it is about a policy.
        tier: Option<Tier>,
        /// What the operator took to be there.
        expected: Option<RevisionId>,
        found: Option<RevisionId>,
    },
    /// There is nothing to go back to.
    #[error(transparent)]
    NothingBefore(#[from] NothingBefore),
    /// A patch of the limits names something that is none, or gives it no number.
    #[error(
        "the limits cannot be set so ({0}): there are fuel_base, fuel_per_row, memory_bytes and deadline_ms, each a whole number, or null for the node's value"
    )]
    Limits(String),
    /// Too much at once.
    #[error("{max} such requests are under way already: try again when one of them has ended")]
    Busy {
        /// How many there may be.
        max: usize,
    },
    /// The process is going down.
    #[error("interrupted, because the host is stopping or a worker panicked: try again")]
    Interrupted,
}

impl RolloutError {
    /// In a word, for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Signature(_) => "signature",
            Self::Load(_) => "not-accepted",
            Self::Source(_) => "source",
            Self::Name { .. } => "other-name",
            Self::Store(_) => "storage",
            Self::NoSuchPolicy { .. } | Self::NeverActivated { .. } | Self::NoSuchRevision(_) => {
                "not-found"
            }
            Self::OfAnother { .. } => "other-policy",
            Self::Changed { .. } => "changed",
            Self::NothingBefore(_) => "nothing-before",
            Self::Limits(_) => "limits",
            Self::Busy { .. } => "busy",
            Self::Interrupted => "interrupted",
        }
    }

    /// The whole sentence, with everything below it.
    #[must_use]
    pub fn sentence(&self) -> String {
        chain(self)
    }
}

fn seat(revision: &Option<RevisionId>) -> String {
    revision.map_or_else(|| "the built-in ranking".to_owned(), |id| id.to_string())
}
