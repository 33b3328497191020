//! `wastegate policy build`: from a project to a file that a server would take.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use super::super::Terminal;
use super::super::serve::chain;
use super::target::{self, EX_NOINPUT, EngineArgs, Told};
use wastegate_engine::policy::{Params, load};
use wastegate_lab::workbench::scaffold::project::Project;
use wastegate_lab::workbench::scaffold::{ScaffoldError, build, tools};

/// Arguments of `wastegate policy build`.
#[derive(Debug, clap::Args)]
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
    pub(super) fn run(self, terminal: Terminal<'_>) -> io::Result<ExitCode> {
        let Terminal {
            environment,
            out,
            err,
        } = terminal;
        // The limits first: whoever has a wrong configuration need not wait for a compiler.
        let engine = match self.engine.engine(environment, err)? {
            Ok(engine) => engine,
            Err(Told(code)) => return Ok(code),
        };
        let built = Project::read(&self.dir).and_then(|project| {
            let invocation = tools::invocation(&project)?;
            Ok((project, invocation))
        });
        let (project, invocation) = match built {
            Ok(found) => found,
            Err(error) => return told(&error, err),
        };
        writeln!(out, "building {}: {invocation}", project.name)?;
        // Before the compiler speaks up.
        out.flush()?;
        let artifact = build::run(&invocation).and_then(|()| build::artifact(&project));
        let artifact = match artifact {
            Ok(artifact) => artifact,
            Err(error) => return told(&error, err),
        };
        let file = artifact.display().to_string();
        let size_max = engine.config().file_bytes_max();
        let bytes = match target::bytes(&file, size_max, err)? {
            Ok(bytes) => bytes,
            Err(Told(code)) => return Ok(code),
        };
        let policy = match load::policy(&engine, &bytes, &Params::new()) {
            Ok(policy) => policy,
            Err(error) => {
                writeln!(
                    err,
                    "error: it was built, but no server would take it: {}",
                    chain(&error)
                )?;
                return Ok(ExitCode::FAILURE);
            }
        };
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

fn told(error: &ScaffoldError, err: &mut dyn io::Write) -> io::Result<ExitCode> {
    writeln!(err, "error: {}", chain(error))?;
    Ok(match error {
        ScaffoldError::NoProject(_) | ScaffoldError::Read { .. } => ExitCode::from(EX_NOINPUT),
        _ => ExitCode::FAILURE,
    })
}
