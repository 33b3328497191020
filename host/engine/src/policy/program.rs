//! A compiled policy: what it says of itself, and calls of it within every limit.
//!
//! Not here: how it comes to be (`load`), and one that passed the acceptance kit with its parameters
//! (`accepted`).

use std::sync::Arc;

use super::allowance::{Allowance, Size};
use super::call::{self, CallOutcome, Input};
use super::convert;
use super::describe;
use super::engine::{Alive, Engine};
use super::heavy::Weight;
use super::link::Linked;
use super::load::{LoadError, Params};
use super::log::{Share, Voice};
use super::manifest::{Manifest, RawManifest};
use super::wasi::Moment;
use wastegate_core::decision::{Fault, PolicyRef, Question, Ranked, Ranking};
use wastegate_core::types::{DecisionId, Limits, RevisionId, Scope, Signal};

/// A policy that was compiled, linked and asked what it is.
pub struct Program {
    about: PolicyRef,
    manifest: Manifest,
    param_names: Arc<[String]>,
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

/// How a program is called. By default as the server calls a policy without limits of its own, and
/// silently.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallOptions {
    /// The policy's own limits; what is not set is as the node has it.
    pub limits: Limits,
    /// Which deadline the call has.
    pub path: Path,
    /// What its log lines are told apart by; without it nothing is logged.
    pub occasion: Option<Occasion>,
}

/// Whether something waits for the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Path {
    /// An admission may: the server's deadline.
    #[default]
    Served,
    /// Nothing does, and the machine may be busy with something else: the node's longest deadline.
    /// Fuel and memory are the server's.
    Off,
}

/// For which question a policy is asked.
#[derive(Debug, Clone, Copy)]
pub struct Occasion {
    /// As which revision, if it is one.
    pub revision: Option<RevisionId>,
    /// In which decision.
    pub decision: DecisionId,
}

impl CallOptions {
    /// Off the path and silently: for the acceptance kit, replay and measurements.
    pub const OFF_PATH: Self = Self {
        limits: Limits::NODES,
        path: Path::Off,
        occasion: None,
    };

    /// The same, with log lines of that decision.
    #[must_use]
    pub const fn logged(self, decision: DecisionId) -> Self {
        Self {
            occasion: Some(Occasion {
                revision: None,
                decision,
            }),
            ..self
        }
    }

    /// The same within limits of the policy's own.
    #[must_use]
    pub const fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}

impl Program {
    pub(super) fn new(about: PolicyRef, manifest: Manifest, engine: Engine, code: Code) -> Self {
        let names = manifest.parameters.iter().map(|known| known.name.clone());
        Self {
            about,
            param_names: names.collect(),
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

    /// What a call about so many rows may take.
    #[must_use]
    pub fn allowance(&self, limits: &Limits, scope: Scope, rows: u32) -> Allowance {
        let (config, columns) = (self.engine.config(), self.signals().len());
        Allowance::of(config, self.weight(), limits, scope, rows, columns)
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
    pub(super) fn describe(&self) -> CallOutcome<RawManifest> {
        describe::ask(&self.engine, &self.code)
    }

    /// What a question is for this policy: its columns and nothing that names anybody.
    #[must_use]
    pub fn input(&self, question: &Question) -> Input {
        convert::input(question, self.signals())
    }

    /// Asks it a question on this thread. Never fails: a fault is in the answer. The second value is
    /// how many log lines were over a cap.
    #[must_use]
    pub fn answer(
        &self,
        question: &Question,
        params: &Arc<[f64]>,
        options: &CallOptions,
    ) -> (Ranked, u32) {
        if !self.supports(question.scope) {
            let fault = Err(Fault::ScopeUnsupported);
            return (self.ranked(params, options, fault), 0);
        }
        let outcome = self.ask(&self.input(question), params, options);
        let lines_dropped = outcome.lines_dropped;
        let ranked = Ranked {
            fuel: Some(outcome.fuel),
            duration: outcome.duration,
            ..self.ranked(params, options, outcome.result)
        };
        (ranked, lines_dropped)
    }

    /// An answer with all that its record needs.
    pub(super) fn ranked(
        &self,
        params: &Arc<[f64]>,
        options: &CallOptions,
        outcome: Result<Ranking, Fault>,
    ) -> Ranked {
        Ranked {
            revision: options.occasion.and_then(|occasion| occasion.revision),
            reasons: self.manifest.reasons.clone(),
            signals: self.manifest.signals.clone(),
            params: params.clone(),
            param_names: self.param_names.clone(),
            limits: options.limits,
            ..Ranked::of(self.about.clone(), outcome)
        }
    }

    /// Calls `rank` once: every call of a policy is made here.
    #[must_use]
    pub fn ask(
        &self,
        input: &Input,
        params: &[f64],
        options: &CallOptions,
    ) -> CallOutcome<Ranking> {
        let allowance = self.allowance(&options.limits, input.scope, input.rows);
        let allowance = match options.path {
            Path::Served => allowance,
            Path::Off => allowance.off_path(self.engine.config()),
        };
        let voice = options.occasion.map(|occasion| Voice {
            policy: self.about.name.clone(),
            revision: occasion.revision,
            decision: Some(occasion.decision),
            share: self.share.clone(),
            book: self.engine.log().clone(),
        });
        let linked = self.code.linked(allowance.size);
        let record = convert::call(input, params);
        let moment = Moment::of(input);
        let outcome = call::once(
            &self.engine,
            linked,
            &allowance,
            moment,
            voice,
            |guest, store| guest.rank(store, &record, &input.columns),
        );
        outcome.and_then(|answer| match answer {
            Ok(choices) if choices.len() as u64 > allowance.choices_max => {
                Err(Fault::OutputTooLarge(allowance.output_bytes))
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
