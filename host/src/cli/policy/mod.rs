//! `wastegate policy`: a file per verb, for authors and for operators.
//!
//! What a verb does is the matter of `workbench` and `rollout`; here it becomes text and an exit
//! code.

mod build;
mod check;
mod new;
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
    /// Build a policy's project and check what comes out.
    Build(build::Args),
    /// Load a policy as the server would and put it through the acceptance kit.
    Check(check::Args),
    /// Make a project to write a policy in.
    New(new::Args),
}

impl Args {
    /// Does it.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn run(self, terminal: Terminal<'_>) -> io::Result<ExitCode> {
        match self.verb {
            Verb::Build(args) => args.run(terminal),
            Verb::Check(args) => args.run(terminal),
            Verb::New(args) => args.run(terminal),
        }
    }
}
