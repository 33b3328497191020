//! The stack of one seat: who is there, and who was there before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use wastegate_core::types::{RevisionId, Tier};

/// How far back a seat remembers; of more, the oldest are forgotten.
pub const HISTORY_MAX: usize = 32;

/// Something that was put into a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The change that put it there; one change may concern several tiers.
    pub change: u64,
    /// A revision, or none for the built-in ranking.
    pub revision: Option<RevisionId>,
}

/// One seat that changed hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The tier whose seat changes.
    pub tier: Tier,
    /// Who was there; none for the built-in ranking.
    pub from: Option<RevisionId>,
    /// Who is there now.
    pub to: Option<RevisionId>,
}

/// There is nothing to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "nothing that is kept was active before{}: activate a revision by its number, or disable to make the built-in ranking active",
    .tier.map(|tier| format!(" at {tier}")).unwrap_or_default()
)]
pub struct NothingBefore {
    /// At which tier; none for all of them.
    pub tier: Option<Tier>,
}

/// The revisions that were put into one seat, oldest first. Empty is a seat that never had one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Stack(Vec<Held>);

impl Stack {
    /// From what was written down.
    pub(super) fn new(held: Vec<Held>) -> Self {
        Self(held)
    }

    /// Oldest first, as it is written down.
    pub(super) fn entries(&self) -> &[Held] {
        &self.0
    }

    /// The revision that is active at this tier.
    pub(super) fn active(&self) -> Option<RevisionId> {
        self.0.last().and_then(|held| held.revision)
    }

    /// The revisions that the seat had, latest first.
    pub(super) fn held(&self) -> impl Iterator<Item = Held> {
        self.0.iter().rev().copied()
    }

    /// Who was there before, latest first.
    pub(super) fn before(&self) -> impl Iterator<Item = Option<RevisionId>> {
        self.held().skip(1).map(|held| held.revision)
    }

    /// The change that could be taken back here.
    pub(super) fn undoable(&self) -> Option<u64> {
        match self.0.as_slice() {
            [.., _, top] => Some(top.change),
            [] | [_] => None,
        }
    }

    pub(super) fn push(&mut self, held: Held) {
        if self.0.len() >= HISTORY_MAX {
            self.0.remove(0);
        }
        self.0.push(held);
    }

    pub(super) fn pop(&mut self) {
        self.0.pop();
    }

    /// Forgets revisions that are gone. Two of the same that come together become one.
    pub(super) fn keep(&mut self, known: impl Fn(RevisionId) -> bool) {
        self.0.retain(|held| held.revision.is_none_or(&known));
        self.0.dedup_by_key(|held| held.revision);
    }
}
