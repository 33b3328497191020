//! A policy that may be asked: a program with its parameters, which passed the acceptance kit.
//!
//! Not here: how it comes to be (`kit`), and who decides which one is asked (`catalog`, `ranker`).

use std::sync::Arc;

use super::allowance::Allowance;
use super::call::Input;
use super::convert;
use super::kit::KitReport;
use super::program::{CallOptions, Occasion, Path, Program};
use wastegate_core::decision::{Fault, PolicyRef, Question, Ranked};
use wastegate_core::types::{Limits, RevisionId};

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

    /// What the call for that question may take.
    #[must_use]
    pub fn allowance(&self, question: &Question) -> Allowance {
        let rows = u32::try_from(question.rows.len()).unwrap_or(u32::MAX);
        self.program.allowance(&self.limits, question.scope, rows)
    }

    /// What the acceptance kit found.
    #[must_use]
    pub const fn report(&self) -> &KitReport {
        &self.report
    }

    /// Asks it a question on this thread, as a revision if it is one. Never fails: a fault is in the
    /// answer. The second value is how many log lines were over a cap.
    #[must_use]
    pub fn answer(&self, revision: Option<RevisionId>, question: &Question) -> (Ranked, u32) {
        let options = self.options(revision, question);
        self.program.answer(question, &self.params, &options)
    }

    /// The input that a question becomes for this policy, as a record of a fault keeps it.
    #[must_use]
    pub fn input(&self, question: &Question) -> Input {
        convert::input(question, self.program.signals())
    }

    /// An answer for a question that it was not asked.
    #[must_use]
    pub fn fault(&self, revision: Option<RevisionId>, question: &Question, fault: Fault) -> Ranked {
        let options = self.options(revision, question);
        self.program.ranked(&self.params, &options, Err(fault))
    }

    fn options(&self, revision: Option<RevisionId>, question: &Question) -> CallOptions {
        CallOptions {
            limits: self.limits,
            path: Path::Served,
            occasion: Some(Occasion {
                revision,
                decision: question.decision,
            }),
        }
    }
}
