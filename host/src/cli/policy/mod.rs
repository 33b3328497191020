//! `wastegate policy`: a file per verb, for authors and for operators.
//!
//! What a verb does is the matter of `workbench` and `rollout`; here it becomes text and an exit
//! code.

mod check;
mod operate;
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
    /// Put a policy in charge on a running server.
    Activate(operate::Activate),
    /// Show who changed what on a running server.
    Audit(operate::Audit),
    /// Load a policy as the server would and put it through the acceptance kit.
    Check(check::Args),
    /// Put the built-in ranking in charge on a running server.
    Disable(operate::Disable),
    /// Show on what a revision failed, and save it as test cases.
    Faults(operate::Faults),
    /// Show every revision of a policy on a running server.
    History(operate::History),
    /// Show who is in charge on a running server, and what else there is.
    List(operate::List),
    /// Show what a revision logged lately.
    Log(operate::Log),
    /// Push a policy into a registry, for servers to pull.
    Publish(publish::Args),
    /// Let a running server bring a policy from a registry.
    Pull(operate::Pull),
    /// Send a policy's file to a running server.
    Push(operate::Push),
    /// Put back what was in charge before, on a running server.
    Rollback(operate::Rollback),
    /// Change parameters and limits of a policy on a running server.
    Set(operate::Set),
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
            Verb::Activate(args) => args.run(terminal),
            Verb::Audit(args) => args.run(terminal),
            Verb::Check(args) => args.run(terminal),
            Verb::Disable(args) => args.run(terminal),
            Verb::Faults(args) => args.run(terminal),
            Verb::History(args) => args.run(terminal),
            Verb::List(args) => args.run(terminal),
            Verb::Log(args) => args.run(terminal),
            Verb::Publish(args) => args.run(terminal),
            Verb::Pull(args) => args.run(terminal),
            Verb::Push(args) => args.run(terminal),
            Verb::Rollback(args) => args.run(terminal),
            Verb::Set(args) => args.run(terminal),
            Verb::Verify(args) => args.run(terminal),
        }
    }
}
