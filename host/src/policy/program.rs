//! A compiled policy, and a policy with its parameters that is ready to be asked.
//!
//! Not here: how either comes to be (`load`, `kit`), and who decides which one is asked
//! (`catalog`, `ranker`).

use std::sync::Arc;
use std::time::Duration;

use super::allowance;
use super::call::{self, Input, Outcome};
use super::convert;
use super::engine::{Alive, Engine};
use super::kit::KitReport;
use super::limits::{Budget, Size};
use super::link::Linked;
use super::log::{Share, Voice};
use super::manifest::Manifest;
use crate::decision::{Fault, PolicyRef, Question, Ranked, Ranking};
use crate::types::{DecisionId, Limits, RevisionId, Scope, Signal};

/// A policy that was compiled, linked and asked what it is.
pub struct Program {
    about: PolicyRef,
    manifest: Manifest,
    engine: Engine,
    small: Linked,
    large: Linked,
    /// What it may log in a second, however many revisions it is.
    share: Arc<Share>,
    _alive: Alive,
}

/// A program with its parameters, which passed the acceptance kit. Immutable: a decision that
/// holds one is made by it, whatever is swapped meanwhile.
#[derive(Debug)]
pub struct Policy {
    program: Arc<Program>,
    params: Arc<[f64]>,
    limits: Limits,
    report: KitReport,
}

/// For which question a policy is asked: what its log lines are told apart by.
#[derive(Debug, Clone, Copy)]
struct Occasion {
    revision: Option<RevisionId>,
    decision: DecisionId,
}

impl Program {
    pub(super) fn new(
        about: PolicyRef,
        manifest: Manifest,
        engine: Engine,
        small: Linked,
        large: Linked,
    ) -> Self {
        Self {
            about,
            manifest,
            share: Arc::new(engine.log().share()),
            _alive: engine.alive(),
            engine,
            small,
            large,
        }
    }

    /// Name, version and digest.
    #[must_use]
    pub const fn about(&self) -> &PolicyRef {
        &self.about
    }

    /// What it says of itself.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The engine that compiled it.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The columns it wants, in its order.
    #[must_use]
    pub fn signals(&self) -> &[Signal] {
        &self.manifest.signals
    }

    /// Whether it ranks there.
    #[must_use]
    pub fn supports(&self, scope: Scope) -> bool {
        self.manifest.scopes.contains(&scope)
    }

    /// Asks it once. Its log lines are told apart by `decision`; without one nothing is logged.
    #[must_use]
    pub fn ask(
        &self,
        input: &Input,
        params: &[f64],
        decision: Option<DecisionId>,
    ) -> Outcome<Ranking> {
        let occasion = decision.map(|decision| Occasion {
            revision: None,
            decision,
        });
        self.call(input, params, occasion, self.budget(input, &Limits::NODES))
    }

    /// The same within other limits than the node's, silently: to repeat a call that was recorded.
    #[must_use]
    pub fn ask_within(&self, input: &Input, params: &[f64], limits: &Limits) -> Outcome<Ranking> {
        self.call(input, params, None, self.budget(input, limits))
    }

    /// Asks it for the acceptance kit: within the same fuel and memory, and with the patience of a
    /// large call. A machine that is busy when a policy is loaded says nothing about the policy.
    #[must_use]
    pub(super) fn examine(
        &self,
        input: &Input,
        params: &[f64],
        limits: &Limits,
    ) -> Outcome<Ranking> {
        let deadline = self.engine.config().deadline_large;
        let budget = Budget {
            deadline,
            ..self.budget(input, limits)
        };
        self.call(input, params, None, budget)
    }

    fn budget(&self, input: &Input, limits: &Limits) -> Budget {
        let (config, columns) = (self.engine.config(), input.columns.len());
        Budget::rank(config, limits, input.scope, input.rows, columns)
    }

    fn call(
        &self,
        input: &Input,
        params: &[f64],
        occasion: Option<Occasion>,
        budget: Budget,
    ) -> Outcome<Ranking> {
        let voice = occasion.map(|occasion| Voice {
            policy: self.about.name.clone(),
            revision: occasion.revision,
            decision: Some(occasion.decision),
            share: self.share.clone(),
            book: self.engine.log().clone(),
        });
        let linked = match budget.size {
            Size::Small => &self.small,
            Size::Large => &self.large,
        };
        let record = convert::call(input, params);
        let outcome = call::once(&self.engine, linked, &budget, voice, |guest, store| {
            guest.rank(store, &record, &input.columns)
        });
        outcome.and_then(|answer| match answer {
            Ok(choices) if choices.len() as u64 > budget.choices_max => {
                Err(Fault::OutputTooLarge(budget.output_bytes))
            }
            Ok(choices) => Ok(convert::ranking(&choices)),
            Err(error) => Err(Fault::Refused(call::clip(&error))),
        })
    }
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
        allowance::is_large(&self.limits, self.program.engine.config(), scope, rows)
    }

    /// How long whoever asks on the pool waits for an answer, queueing included.
    #[must_use]
    pub fn patience(&self) -> Duration {
        let nodes = self.program.engine.config().deadline_large;
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
            policy: self.about().clone(),
            revision,
            outcome,
            reasons: manifest.reasons.clone(),
            signals: manifest.signals.clone(),
            params: self.params.clone(),
            limits: self.limits,
            fuel: None,
            duration: Duration::ZERO,
        }
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program")
            .field("about", &self.about)
            .field("manifest", &self.manifest)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
