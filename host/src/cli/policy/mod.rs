//! `wastegate policy`: a file per verb, for authors and for operators.
//!
//! What a verb does is the matter of `workbench` and `rollout`; here it becomes text and an exit
//! code.

mod check;
mod publish;
mod target;
mod verify;

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
    /// Push a policy into a registry, for servers to pull.
    Publish(publish::Args),
    /// Say who signed a policy.
    Verify(verify::Args),
}

impl Args {
    /// Does it.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn run(self, terminal: Terminal<'_>) -> io::Result<ExitCode> {
        match self.verb {
            Verb::Check(args) => args.run(terminal),
            Verb::Publish(args) => args.run(terminal),
            Verb::Verify(args) => args.run(terminal),
        }
    }
}
