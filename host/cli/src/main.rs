//! The `wastegate` program: arguments in, exit code out.

use std::io::{stderr, stdout};
use std::process::ExitCode;

use clap::Parser;
use wastegate_cli::cli::{Cli, Terminal};
use wastegate_cli::config::Environment;
use wastegate_engine::policy::load::workshop;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> anyhow::Result<ExitCode> {
    workshop::compile_in_processes();
    // Not locked: other threads log to them.
    let (mut out, mut err) = (stdout(), stderr());
    let terminal = Terminal {
        environment: Environment::of_process(),
        out: &mut out,
        err: &mut err,
    };
    Ok(Cli::parse().run(terminal)?)
}
