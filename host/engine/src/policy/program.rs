//! A compiled policy: what it says of itself, and calls of it within every limit.
//!
//! Not here: how it comes to be (`load`), and one that passed the acceptance kit with its parameters
//! (`accepted`).

use std::sync::Arc;
use std::time::Duration;

use super::allowance;
use super::call::{self, Input, Outcome};
use super::convert;
use super::describe;
use super::engine::{Alive, Engine};
use super::heavy::Weight;
use super::limits::{Budget, Size};
use super::link::Linked;
use super::load::{LoadError, Params};
use super::log::{Share, Voice};
use super::manifest::{Manifest, RawManifest};
use super::wasi::Moment;
use wastegate_core::decision::{Fault, PolicyRef, Question, Ranked, Ranking};
use wastegate_core::types::{DecisionId, Limits, RevisionId, Scope, Signal};

/// How many times its deadline a heavy component gets in the acceptance kit, which runs where
/// others compile.
const HEAVY_PATIENCE: u32 = 8;

/// A policy that was compiled, linked and asked what it is.
pub struct Program {
    about: PolicyRef,
    manifest: Manifest,
    engine: Engine,
    code: Code,
    /// What it may log in a second, however many revisions it is.
    share: Arc<Share>,
    _alive: Alive,
}

/// What it was compiled to: once for each sandbox that it is called in.
pub(super) enum Code {
    /// In slots of the pools.
    Light { small: Linked, large: Linked },
    /// Allocated on demand, and why.
    Heavy(Linked, Weight),
}

impl Code {
    /// Which sandbox it runs in.
    pub(super) const fn weight(&self) -> Weight {
        match self {
            Self::Light { .. } => Weight::Light,
            Self::Heavy(_, weight) => *weight,
        }
    }

    /// What is called for a call of that size.
    pub(super) const fn linked(&self, size: Size) -> &Linked {
        match (self, size) {
            (Self::Heavy(heavy, _), _) => heavy,
            (Self::Light { small, .. }, Size::Small) => small,
            (Self::Light { large, .. }, Size::Large | Size::Heavy) => large,
        }
    }
}

/// For which question a policy is asked: what its log lines are told apart by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Occasion {
    pub(super) revision: Option<RevisionId>,
    pub(super) decision: DecisionId,
}

impl Program {
    pub(super) fn new(about: PolicyRef, manifest: Manifest, engine: Engine, code: Code) -> Self {
        Self {
            about,
            manifest,
            share: Arc::new(engine.log().share()),
            _alive: engine.alive(),
            engine,
            code,
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

    /// Which sandbox it runs in.
    #[must_use]
    pub const fn weight(&self) -> Weight {
        self.code.weight()
    }

    /// How long a call on the pool is waited for, queueing included.
    #[must_use]
    pub fn patience(&self) -> Duration {
        let config = self.engine.config();
        if self.weight().is_heavy() {
            config.heavy.deadline
        } else {
            config.deadline_large
        }
    }

    /// The fuel of a call about so many rows.
    #[must_use]
    pub fn fuel(&self, rows: u32) -> u64 {
        self.fuel_within(&Limits::NODES, rows)
    }

    /// The same within other limits than the node's.
    #[must_use]
    pub fn fuel_within(&self, limits: &Limits, rows: u32) -> u64 {
        let config = self.engine.config();
        if self.weight().is_heavy() {
            allowance::fuel_heavy(limits, config, rows)
        } else {
            allowance::fuel(limits, config, rows)
        }
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

    /// The values of its parameters, in its order: what was set, else the default.
    ///
    /// # Errors
    /// [`LoadError::Parameters`] with everything that was set and is not understood.
    pub fn params(&self, set: &Params) -> Result<Arc<[f64]>, LoadError> {
        self.manifest.params(set).map_err(LoadError::Parameters)
    }

    /// Machine code and data that it was compiled to for one sandbox, bytes.
    #[must_use]
    pub fn compiled_bytes(&self) -> usize {
        self.code.linked(Size::Small).compiled_bytes()
    }

    /// Asks it again what it is.
    pub(super) fn describe(&self) -> Outcome<RawManifest> {
        describe::ask(&self.engine, &self.code)
    }

    /// Asks it for the acceptance kit: within the same fuel and memory, and with the patience of a
    /// large call. A machine that is busy when a policy is loaded says nothing about the policy.
    #[must_use]
    pub fn examine(&self, input: &Input, params: &[f64]) -> Outcome<Ranking> {
        self.examine_within(input, params, &Limits::NODES)
    }

    /// The same within other limits than the node's.
    #[must_use]
    pub fn examine_within(
        &self,
        input: &Input,
        params: &[f64],
        limits: &Limits,
    ) -> Outcome<Ranking> {
        self.call(input, params, None, self.patient(input, limits))
    }

    /// Asks it off the path: as [`Program::ask`] does, but with the patience of a large call.
    #[must_use]
    pub fn rehearse(
        &self,
        input: &Input,
        params: &[f64],
        decision: Option<DecisionId>,
    ) -> Outcome<Ranking> {
        let occasion = decision.map(|decision| Occasion {
            revision: None,
            decision,
        });
        let budget = self.patient(input, &Limits::NODES);
        self.call(input, params, occasion, budget)
    }

    /// Answers a question off the path and silently: as the server would, with the patience of a
    /// large call, since a machine that is busy says nothing about the policy.
    #[must_use]
    pub fn replay(&self, question: &Question, params: &Arc<[f64]>) -> Ranked {
        let (outcome, fuel, duration) = if self.supports(question.scope) {
            let outcome = self.examine(&self.input(question), params);
            (outcome.result, Some(outcome.fuel), outcome.duration)
        } else {
            (Err(Fault::ScopeUnsupported), None, Duration::ZERO)
        };
        Ranked {
            reasons: self.manifest.reasons.clone(),
            signals: self.manifest.signals.clone(),
            params: params.clone(),
            fuel,
            duration,
            ..Ranked::of(self.about.clone(), outcome)
        }
    }

    /// The budget of a call that nobody waits for.
    fn patient(&self, input: &Input, limits: &Limits) -> Budget {
        Budget {
            deadline: match self.weight() {
                Weight::Light => self.patience(),
                Weight::Heavy(_) => self.patience().saturating_mul(HEAVY_PATIENCE),
            },
            ..self.budget(input, limits)
        }
    }

    /// What a question is for this policy: its columns and nothing that names anybody.
    #[must_use]
    pub fn input(&self, question: &Question) -> Input {
        convert::input(question, self.signals())
    }

    pub(super) fn budget(&self, input: &Input, limits: &Limits) -> Budget {
        let config = self.engine.config();
        if self.weight().is_heavy() {
            return Budget::heavy(config, limits, input.rows);
        }
        Budget::rank(config, limits, input.scope, input.rows, input.columns.len())
    }

    pub(super) fn call(
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
        let linked = self.code.linked(budget.size);
        let record = convert::call(input, params);
        let moment = Moment::of(input);
        let outcome = call::once(
            &self.engine,
            linked,
            &budget,
            moment,
            voice,
            |guest, store| guest.rank(store, &record, &input.columns),
        );
        outcome.and_then(|answer| match answer {
            Ok(choices) if choices.len() as u64 > budget.choices_max => {
                Err(Fault::OutputTooLarge(budget.output_bytes))
            }
            Ok(choices) => Ok(convert::ranking(&choices)),
            Err(error) => Err(Fault::Refused(call::clip(&error))),
        })
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
