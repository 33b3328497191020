//! `wastegate policy`: a file per verb, for authors and for operators.
//!
//! What a verb does is the matter of `workbench` and `rollout`; here it becomes text and an exit
//! code.

mod check;
mod diff;
mod failure;
mod parting;
mod ranking;
mod run;
mod subject;
mod table;
mod target;
mod test;

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
    /// Load a policy as the server would and put it through the acceptance kit.
    Check(check::Args),
    /// Compare two policies on recorded snapshots: where they part, why, and whom it would hurt.
    Diff(diff::Args),
    /// Ask a policy about one snapshot, and see its ranking with what it read.
    Run(run::Args),
    /// Hold a policy to a folder of cases.
    Test(test::Args),
}

impl Args {
    /// Does it.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn run(self, terminal: Terminal<'_>) -> io::Result<ExitCode> {
        match self.verb {
            Verb::Check(args) => args.run(terminal),
            Verb::Diff(args) => args.run(terminal),
            Verb::Run(args) => args.run(terminal),
            Verb::Test(args) => args.run(terminal),
        }
    }
}
