//! `wastegate policy check`: would the server take this file, and if not, why.

use std::io;
use std::process::ExitCode;

use super::super::Terminal;
use super::super::serve::chain;
use super::target::{self, EngineArgs, Told};
use crate::policy::{Params, load};

/// Arguments of `wastegate policy check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file, component or core module; or the name of a policy that the host ships.
    #[arg(value_name = "FILE")]
    policy: String,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Args {
    /// Checks it: 0 if the server would take it, 1 if not.
    pub(super) fn run(self, terminal: Terminal<'_>) -> io::Result<ExitCode> {
        let engine = match self.engine.engine(terminal.environment, terminal.err)? {
            Ok(engine) => engine,
            Err(Told(code)) => return Ok(code),
        };
        let size_max = engine.config().file_bytes_max();
        let bytes = match target::bytes(&self.policy, size_max, terminal.err)? {
            Ok(bytes) => bytes,
            Err(Told(code)) => return Ok(code),
        };
        match load::policy(&engine, &bytes, &Params::new()) {
            Ok(policy) => {
                let about = policy.about();
                writeln!(
                    terminal.out,
                    "{} {} would be taken",
                    about.name, about.version
                )?;
                writeln!(terminal.out, "  {}", policy.report())?;
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => {
                writeln!(terminal.err, "error: {}", chain(&error))?;
                Ok(ExitCode::FAILURE)
            }
        }
    }
}
