//! Asks the policy that ranks for a user: the active one, or an arm of an experiment.

use std::sync::Arc;

use super::service::Experiments;
use wastegate_core::decision::{Answer, Question, Ranked, Ranker};
use wastegate_core::types::{RevisionId, Scope, Tier};

/// Ranks for users of experiments by their arms, and for all other users by the active policy.
///
/// Only what is asked for an admission is an arm's: decisions of the background pass and of the node
/// stay with the active policy, since they come before a user's first trigger or concern many users.
pub struct Arms {
    experiments: Arc<Experiments>,
    active: Arc<dyn Ranker>,
}

impl Arms {
    /// In front of the active policy.
    #[must_use]
    pub fn new(experiments: Arc<Experiments>, active: Arc<dyn Ranker>) -> Self {
        Self {
            experiments,
            active,
        }
    }
}

impl Ranker for Arms {
    fn rank(&self, question: &Arc<Question>) -> Answer {
        let is_trigger = question.scope == Scope::User && question.tier != Tier::Proactive;
        let asked = question
            .rows
            .first()
            .filter(|_| is_trigger)
            .and_then(|row| self.experiments.expose(&row.user, question));
        let Some(asked) = asked else {
            return self.active.rank(question);
        };
        let ranker = asked.ranker.as_ref().unwrap_or(&self.active);
        match ranker.rank(question) {
            Answer::Ready(ranked) => Answer::Ready(as_of(ranked, asked.label, asked.revision)),
            Answer::Pending(answer) => Answer::Pending(Box::pin(async move {
                as_of(answer.await, asked.label, asked.revision)
            })),
        }
    }
}

/// What an arm said, with the arm's name and revision.
fn as_of(ranked: Ranked, arm: Arc<str>, revision: Option<RevisionId>) -> Ranked {
    Ranked {
        experiment: Some(arm),
        revision: ranked.revision.or(revision),
        ..ranked
    }
}
