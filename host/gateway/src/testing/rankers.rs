//! Rankers that do as they are told, or not at all.

use std::sync::Arc;

use wastegate_core::decision::{
    Answer, Choice, Fault, PolicyRef, Question, Ranked, Ranker, Ranking,
};

/// Answers with what the function makes of the question.
pub(crate) struct With<F>(pub(crate) F);

impl<F: Fn(&Question) -> Ranked + Send + Sync + 'static> Ranker for With<F> {
    fn rank(&self, question: &Arc<Question>) -> Answer {
        Answer::Ready(self.0(question))
    }
}

/// Proposes every row in the order of the question.
pub(crate) struct Always;

impl Ranker for Always {
    fn rank(&self, question: &Arc<Question>) -> Answer {
        let rows = u32::try_from(question.rows.len()).unwrap();
        Answer::Ready(ranked(Ok((0..rows).collect())))
    }
}

/// Always has the same fault.
pub(crate) struct Faulty(pub(crate) Fault);

impl Ranker for Faulty {
    fn rank(&self, _: &Arc<Question>) -> Answer {
        Answer::Ready(ranked(Err(self.0.clone())))
    }
}

/// A ranker whose answer never comes.
pub(crate) struct Hanging;

impl Ranker for Hanging {
    fn rank(&self, _: &Arc<Question>) -> Answer {
        Answer::Pending(Box::pin(std::future::pending()))
    }
}

/// Panics instead of answering.
pub(crate) struct Panicking;

impl Ranker for Panicking {
    fn rank(&self, _: &Arc<Question>) -> Answer {
        panic!("this ranker always panics")
    }
}

/// An answer that proposes these rows.
pub(crate) fn ranked(rows: Result<Vec<u32>, Fault>) -> Ranked {
    let choice = |row| Choice {
        row,
        score: 1.0,
        reason: 0,
    };
    let policy = PolicyRef {
        name: "fake".into(),
        version: "1.0.0".into(),
        digest: "fake".into(),
    };
    let outcome = rows.map(|rows| Ranking {
        choices: rows.into_iter().map(choice).collect(),
    });
    Ranked {
        reasons: ["told to".to_owned()].into(),
        ..Ranked::of(policy, outcome)
    }
}

/// An answer that proposes no manager.
pub(crate) fn empty() -> Ranked {
    ranked(Ok(Vec::new()))
}
