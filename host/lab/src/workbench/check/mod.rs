//! Would the server take this file, and if not, why: every step of loading with its mark, and of
//! the acceptance kit everything that was broken.
//!
//! The server stops at the first breach; an author wants to mend them all at once.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use super::inspect::verdict;
use super::text::{bytes, chain, grouped, hanging};
use wastegate_core::decision::PolicyRef;
use wastegate_core::types::Limits;
use wastegate_engine::policy::load::{self, Anatomy, Build, Step};
use wastegate_engine::policy::{
    Engine, KitFailure, KitReport, LoadError, Params, Program, Weight, kit,
};

/// What was found out about a file.
#[derive(Debug)]
pub struct Checkup {
    /// The steps that were passed, each with what there is to say of it.
    pub passed: Vec<(Step, String)>,
    /// What it was compiled to, if it came so far.
    pub program: Option<Arc<Program>>,
    /// How it ended.
    pub end: CheckOutcome,
}

/// How a checkup ended.
#[derive(Debug)]
pub enum CheckOutcome {
    /// The server would take it.
    Accepted {
        /// What it is.
        about: PolicyRef,
        /// What the kit found.
        report: KitReport,
    },
    /// It would not, because of a step before the kit.
    Refused(LoadError),
    /// It would not, because of these properties; at least one.
    Misbehaves(Vec<KitFailure>),
}

/// Checks a file as the server would load it. Blocks for as long as loading takes.
#[must_use]
pub fn check(engine: &Engine, file: &[u8], params: &Params) -> Checkup {
    let mut steps = Vec::new();
    let loaded = load::program_by_steps(engine, file, &mut |step| {
        // A core module goes through some of them as it is, and again as the component it becomes.
        if !steps.contains(&step) {
            steps.push(step);
        }
    });
    if let Some(failed) = loaded.as_ref().err().and_then(LoadError::step) {
        steps.retain(|step| *step < failed);
    }
    let anatomy = Anatomy::of(file, &engine.config().load.bounds);
    let mut passed: Vec<(Step, String)> = steps
        .into_iter()
        .map(|step| (step, note(step, &anatomy, engine)))
        .collect();
    let program = loaded.as_ref().ok().cloned();
    let end = match loaded {
        Err(error) => CheckOutcome::Refused(error),
        Ok(program) => {
            if let Some((_, note)) = passed.iter_mut().find(|(step, _)| *step == Step::Compile) {
                *note = bytes(program.compiled_bytes() as u64);
            }
            if let Some((_, note)) = passed.iter_mut().find(|(step, _)| *step == Step::Manifest) {
                *note = program.about().to_string();
            }
            match program.params(params) {
                Err(error) => CheckOutcome::Refused(error),
                Ok(values) => {
                    passed.push((Step::Parameters, parameters(values.len(), params.len())));
                    match kit::collect(&program, &values, &Limits::NODES) {
                        Ok(report) => {
                            let calls = format!("{} calls", report.calls);
                            passed.push((Step::Kit, calls));
                            CheckOutcome::Accepted {
                                about: program.about().clone(),
                                report,
                            }
                        }
                        Err(failures) => CheckOutcome::Misbehaves(failures),
                    }
                }
            }
        }
    };
    Checkup {
        passed,
        program,
        end,
    }
}

fn note(step: Step, anatomy: &Anatomy, engine: &Engine) -> String {
    match step {
        Step::Size => format!(
            "{} of at most {} bytes",
            grouped(anatomy.bytes as u64),
            grouped(engine.config().file_bytes_max())
        ),
        Step::Format => match anatomy.build {
            Some(Build::CoreModule) => "core module, made a component".to_owned(),
            Some(Build::Component) => "component".to_owned(),
            None => String::new(),
        },
        Step::World => match &anatomy.contract {
            Some(version) => format!("wastegate:policy@{version}"),
            None => String::new(),
        },
        Step::Imports => verdict::of(anatomy),
        Step::Types
        | Step::Compile
        | Step::Describe
        | Step::Manifest
        | Step::Parameters
        | Step::Kit => String::new(),
    }
}

fn parameters(declared: usize, set: usize) -> String {
    match (declared, set) {
        (0, _) => "none".to_owned(),
        (_, 0) => format!("{declared} at their defaults"),
        _ => format!("{set} of {declared} set"),
    }
}

impl Checkup {
    /// Whether the server would take it.
    #[must_use]
    pub const fn accepted(&self) -> bool {
        matches!(self.end, CheckOutcome::Accepted { .. })
    }

