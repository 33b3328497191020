//! `wastegate policy bench`: what a ranking takes, and what changed since it was last saved.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use super::super::Terminal;
use super::super::exit::{EX_CANTCREAT, EX_DATAERR};
use super::super::failure::{EX_NOINPUT, Failure};
use super::settings::SettingArgs;
use super::target::{self, EngineArgs};
use wastegate_engine::policy::load;
use wastegate_lab::workbench::bench::baseline::{Baseline, FigureChange};
use wastegate_lab::workbench::bench::{self, Bench};
use wastegate_lab::workbench::text::chain;

/// Arguments of `wastegate policy bench`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate policy bench my-policy.wasm --save before.json\n  wastegate policy bench my-policy.wasm --against before.json --fail-over 5"
)]
pub(super) struct Args {
    /// The files, components or core modules; or names of policies that the host ships.
    #[arg(value_name = "POLICY", required = true)]
    policies: Vec<String>,
    /// Numbers of rows.
    #[arg(long, value_delimiter = ',', default_values_t = bench::ROWS, value_parser = clap::value_parser!(u32).range(0..=i64::from(bench::ROWS_MAX)))]
    rows: Vec<u32>,
    /// Save the figures in a file.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Compare fuel with the figures in a file.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Fail if fuel grew by more than so many percent anywhere.
    #[arg(long, value_name = "PERCENT", requires = "against")]
    fail_over: Option<f64>,
    #[command(flatten)]
    settings: SettingArgs,
    /// Print one JSON object instead.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Args {
    /// Measures them: 1 if one is refused, or fuel grew by more than it may.
    pub(super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let engine = self.engine.engine(terminal.environment)?;
        // Before anything is measured: a file that cannot be used would have cost minutes.
        let baseline = match &self.against {
            None => None,
            Some(path) => Some(read(path)?),
        };
        let size_max = engine.config().file_bytes_max();
        let params = self.settings.params();
        let mut benches: Vec<Bench> = Vec::new();
        for name in &self.policies {
            let bytes = target::bytes(name, size_max)?;
            let policy = load::policy(&engine, &bytes, &params)
                .map_err(|error| Failure::new(format!("{name}: {}", chain(&error))))?;
            let bench = bench::bench(&policy, &self.rows);
            if !self.json {
                write!(terminal.out, "{bench}")?;
            }
            benches.push(bench);
        }
        let changes = baseline
            .as_ref()
            .map(|baseline| baseline.changes(&benches))
            .unwrap_or_default();
        if self.json {
            let object = serde_json::json!({ "policies": benches, "changes": changes });
            writeln!(terminal.out, "{object}")?;
        } else if let Some(path) = &self.against {
            print(&changes, path, terminal.out)?;
        }
        if let Some(path) = &self.save
            && let Err(error) = std::fs::write(path, Baseline::of(&benches).text())
        {
            let sentence = format!("`{}` cannot be written: {error}", path.display());
            return Err(Failure::new(sentence).code(EX_CANTCREAT));
        }
        let grown = self.fail_over.map(|most| {
            let over = |change: &&FigureChange| change.growth().is_some_and(|growth| growth > most);
            (most, changes.iter().filter(over).collect::<Vec<_>>())
        });
        match grown {
            Some((most, grown)) if !grown.is_empty() => {
                let sentence = |change| format!("fuel grew by more than {most} %: {change}");
                Err(Failure::all(grown.into_iter().map(sentence)))
            }
            _ => Ok(ExitCode::SUCCESS),
        }
    }
}

fn print(
    changes: &[FigureChange],
    path: &std::path::Path,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    writeln!(out, "fuel against {}", path.display())?;
    if changes.is_empty() {
        writeln!(
            out,
            "  it has none of these policies with these numbers of rows"
        )?;
    }
    changes
        .iter()
        .try_for_each(|change| writeln!(out, "  {change}"))
}

fn read(path: &std::path::Path) -> Result<Baseline, Failure> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(format!("`{name}` cannot be read: {error}")).code(EX_NOINPUT)
    })?;
    Baseline::parse(&text)
        .map_err(|error| Failure::new(format!("`{name}`: {}", chain(&error))).code(EX_DATAERR))
}
