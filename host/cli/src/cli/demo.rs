//! `wastegate demo`: the whole story in one process.

use std::io::{self, Write};
use std::process::ExitCode;

use super::Terminal;
use super::exit::{EX_UNAVAILABLE, EX_USAGE};
use super::failure::Failure;
use super::prose::{columns, fitted, screen};
use crate::demo::{self, DemoError, Options, Tell, Tone};
use wastegate::gateway::upstream::BadUpstream;
use wastegate_core::types::visible;

/// Arguments of `wastegate demo`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate demo\n  wastegate demo --managers 50 --silent 10 --seed 7\n  wastegate demo --upstream ws://127.0.0.1:8000"
)]
pub struct Args {
    /// The user's limit; all of it is taken before one more knocks.
    #[arg(long, default_value_t = 20)]
    managers: u32,
    /// How many of the managers go silent.
    #[arg(long, default_value_t = 8)]
    silent: u32,
    /// Which of them: the same seed, the same choice.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Show it in front of this WebSocket server instead of the built-in application.
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Print one JSON object instead of the story.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Shows it. Succeeds if the promise was kept.
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let upstream = self.upstream.as_deref().map(str::parse).transpose();
        let upstream = upstream.map_err(|error: BadUpstream| {
            Failure::new(format!("--upstream: {error}")).code(EX_USAGE)
        })?;
        let options = Options {
            managers: self.managers,
            silent: self.silent,
            seed: self.seed,
            upstream,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let mut teller = Teller {
            out: terminal.out,
            painted: screen().filter(|_| !terminal.environment.is_plain()),
        };
        let story = (!self.json).then_some(&mut teller as &mut dyn Tell);
        let summary = runtime
            .block_on(demo::run(options, story))
            .map_err(|error| {
                let code = match error {
                    DemoError::Options => EX_USAGE,
                    _ => EX_UNAVAILABLE,
                };
                Failure::of(&error).code(code)
            })?;
        if self.json {
            writeln!(teller.out, "{}", serde_json::json!(summary))?;
        }
        Ok(if summary.is_as_promised() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// Tells the story on standard output: in colours where that is a terminal.
struct Teller<'a> {
    out: &'a mut dyn Write,
    /// What lets colours pass, which `out` would show as text.
    painted: Option<io::Stdout>,
}

impl Tell for Teller<'_> {
    fn tell(&mut self, tone: Tone, line: &str) -> io::Result<()> {
        let Some(stdout) = &mut self.painted else {
            writeln!(self.out, "{line}")?;
            return self.out.flush();
        };
        let colour = match tone {
            Tone::Plain => "",
            Tone::Good => "\u{1b}[1;32m",
            Tone::Bad => "\u{1b}[31m",
            Tone::Soft => "\u{1b}[2m",
        };
        let end = if colour.is_empty() { "" } else { "\u{1b}[0m" };
        // A server behind the gateway may have put anything into it.
        let line = visible::line(line);
        let line = match columns(stdout) {
            Some(width) => fitted(&line, width),
            None => line,
        };
        writeln!(stdout, "{colour}{line}{end}")?;
        stdout.flush()
    }
}
