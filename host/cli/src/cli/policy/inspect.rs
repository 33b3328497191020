//! `wastegate policy inspect`: what a file is, what it asks for and what it costs.

use std::process::ExitCode;

use super::super::Terminal;
use super::super::failure::Failure;
use super::settings::SettingArgs;
use super::target::{self, EngineArgs};
use wastegate_lab::workbench::inspect::inspect;

/// Arguments of `wastegate policy inspect`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate policy inspect my-policy.wasm\n  wastegate policy inspect lru"
)]
pub(super) struct Args {
    /// The file, component or core module; or the name of a policy that the host ships.
    #[arg(value_name = "FILE")]
    policy: String,
    #[command(flatten)]
    settings: SettingArgs,
    /// Print one JSON object instead.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Args {
    /// Inspects it: 0 if the server would take it, 1 if not, 66 if it cannot be read.
    pub(super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let engine = self.engine.engine(terminal.environment)?;
        let size_max = engine.config().file_bytes_max();
        let bytes = target::bytes(&self.policy, size_max)?;
        let inspection = inspect(&engine, &bytes, &self.settings.params());
        if self.json {
            writeln!(terminal.out, "{}", inspection.json(&self.policy))?;
        } else {
            write!(terminal.out, "{inspection}")?;
        }
        Ok(if inspection.checkup.accepted() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
