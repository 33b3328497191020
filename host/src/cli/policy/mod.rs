//! `wastegate policy`: a file per verb, for authors and for operators.
//!
//! What a verb does is the matter of `workbench` and `rollout`; here it becomes text and an exit
//! code.

mod bench;
mod check;
mod fuzz;
mod inspect;
mod settings;
mod target;

use std::io;
use std::process::ExitCode;

use super::Terminal;

/// Arguments of `wastegate policy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Measure fuel and time over the number of rows, beside native code.
    Bench(bench::Args),
    /// Load a policy as the server would and put it through the acceptance kit.
    Check(check::Args),
    /// Ask a policy made-up questions until one breaks a rule.
    Fuzz(fuzz::Args),
    /// Say what a policy is, what it asks for and what it costs.
    Inspect(inspect::Args),
}

impl Args {
    /// Does it.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn run(self, terminal: Terminal<'_>) -> io::Result<ExitCode> {
        match self.verb {
            Verb::Bench(args) => args.run(terminal),
            Verb::Check(args) => args.run(terminal),
            Verb::Fuzz(args) => args.run(terminal),
            Verb::Inspect(args) => args.run(terminal),
        }
    }
}
