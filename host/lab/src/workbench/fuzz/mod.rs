//! Made-up questions against the rules of the acceptance kit, as many as there is time for.
//!
//! The kit asks what an honest mistake would fail at; this looks for the rest: every tier, scope and
//! size, values at the ends of what a number can be, ties, unknowns, parameters at their bounds. What
//! breaks a property is made as small as it goes and becomes a case that can be run again. The same
//! seed makes the same questions on every machine.
//!
//! Three things are not held against a policy: an error of its own while parameters are not at their
//! defaults, since they may contradict each other; the wall clock, which is the machine's; and other
//! answers for another order of rows where their values leave it open which is better.

mod dice;
mod generate;
mod shrink;

use std::time::Duration;

use self::dice::Dice;
use self::generate::Question;
use self::shrink::{Broken, shrink};
use crate::workbench::text::chain;
use wastegate_core::decision::Fault;
use wastegate_engine::policy::call::Input;
use wastegate_engine::policy::engine::ENGINE_VERSION;
use wastegate_engine::policy::evidence::{CASE_VERSION, ROWS_KEPT_MAX};
use wastegate_engine::policy::kit::{self, Property};
use wastegate_engine::policy::{KitFailure, Program, TestCase};

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// After so many questions.
    Runs(u64),
    /// When so much time is over, by the wall clock.
    For(Duration),
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Fuzzed {
    /// From which all of it follows.
    pub seed: u64,
    /// How many questions were made.
    pub runs: u64,
    /// The first of each property that was broken.
    pub findings: Vec<Finding>,
}

/// A property that was broken, and by what.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which question of the seed it was.
    pub run: u64,
    /// What was broken, by the smallest question.
    pub failure: KitFailure,
    /// How many rows the question had before it was made smaller.
    pub rows_before: u32,
    /// The smallest question that was found.
    pub input: Input,
    /// With which parameters.
    pub params: Vec<f64>,
}

/// Asks a program about made-up questions. Blocks until the limit.
#[must_use]
pub fn fuzz(program: &Program, params: &[f64], seed: u64, limit: Limit) -> Fuzzed {
    let clock = program.engine().clock();
    let started = clock.now();
    let mut fuzzed = Fuzzed {
        seed,
        runs: 0,
        findings: Vec::new(),
    };
    loop {
        let over = match limit {
            Limit::Runs(runs) => fuzzed.runs >= runs,
            Limit::For(duration) => clock.now().since(started) >= duration,
        };
        if over {
            return fuzzed;
        }
        let mut dice = Dice::new(seed, fuzzed.runs);
        let question = generate::question(&mut dice, program.manifest(), params);
        for failure in broken_by(program, &question) {
            let property = failure.property();
            let known = |finding: &Finding| finding.failure.property() == property;
            if fuzzed.findings.iter().any(known) {
                continue;
            }
            let rows_before = question.input.rows;
            let broken = Broken {
                question: question.clone(),
                failure,
            };
            let smallest = shrink(broken, program.manifest(), |question| {
                let mut failures = broken_by(program, question).into_iter();
                failures.find(|failure| failure.property() == property)
            });
            let Question { input, params } = smallest.question;
            fuzzed.findings.push(Finding {
                run: fuzzed.runs,
                failure: smallest.failure,
                rows_before,
                input,
                params,
            });
        }
        fuzzed.runs += 1;
    }
}

/// Why a case cannot be asked again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Its columns are not those that the policy asks for.
    #[error("the case is about the signals {case}, and this policy reads {policy}")]
    Signals {
        /// Of the case.
        case: String,
        /// Of the policy.
        policy: String,
    },
    /// Its parameters are not the policy's.
    #[error("the case sets {case} parameters, and this policy has {policy}")]
    Parameters {
        /// Of the case.
        case: usize,
        /// Of the policy.
        policy: usize,
    },
    /// Its columns are not of one length.
    #[error("the case says {0} rows, and its columns are not of that length")]
    Rows(u32),
}

/// What a case breaks when it is asked again; for cases that are no fault by themselves.
///
/// # Errors
/// [`Mismatch`] if it is no question for this policy.
pub fn replay(program: &Program, case: &TestCase) -> Result<Vec<KitFailure>, Mismatch> {
    let signals: Vec<&str> = program.signals().iter().map(|s| s.name()).collect();
    if case.signals != signals {
        return Err(Mismatch::Signals {
            case: case.signals.join(", "),
            policy: signals.join(", "),
        });
    }
    let declared = program.manifest().parameters.len();
    if case.params.len() != declared {
        return Err(Mismatch::Parameters {
            case: case.params.len(),
            policy: declared,
        });
    }
    let input = case.input();
    let whole = |column: &Vec<f64>| column.len() == input.rows as usize;
    if input.columns.len() != signals.len() || !input.columns.iter().all(whole) {
        return Err(Mismatch::Rows(case.rows));
    }
    let question = Question {
        params: case.params.clone(),
        input,
    };
    Ok(broken_by(program, &question))
}

fn broken_by(program: &Program, question: &Question) -> Vec<KitFailure> {
    let Question { input, params } = question;
    let kind = generate::kind(input, program.signals());
    let manifest = program.manifest();
    let defaults = manifest.parameters.iter().map(|known| known.default);
    let at_defaults = defaults.eq(params.iter().copied());
    let held_against = |failure: &KitFailure| match failure {
        KitFailure::Fault { fault, .. } => match fault {
            Fault::Refused(_) => at_defaults,
            Fault::Deadline(_) | Fault::Saturated => false,
            _ => true,
        },
        _ => true,
    };
    let failures = kit::examine(program, params, input, kind).into_iter();
    failures.filter(held_against).collect()
}

impl Finding {
    /// Which property was broken.
    #[must_use]
    pub const fn property(&self) -> Property {
        self.failure.property()
    }

    /// As a case that can be run again. Of very many rows, the first ones.
    #[must_use]
    pub fn case(&self, program: &Program) -> TestCase {
        let known = |value: &f64| (!value.is_nan()).then_some(*value);
        let kept = |column: &Vec<f64>| {
            let column = column.iter().take(ROWS_KEPT_MAX as usize);
            column.map(known).collect()
        };
        let Input {
            tier,
            scope,
            needed,
            limit,
            held,
            now_ms,
            seed,
            rows,
            ..
        } = self.input;
        let signals = program.signals().iter();
        TestCase {
            v: CASE_VERSION,
            policy: program.about().name.as_ref().to_owned(),
            digest: program.about().digest.as_ref().to_owned(),
            revision: None,
            decision: None,
            limits: wastegate_core::types::Limits::NODES,
            engine: ENGINE_VERSION.to_owned(),
            fault: format!("{}: {}", self.property(), chain(&self.failure)),
            tier,
            scope,
            needed,
            limit,
            held,
            now_ms,
            seed,
            params: self.params.clone(),
            rows,
            signals: signals.map(|signal| signal.name().to_owned()).collect(),
            columns: self.input.columns.iter().map(kept).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
