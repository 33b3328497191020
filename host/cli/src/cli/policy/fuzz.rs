//! `wastegate policy fuzz`: made-up questions against the rules of the acceptance kit.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::super::Terminal;
use super::super::exit::{EX_CANTCREAT, EX_DATAERR};
use super::super::failure::{EX_NOINPUT, Failure};
use super::settings::SettingArgs;
use super::target::{self, EngineArgs};
use wastegate_engine::policy::{Program, TestCase, load};
use wastegate_lab::workbench::fuzz::{self, Finding, Fuzzed, Limit};
use wastegate_lab::workbench::text::{chain, grouped};

/// The largest case file that is read, bytes.
const CASE_BYTES_MAX: u64 = 64 << 20;

/// Arguments of `wastegate policy fuzz`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate policy fuzz my-policy.wasm --for 60")]
pub(super) struct Args {
    /// The file, component or core module; or the name of a policy that the host ships.
    #[arg(value_name = "POLICY")]
    policy: String,
    /// From which all questions follow: the same seed, the same questions.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many questions.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000,
        conflicts_with = "seconds"
    )]
    runs: u64,
    /// For how long instead.
    #[arg(long = "for", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,
    /// Where cases are written of what is found.
    #[arg(long, value_name = "DIR", default_value = "cases")]
    out: PathBuf,
    /// Ask the questions of such cases again, instead of new ones.
    #[arg(long = "case", value_name = "FILE")]
    cases: Vec<PathBuf>,
    #[command(flatten)]
    settings: SettingArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Args {
    /// Looks for what breaks it: 1 if something does, or it does not load.
    pub(super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let engine = self.engine.engine(terminal.environment)?;
        let size_max = engine.config().file_bytes_max();
        let bytes = target::bytes(&self.policy, size_max)?;
        let loaded = load::program(&engine, &bytes).and_then(|program: Arc<Program>| {
            let params = program.params(&self.settings.params())?;
            Ok((program, params))
        });
        let (program, params) = loaded.map_err(|error| Failure::of(&error))?;
        if !self.cases.is_empty() {
            return replay(&program, &self.cases, terminal.out);
        }
        let limit = match self.seconds {
            Some(seconds) => Limit::For(Duration::from_secs(seconds)),
            None => Limit::Runs(self.runs),
        };
        let fuzzed = fuzz::fuzz(&program, &params, self.seed, limit);
        let Fuzzed {
            seed,
            runs,
            findings,
        } = &fuzzed;
        let asked = format!(
            "{}: {} questions of seed {seed}",
            program.about().name,
            grouped(*runs)
        );
        if findings.is_empty() {
            writeln!(terminal.out, "{asked}, and nothing broke")?;
            return Ok(ExitCode::SUCCESS);
        }
        let s = if findings.len() == 1 {
            "y was"
        } else {
            "ies were"
        };
        writeln!(
            terminal.out,
            "{asked}, and {} propert{s} broken",
            findings.len()
        )?;
        for finding in findings {
            let file = write(&self.out, *seed, finding, &program).map_err(|error| {
                let out = self.out.display();
                Failure::new(format!("cannot write to `{out}`: {error}")).code(EX_CANTCREAT)
            })?;
            print(finding, &file, terminal.out)?;
        }
        Ok(ExitCode::FAILURE)
    }
}

fn print(finding: &Finding, file: &Path, out: &mut dyn io::Write) -> io::Result<()> {
    let (property, failure) = (finding.property(), chain(&finding.failure));
    writeln!(out, "  {property}: {failure}")?;
    writeln!(
        out,
        "    question {}, made smaller from {} to {} rows: {}",
        finding.run,
        finding.rows_before,
        finding.input.rows,
        file.display()
    )
}

fn write(folder: &Path, seed: u64, finding: &Finding, program: &Program) -> io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let name = format!("fuzz-{}-{seed}-{}.json", finding.property(), finding.run);
    let file = folder.join(name);
    let text = serde_json::to_string_pretty(&finding.case(program))?;
    std::fs::write(&file, text + "\n")?;
    Ok(file)
}

fn replay(
    program: &Program,
    files: &[PathBuf],
    out: &mut dyn io::Write,
) -> Result<ExitCode, Failure> {
    let mut code = ExitCode::SUCCESS;
    for file in files {
        let name = file.display();
        let case = read(file).map_err(|error| {
            let data = error.kind() == io::ErrorKind::InvalidData;
            Failure::new(format!("`{name}` cannot be read: {error}")).code(if data {
                EX_DATAERR
            } else {
                EX_NOINPUT
            })
        })?;
        let broken = fuzz::replay(program, &case)
            .map_err(|mismatch| Failure::new(format!("`{name}`: {mismatch}")).code(EX_DATAERR))?;
        if broken.is_empty() {
            writeln!(out, "{name}: nothing broke")?;
        }
        for failure in broken {
            let property = failure.property();
            writeln!(out, "{name}: {property}: {}", chain(&failure))?;
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

fn read(file: &Path) -> io::Result<TestCase> {
    use io::Read as _;
    let mut text = Vec::new();
    std::fs::File::open(file)?
        .take(CASE_BYTES_MAX)
        .read_to_end(&mut text)?;
    serde_json::from_slice(&text).map_err(|error| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("it is no case that `wastegate policy fuzz` or a server wrote: {error}"),
        )
    })
}
