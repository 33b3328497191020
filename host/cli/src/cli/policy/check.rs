//! `wastegate policy check`: would the server take this file, and if not, why.

use std::process::ExitCode;

use super::super::Terminal;
use super::super::failure::Failure;
use super::settings::SettingArgs;
use super::target::{self, EngineArgs};
use wastegate_lab::workbench::check::check;

/// Arguments of `wastegate policy check`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate policy check my-policy.wasm\n  wastegate policy check lru fifo --json"
)]
pub(super) struct Args {
    /// The files, components or core modules; or names of policies that the host ships.
    #[arg(value_name = "FILE", required = true)]
    policies: Vec<String>,
    #[command(flatten)]
    settings: SettingArgs,
    /// Print one JSON object a file instead.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Args {
    /// Checks them: 0 if the server would take all of them, 1 if not, 66 if one cannot be read.
    pub(super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let engine = self.engine.engine(terminal.environment)?;
        let size_max = engine.config().file_bytes_max();
        let params = self.settings.params();
        let (mut unreadable, mut refused) = (None, false);
        for name in &self.policies {
            let bytes = match target::bytes(name, size_max) {
                Ok(bytes) => bytes,
                Err(failure) => {
                    unreadable = Some(failure.report(terminal.err)?);
                    continue;
                }
            };
            let checkup = check(&engine, &bytes, &params);
            refused |= !checkup.accepted();
            if self.json {
                writeln!(terminal.out, "{}", checkup.json(name))?;
            } else {
                writeln!(terminal.out, "{name}")?;
                write!(terminal.out, "{checkup}")?;
            }
        }
        Ok(match unreadable {
            Some(code) => code,
            None if refused => ExitCode::FAILURE,
            None => ExitCode::SUCCESS,
        })
    }
}
