//! `wastegate policy test`: a folder of cases against a policy, once or whenever something changes.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::super::Terminal;
use super::super::failure::{EX_NOINPUT, Failure};
use super::super::serve::stop_signal;
use super::target::EngineArgs;
use super::{failure, subject};
use wastegate_core::types::Clock;
use wastegate_engine::policy::Engine;
use wastegate_lab::workbench::project::Project;
use wastegate_lab::workbench::suite::{self, CaseVerdict, Named, SuiteReport};
use wastegate_lab::workbench::units;
use wastegate_lab::workbench::watch::FileWatch;

/// How often the watch looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Arguments of `wastegate policy test`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate policy test\n  wastegate policy test cases --policy lru --junit report.xml"
)]
pub(super) struct Args {
    /// The folder of the cases, or of a project made by `wastegate policy new`.
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// The policy: a file, or the name of one that the host ships; else what the project builds.
    #[arg(long, value_name = "POLICY")]
    policy: Option<String>,
    /// Only the cases whose names hold this text.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Set a parameter for all cases; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = subject::parameter)]
    param: Vec<(String, f64)>,
    /// Run again whenever the policy or a case changes, until interrupted.
    #[arg(long)]
    watch: bool,
    /// Write a report for build servers.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

/// What is tested, once everything is found.
struct Bench<'a> {
    args: &'a Args,
    project: Project,
    policy: String,
    engine: Engine,
}

impl Args {
    /// Tests: 0 if every case passes, 1 if one fails, 66 if something cannot be read.
    pub(super) fn run(mut self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let Terminal {
            environment,
            out,
            err,
        } = terminal;
        let project =
            Project::find(&self.folder).map_err(|error| Failure::of(&error).code(EX_NOINPUT))?;
        let Some(policy) = self.policy(&project) else {
            let sentence = "which policy? give `--policy FILE`, or name the folder of a project made by `wastegate policy new`";
            return Err(Failure::new(sentence).code(EX_NOINPUT));
        };
        let engine = std::mem::take(&mut self.engine);
        let engine = engine.engine(environment)?;
        let bench = Bench {
            args: &self,
            project,
            policy,
            engine,
        };
        if self.watch {
            bench.watch(out, err)
        } else {
            bench.once(out)
        }
    }

    fn policy(&self, project: &Project) -> Option<String> {
        let built = project.policy.as_ref();
        self.policy
            .clone()
            .or_else(|| Some(built?.to_string_lossy().into_owned()))
    }
}

impl Bench<'_> {
    /// Runs whenever something changed, and ends as the last run did.
    fn watch(&self, out: &mut dyn Write, err: &mut dyn Write) -> Result<ExitCode, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut watch = FileWatch::default();
        let mut code = ExitCode::SUCCESS;
        runtime.block_on(async {
            let stop = stop_signal();
            tokio::pin!(stop);
            loop {
                if watch.look(&self.watched()) {
                    code = self.once(out).or_else(|failure| failure.report(err))?;
                    writeln!(out, "watching; ctrl-c ends it")?;
                    out.flush()?;
                }
                tokio::select! {
                    () = &mut stop => return Ok(code),
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            }
        })
    }

    /// Everything that a run depends on. Snapshots that cases name count too, wherever a project
    /// keeps them.
    fn watched(&self) -> Vec<PathBuf> {
        let json = |name: &str| name.ends_with(".json");
        let mut paths = vec![PathBuf::from(&self.policy)];
        let snapshots = self.project.cases.join("../snapshots");
        let folders = [&*self.project.cases, &*snapshots];
        for folder in folders.into_iter().filter(|folder| folder.is_dir()) {
            // What cannot be listed is told by the run.
            let found = wastegate_lab::workbench::files::walk(folder, json);
            paths.extend(found.unwrap_or_default());
        }
        paths
    }

    fn once(&self, out: &mut dyn Write) -> Result<ExitCode, Failure> {
        if let Some(built) = &self.project.policy
            && self.args.policy.is_none()
            && !built.exists()
        {
            let sentence = format!(
                "{} is not there yet; build it with `wastegate policy build`",
                built.display()
            );
            return Err(Failure::new(sentence).code(EX_NOINPUT));
        }
        let cases = suite::collect(&self.project.cases);
        let cases = self.wanted(cases.map_err(|error| subject::unreadable(&error))?);
        if cases.is_empty() {
            let folder = self.project.cases.display();
            let sentence = match &self.args.filter {
                Some(text) => format!("no case in {folder} has {text:?} in its name"),
                None => format!("no `.json` file in {folder}"),
            };
            return Err(Failure::new(sentence).code(EX_NOINPUT));
        }
        let program = subject::program(&self.engine, &self.policy)?;
        let set = subject::set(self.args.param.clone());
        if let Err(bad) = program.manifest().params(&set) {
            return Err(subject::refused(&bad));
        }
        let report = suite::run(&program, &set, &cases, &Clock::system());
        if let Some(path) = &self.args.junit {
            write_junit(&report, &program.about().name, path)?;
        }
        if self.args.json {
            failure::json_report(&report, &program, out)?;
        } else {
            print(&report, &program, out)?;
        }
        Ok(code(&report))
    }

    fn wanted(&self, mut cases: Vec<Named>) -> Vec<Named> {
        if let Some(text) = &self.args.filter {
            cases.retain(|case| case.name.contains(text.as_str()));
        }
        cases
    }
}

fn code(report: &SuiteReport) -> ExitCode {
    match report.counts() {
        (_, 0, 0) => ExitCode::SUCCESS,
        (_, _, 0) => ExitCode::FAILURE,
        _ => ExitCode::from(EX_NOINPUT),
    }
}

fn print(
    report: &SuiteReport,
    program: &wastegate_engine::policy::Program,
    out: &mut dyn Write,
) -> io::Result<()> {
    for ended in &report.ended {
        match &ended.verdict {
            CaseVerdict::Passed { .. } => {}
            CaseVerdict::Unusable(why) => writeln!(out, "ERROR {}\n  {why}\n", ended.name)?,
            CaseVerdict::Failed(failed) => {
                writeln!(out, "FAIL {}", ended.name)?;
                failure::write(failed, program, out)?;
                writeln!(out)?;
            }
        }
    }
    let (passed, failed, unusable) = report.counts();
    let about = program.about();
    write!(
        out,
        "{} {}: {} cases, {passed} passed, {failed} failed",
        about.name,
        about.version,
        report.ended.len()
    )?;
    if unusable > 0 {
        write!(out, ", {unusable} could not be tried")?;
    }
    if let Some((fuel, name)) = report.fuel_max() {
        write!(out, "; most fuel {} ({name})", units::thousands(fuel))?;
    }
    let took = units::milliseconds(report.took.as_secs_f64() * 1e3);
    writeln!(out, "; {took}")
}

fn write_junit(report: &SuiteReport, policy: &str, path: &Path) -> Result<(), Failure> {
    let written = suite::junit(report, policy, failure::text)
        .map_err(io::Error::other)
        .and_then(|xml| std::fs::write(path, xml));
    written.map_err(|error| {
        let shown = json!(path.display().to_string());
        Failure::new(format!("the report {shown} cannot be written: {error}"))
    })
}
