//! A policy that may be asked: a program with its parameters, which passed the acceptance kit.
//!
//! Not here: how it comes to be (`kit`), and who decides which one is asked (`catalog`, `ranker`).

use std::sync::Arc;
use std::time::Duration;

use super::allowance;
use super::call::Input;
use super::convert;
use super::kit::KitReport;
use super::program::{Occasion, Program};
use wastegate_core::decision::{Fault, PolicyRef, Question, Ranked, Ranking};
use wastegate_core::types::{Limits, RevisionId, Scope};

/// A program with its parameters, which passed the acceptance kit. Immutable: a decision that
/// holds one is made by it, whatever is swapped meanwhile.
#[derive(Debug)]
pub struct Policy {
    program: Arc<Program>,
    params: Arc<[f64]>,
    limits: Limits,
    report: KitReport,
}

impl Policy {
    pub(super) const fn new(
        program: Arc<Program>,
        params: Arc<[f64]>,
        limits: Limits,
        report: KitReport,
    ) -> Self {
        Self {
            program,
            params,
            limits,
            report,
        }
    }

    /// The compiled code and its manifest.
    #[must_use]
    pub const fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Name, version and digest.
    #[must_use]
    pub fn about(&self) -> &PolicyRef {
        self.program.about()
    }

    /// The parameters in force, in the order of the manifest.
    #[must_use]
    pub const fn params(&self) -> &Arc<[f64]> {
        &self.params
    }

    /// What its operator set instead of the node's limits.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether a call about so many rows is made on the pool.
    #[must_use]
    pub fn is_large(&self, scope: Scope, rows: u32) -> bool {
        let config = self.program.engine().config();
        self.program.weight().is_heavy() || allowance::is_large(&self.limits, config, scope, rows)
    }

    /// How long whoever asks on the pool waits for an answer, queueing included.
    #[must_use]
    pub fn patience(&self) -> Duration {
        let nodes = self.program.patience();
        self.limits.deadline.unwrap_or(nodes)
    }

    /// What the acceptance kit found.
    #[must_use]
    pub const fn report(&self) -> &KitReport {
        &self.report
    }

    /// Asks it a question on this thread. Never fails: a fault is in the answer.
    #[must_use]
    pub fn answer(&self, question: &Question) -> (Ranked, u32) {
        self.answer_as(None, question)
    }

    /// The same as a revision, which the answer and the log lines name.
    #[must_use]
    pub fn answer_as(&self, revision: Option<RevisionId>, question: &Question) -> (Ranked, u32) {
        if !self.program.supports(question.scope) {
            return (self.ranked(revision, Err(Fault::ScopeUnsupported)), 0);
        }
        let input = convert::input(question, self.program.signals());
        let program = &self.program;
        let occasion = Occasion {
            revision,
            decision: question.decision,
        };
        let budget = program.budget(&input, &self.limits);
        let outcome = program.call(&input, &self.params, Some(occasion), budget);
        let lines_dropped = outcome.lines_dropped;
        let ranked = Ranked {
            fuel: Some(outcome.fuel),
            duration: outcome.duration,
            ..self.ranked(revision, outcome.result)
        };
        (ranked, lines_dropped)
    }

    /// The input that a question becomes for this policy, as a record of a fault keeps it.
    #[must_use]
    pub fn input(&self, question: &Question) -> Input {
        convert::input(question, self.program.signals())
    }

    /// An answer for a question that it was not asked.
    #[must_use]
    pub fn fault(&self, revision: Option<RevisionId>, fault: Fault) -> Ranked {
        self.ranked(revision, Err(fault))
    }

    fn ranked(&self, revision: Option<RevisionId>, outcome: Result<Ranking, Fault>) -> Ranked {
        let manifest = self.program.manifest();
        Ranked {
            revision,
            reasons: manifest.reasons.clone(),
            signals: manifest.signals.clone(),
            params: self.params.clone(),
            limits: self.limits,
            ..Ranked::of(self.about().clone(), outcome)
        }
    }
}
