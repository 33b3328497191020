//! The `wastegate` program: arguments in, exit code out.

use std::io::{stderr, stdout};
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use wastegate_cli::cli::prose::{Fitted, columns};
use wastegate_cli::cli::{Cli, Terminal};
use wastegate_cli::config::Environment;
use wastegate_engine::policy::load::workshop;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> anyhow::Result<ExitCode> {
    workshop::compile_in_processes();
    let width = columns(&stdout());
    // 0 is no limit: without a terminal nothing is wrapped.
    let command = Cli::command().term_width(width.unwrap_or(0));
    let arguments = command.get_matches();
    let cli = Cli::from_arg_matches(&arguments).unwrap_or_else(|error| error.exit());
    // Not locked: other threads log to them.
    let mut out = Fitted::new(stdout(), width);
    let mut err = Fitted::new(stderr(), columns(&stderr()));
    let terminal = Terminal {
        environment: Environment::of_process(),
        out: &mut out,
        err: &mut err,
    };
    Ok(cli.run(terminal)?)
}
