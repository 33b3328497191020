//! `wastegate policy run`: one snapshot, one answer, and what the host would do with it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::super::Terminal;
use super::super::failure::Failure;
use super::target::EngineArgs;
use super::{ranking, subject};
use wastegate_core::decision::Fault;
use wastegate_core::types::Tier;
use wastegate_engine::policy::Program;
use wastegate_lab::workbench::ask::{self, AskReport};
use wastegate_lab::workbench::case::{Case, CaseOrigin};
use wastegate_lab::workbench::files::{self, FileError};
use wastegate_lab::workbench::units;

/// Arguments of `wastegate policy run`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate policy run lru --snapshot cases/first.json\n  wastegate policy run lru --snapshot decisions.ndjson --decision 7 --needed 2"
)]
pub(super) struct Args {
    /// The policy: a file, component or core module; or the name of one that the host ships.
    #[arg(value_name = "POLICY")]
    policy: String,
    /// What to ask about: a snapshot, a case, a captured fault, a decision journal, or what `GET
    /// /v1/users/USER` of a server answered.
    #[arg(long, value_name = "FILE")]
    snapshot: PathBuf,
    /// Ask at another tier than the snapshot's.
    #[arg(long, value_parser = subject::tier)]
    tier: Option<Tier>,
    /// Ask for another number of managers than the snapshot's.
    #[arg(long, value_name = "N")]
    needed: Option<u32>,
    /// Set a parameter of the policy; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = subject::parameter)]
    param: Vec<(String, f64)>,
    /// Of a decision journal, the decision of this id; else the first.
    #[arg(long, value_name = "ID")]
    decision: Option<u64>,
    /// Write the snapshot to a file, in the form that cases use.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Everything that a run came to.
struct Run<'a> {
    program: &'a Program,
    params: &'a [f64],
    name: String,
    case: &'a Case,
    asked: &'a AskReport,
    notes: Vec<String>,
}

impl Args {
    /// Asks: 0 if the policy answered, 1 if not.
    pub(super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let Terminal {
            environment, out, ..
        } = terminal;
        let mut case = self.case().map_err(|error| subject::unreadable(&error))?;
        let snapshot = &mut case.snapshot;
        if self.tier.is_some() || self.needed.is_some() {
            snapshot.most = None;
        }
        snapshot.tier = self.tier.unwrap_or(snapshot.tier);
        snapshot.needed = self.needed.unwrap_or(snapshot.needed);
        if let Some(path) = &self.save {
            subject::save(&case.snapshot, path)?;
        }
        let engine = self.engine.engine(environment)?;
        let program = subject::program(&engine, &self.policy)?;
        let set = subject::set(self.param);
        let parameters = ask::parameters(&program, &case.params, &set);
        let (params, left_aside) = parameters.map_err(|bad: Vec<_>| subject::refused(&bad))?;
        let asked = ask::ask_aloud(&program, &params, &case.snapshot);
        let run = Run {
            program: &program,
            params: &params,
            name: self.snapshot.display().to_string(),
            notes: notes(&program, &case, left_aside)
                .into_iter()
                .chain(origin(&asked))
                .collect(),
            case: &case,
            asked: &asked,
        };
        if self.json {
            run.json(out)?;
        } else {
            run.print(out)?;
        }
        Ok(if asked.fault().is_none() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn case(&self) -> Result<Case, FileError> {
        let path = &self.snapshot;
        let Some(wanted) = self.decision else {
            return files::read(path);
        };
        for object in files::open(path)? {
            if let Some(case) = object?.case()?
                && matches!(case.origin, CaseOrigin::Record { decision, .. } if decision == wanted)
            {
                return Ok(case);
            }
        }
        Err(FileError::Wrong {
            path: path.clone(),
            what: format!("there is no decision {wanted} in it"),
        })
    }
}

/// What a reader of the result should know of its input.
pub(super) fn notes(program: &Program, case: &Case, params_left_aside: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let missing = case.origin.unrecorded(program.signals());
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|signal| signal.name()).collect();
        notes.push(format!(
            "{} {} not recorded, so the policy sees {} as unknown; it may decide otherwise on a server",
            names.join(", "),
            if names.len() == 1 { "was" } else { "were" },
            if names.len() == 1 { "it" } else { "them" },
        ));
    }
    if params_left_aside {
        notes.push(
            "the parameters of that time do not fit this policy, which is asked with its defaults"
                .to_owned(),
        );
    }
    if let CaseOrigin::Fault { policy, fault, .. } = &case.origin {
        notes.push(format!("when it was captured, `{policy}` {fault}"));
    }
    notes
}

