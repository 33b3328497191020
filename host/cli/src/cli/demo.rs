//! `wastegate demo`: the whole story in one process.

use std::io;
use std::process::ExitCode;

use super::Terminal;
use super::exit::{EX_UNAVAILABLE, EX_USAGE};
use super::failure::Failure;
use crate::demo::{self, DemoError, Options};
use wastegate::gateway::upstream::BadUpstream;

/// Arguments of `wastegate demo`.
#[derive(Debug, clap::Args)]
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
    pub(in crate::cli) fn run(self, mut terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
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
        let story = (!self.json).then_some(&mut terminal.out as &mut dyn io::Write);
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
            writeln!(terminal.out, "{}", serde_json::json!(summary))?;
        }
        Ok(if summary.is_as_promised() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