    /// Why it is heavy, if it is: then the budgets that it is held to are other ones.
    #[must_use]
    pub fn heavy(&self) -> Option<Weight> {
        let weight = self.program.as_ref().map(|program| program.weight());
        weight.filter(|weight| weight.is_heavy())
    }

    /// The step at which it ended, if it was refused.
    #[must_use]
    pub const fn failed(&self) -> Option<Step> {
        match &self.end {
            CheckOutcome::Accepted { .. } => None,
            CheckOutcome::Refused(error) => error.step(),
            CheckOutcome::Misbehaves(_) => Some(Step::Kit),
        }
    }

    /// Everything that has to be mended, in full: what, where and how.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        match &self.end {
            CheckOutcome::Accepted { .. } => Vec::new(),
            CheckOutcome::Refused(error) => vec![chain(error)],
            CheckOutcome::Misbehaves(failures) => failures.iter().map(failure).collect(),
        }
    }

    /// The same for programs.
    #[must_use]
    pub fn json(&self, file: &str) -> Value {
        let note = |step| {
            let mut passed = self.passed.iter();
            passed.find(|(known, _)| *known == step)
        };
        let steps: Vec<Value> = Step::ALL
            .into_iter()
            .map(|step| match note(step) {
                Some((_, note)) => json!({ "step": step.name(), "mark": "passed", "note": note }),
                None if self.failed() == Some(step) => {
                    json!({ "step": step.name(), "mark": "failed" })
                }
                None => json!({ "step": step.name(), "mark": "not-reached" }),
            })
            .collect();
        let broken: Vec<&str> = match &self.end {
            CheckOutcome::Misbehaves(failures) => {
                failures.iter().map(|f| f.property().name()).collect()
            }
            CheckOutcome::Accepted { .. } | CheckOutcome::Refused(_) => Vec::new(),
        };
        let (policy, report) = match &self.end {
            CheckOutcome::Accepted { about, report } => (json!(about), report_json(report)),
            CheckOutcome::Refused(_) | CheckOutcome::Misbehaves(_) => (Value::Null, Value::Null),
        };
        json!({
            "file": file,
            "accepted": self.accepted(),
            "policy": policy,
            "weight": self.program.as_ref().map(|program| weight_json(program.weight())),
            "steps": steps,
            "problems": self.problems(),
            "broken_properties": broken,
            "report": report,
        })
    }
}

/// A weight for programs: `light`, or `heavy` and why.
fn weight_json(weight: Weight) -> Value {
    match weight {
        Weight::Light => json!({ "class": "light" }),
        Weight::Heavy(_) => json!({ "class": "heavy", "why": weight.to_string() }),
    }
}

fn report_json(report: &KitReport) -> Value {
    let fuel = report.fuel.iter();
    json!({
        "calls": report.calls,
        "fuel": fuel.map(|point| json!({ "rows": point.rows, "fuel": point.fuel })).collect::<Vec<_>>(),
        "fuel_share": report.fuel_share,
        "breaking_point_rows": report.breaking_point,
        "everything_breaks_at_rows": report.everything_breaks_at,
    })
}

fn failure(failure: &KitFailure) -> String {
    format!("{}: {}", failure.property(), chain(failure))
}

impl fmt::Display for Checkup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.failed();
        for step in Step::ALL {
            let passed = self.passed.iter().find(|(known, _)| *known == step);
            match passed {
                Some((_, note)) if note.is_empty() => writeln!(f, "  ✓ {step}")?,
                Some((_, note)) => writeln!(f, "  ✓ {:<11} {note}", step.name())?,
                None if failed == Some(step) => writeln!(f, "  ✗ {step}")?,
                None => writeln!(f, "  - {step}")?,
            }
            if failed == Some(step) {
                for problem in self.problems() {
                    writeln!(f, "      {}", hanging(&problem, 6))?;
                }
            }
        }
        match &self.end {
            CheckOutcome::Accepted { about, report } => {
                writeln!(f, "{} {} would be taken", about.name, about.version)?;
                if let Some(weight) = self.heavy() {
                    writeln!(
                        f,
                        "  {weight}; every call is made on the pool, within `policy.heavy.*`"
                    )?;
                }
                writeln!(f, "  {report}")
            }
            CheckOutcome::Refused(_) | CheckOutcome::Misbehaves(_) => {
                writeln!(f, "it would not be taken")
            }
        }
    }
}

#[cfg(test)]
mod tests;
