//! The last decisions, whole: with the table as the policy saw it, its answer, the plan and what came of it.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use wastegate::cleanup::Decided;
use wastegate_core::types::{DecisionId, Scope, UserId};

/// Decisions that are kept. Beyond it the oldest go.
pub const DECISIONS_MAX: usize = 1_000;
/// Rows that all kept decisions have together, about 10 MB of them. Beyond it the oldest decisions go; a
/// decision that has more alone, over a large node, is not kept.
pub const ROWS_MAX: usize = 20_000;

/// The last decisions of the process.
#[derive(Debug, Default)]
pub struct DecisionMemory {
    // Held to add a decision, or to copy pointers to some.
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Oldest first.
    decisions: VecDeque<Arc<Decided>>,
    rows: usize,
}

impl DecisionMemory {
    /// A decision is complete, the ends of its victims included.
    pub fn add(&self, decided: Arc<Decided>) {
        let rows = decided.question.rows.len();
        if rows > ROWS_MAX {
            return;
        }
        let mut kept = self.kept.lock();
        kept.rows += rows;
        kept.decisions.push_back(decided);
        while kept.decisions.len() > DECISIONS_MAX || kept.rows > ROWS_MAX {
            let oldest = kept.decisions.pop_front();
            kept.rows -= oldest.map_or(0, |oldest| oldest.question.rows.len());
        }
    }

    /// A decision by its number, while it is kept.
    #[must_use]
    pub fn get(&self, id: DecisionId) -> Option<Arc<Decided>> {
        let kept = self.kept.lock();
        let mut newest_first = kept.decisions.iter().rev();
        newest_first
            .find(|decided| decided.question.decision == id)
            .cloned()
    }

    /// The last decisions, newest first: those about a user's managers where one is named, those that were made
    /// before another where that is named, `most` of them at the most.
    #[must_use]
    pub fn last(
        &self,
        user: Option<&UserId>,
        before: Option<DecisionId>,
        most: usize,
    ) -> Vec<Arc<Decided>> {
        let kept = self.kept.lock();
        let mut newest_first = kept.decisions.iter().rev();
        if let Some(before) = before {
            newest_first.find(|decided| decided.question.decision == before);
        }
        newest_first
            .filter(|decided| user.is_none_or(|user| is_about(decided, user)))
            .take(most)
            .cloned()
            .collect()
    }
}

/// The user that a decision is about; none at the scope of the node.
#[must_use]
pub fn subject(decided: &Decided) -> Option<&UserId> {
    let row = decided.question.rows.first();
    row.filter(|_| decided.question.scope == Scope::User)
        .map(|row| &row.user)
}

fn is_about(decided: &Decided, user: &UserId) -> bool {
    let victims = decided.plan.victims();
    subject(decided) == Some(user) || victims.iter().any(|victim| victim.user == *user)
}
