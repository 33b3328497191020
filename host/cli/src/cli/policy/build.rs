//! `wastegate policy build`: from a project to a file that a server would take.

use std::path::PathBuf;
use std::process::ExitCode;

use super::super::Terminal;
use super::super::failure::{EX_NOINPUT, Failure};
use super::super::serve::chain;
use super::target::{self, EngineArgs};
use wastegate_engine::policy::{Params, load};
use wastegate_lab::workbench::scaffold::project::Project;
use wastegate_lab::workbench::scaffold::{ScaffoldError, build, tools};

/// Arguments of `wastegate policy build`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate policy build\n  wastegate policy build policies/mine"
)]
pub(super) struct Args {
    /// The project's folder: the one with `wastegate-policy.toml`.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Args {
    /// Builds and checks it: 0 if a server would take what came out, 1 if not or if it does not
    /// build, 66 if there is no project.
    pub(super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let Terminal {
            environment, out, ..
        } = terminal;
        // The limits first: whoever has a wrong configuration need not wait for a compiler.
        let engine = self.engine.engine(environment)?;
        let built = Project::read(&self.dir).and_then(|project| {
            let invocation = tools::invocation(&project)?;
            Ok((project, invocation))
        });
        let (project, invocation) = built.map_err(|error| failed(&error))?;
        writeln!(out, "building {}: {invocation}", project.name)?;
        // Before the compiler speaks up.
        out.flush()?;
        let artifact = build::run(&invocation).and_then(|()| build::artifact(&project));
        let artifact = artifact.map_err(|error| failed(&error))?;
        let file = artifact.display().to_string();
        let size_max = engine.config().file_bytes_max();
        let bytes = target::bytes(&file, size_max)?;
        let policy = load::policy(&engine, &bytes, &Params::new()).map_err(|error| {
            let why = chain(&error);
            Failure::new(format!("it was built, but no server would take it: {why}"))
        })?;
        let about = policy.about();
        writeln!(out, "{} {} is ready", about.name, about.version)?;
        writeln!(out, "  file    {file}")?;
        writeln!(out, "  size    {} bytes", bytes.len())?;
        writeln!(out, "  digest  sha256:{}", about.digest)?;
        writeln!(out, "  check   {}", policy.report())?;
        writeln!(out, "next")?;
        writeln!(out, "  wastegate policy test {}", self.dir.display())?;
        writeln!(out, "  wastegate serve --policy {file}")?;
        Ok(ExitCode::SUCCESS)
    }
}

fn failed(error: &ScaffoldError) -> Failure {
    let failure = Failure::of(error);
    match error {
        ScaffoldError::NoProject(_) | ScaffoldError::Read { .. } => failure.code(EX_NOINPUT),
        _ => failure,
    }
}