/// Which settings gave what the policy ran out of.
fn origin(asked: &AskReport) -> Option<String> {
    let keys = asked.allowance.keys;
    match asked.fault()? {
        Fault::OutOfFuel(_) => Some(format!(
            "its fuel is set by `{}` and `{}`",
            keys.fuel_base, keys.fuel_per_row
        )),
        Fault::Memory(_) => Some(format!("its memory is bounded by `{}`", keys.memory)),
        Fault::Deadline(_) => Some(format!("its time is bounded by `{}`", keys.deadline)),
        Fault::Trap(_)
        | Fault::OutputTooLarge(_)
        | Fault::Refused(_)
        | Fault::ScopeUnsupported
        | Fault::Saturated
        | Fault::Quarantined => None,
    }
}

impl Run<'_> {
    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let (about, question) = (self.program.about(), &self.asked.question);
        writeln!(
            out,
            "{} {} on {}: {} tier, {} scope, {} needed, the host would take {}; {} held of {}, {} rows in question",
            about.name,
            about.version,
            self.name,
            question.tier,
            question.scope.name(),
            question.needed,
            question.most,
            question.held,
            question.limit,
            question.rows.len(),
        )?;
        if let Some(params) = subject::params_in_words(self.program, self.params) {
            writeln!(out, "parameters: {params}")?;
        }
        for note in &self.notes {
            writeln!(out, "note: {note}")?;
        }
        if let Some(fault) = self.asked.fault() {
            writeln!(
                out,
                "the policy {fault}; the host's own ranking decides instead"
            )?;
        }
        writeln!(out)?;
        ranking::write(self.asked, &self.case.snapshot, "", out)?;
        writeln!(out)?;
        writeln!(out, "{}", cost(self.asked))?;
        self.log(out)
    }

    fn log(&self, out: &mut dyn Write) -> io::Result<()> {
        for line in &self.asked.log {
            let level = line.level.as_str().to_ascii_lowercase();
            writeln!(out, "log {level:<5}  {}", line.message)?;
        }
        match self.asked.lines_dropped {
            0 => Ok(()),
            dropped => writeln!(out, "log: {dropped} lines over the cap were dropped"),
        }
    }

    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let (asked, question) = (self.asked, &self.asked.question);
        let log: Vec<_> = asked
            .log
            .iter()
            .map(|line| json!({ "level": line.level.as_str().to_ascii_lowercase(), "message": line.message }))
            .collect();
        let report = json!({
            "policy": subject::json_policy(self.program, self.params),
            "snapshot": self.name,
            "tier": question.tier,
            "scope": question.scope,
            "needed": question.needed,
            "most": question.most,
            "limit": question.limit,
            "held": question.held,
            "fault": asked.fault().map(ToString::to_string),
            "ranking": ranking::json(asked, &self.case.snapshot),
            "victims": asked.victims(),
            "fuel": asked.answer.fuel,
            "fuel_budget": asked.allowance.fuel,
            "call_us": u64::try_from(asked.answer.duration.as_micros()).unwrap_or(u64::MAX),
            "log": log,
            "log_dropped": asked.lines_dropped,
            "notes": self.notes,
        });
        writeln!(out, "{report}")
    }
}

/// What a call took, for people.
pub(super) fn cost(asked: &AskReport) -> String {
    let took = units::milliseconds(asked.answer.duration.as_secs_f64() * 1e3);
    match asked.answer.fuel {
        None => "the policy was not asked".to_owned(),
        Some(fuel) => format!(
            "fuel {} of {} ({} %), {took}",
            units::thousands(fuel),
            units::thousands(asked.allowance.fuel),
            asked.allowance.percent(fuel),
        ),
    }
}
