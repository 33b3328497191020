//! `wastegate policy`: a file per verb, for authors and for operators.
//!
//! What a verb does is the matter of `workbench` and `rollout`; here it becomes text and an exit
//! code.

mod bench;
mod build;
mod check;
pub(in crate::cli) mod diff;
mod disagreement;
mod failure;
mod fuzz;
mod inspect;
mod new;
pub(in crate::cli) mod operate;
mod publish;
mod ranking;
mod run;
mod settings;
pub(in crate::cli) mod subject;
pub(in crate::cli) mod table;
pub(in crate::cli) mod target;
mod test;
mod verify;
mod weigh;

use std::process::ExitCode;

use super::Terminal;
use super::failure::Failure;

/// Arguments of `wastegate policy`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate policy new my-policy\n  wastegate policy check target/my_policy.wasm\n  wastegate policy push target/my_policy.wasm --activate"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

// Authors first, in the order of their work; then operators.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a project to write a policy in.
    New(new::Args),
    /// Build a policy's project and check what comes out.
    Build(build::Args),
    /// Load a policy as the server would and put it through the acceptance kit.
    Check(check::Args),
    /// Say what a policy is, what it asks for and what it costs.
    Inspect(inspect::Args),
    /// Ask a policy about one snapshot, and see its ranking with what it read.
    Run(run::Args),
    /// Hold a policy to a folder of cases.
    Test(test::Args),
    /// Measure fuel and time over the number of rows, beside native code.
    Bench(bench::Args),
    /// Compare two policies on recorded snapshots: where they part, why, and whom it would hurt.
    Diff(diff::Args),
    /// Say what a policy would have achieved, from recorded decisions that were drawn by lot.
    Weigh(weigh::Args),
    /// Look for a snapshot on which a policy breaks a rule, and save it as a case.
    Fuzz(fuzz::Args),
    /// Say who signed a policy.
    Verify(verify::Args),
    /// Push a policy into a registry, for servers to pull.
    Publish(publish::Args),
    /// Show which policies are active on a running server, and what else there is.
    List(operate::List),
    /// Show every revision of a policy on a running server.
    History(operate::History),
    /// Send a policy's file to a running server.
    Push(operate::Push),
    /// Let a running server bring a policy from a registry.
    Pull(operate::Pull),
    /// Make a policy active on a running server.
    Activate(operate::Activate),
    /// Put back what was active before, on a running server.
    Rollback(operate::Rollback),
    /// Has all nodes of the cluster rank as this one does now.
    Share(operate::Share),
    /// Shows what all nodes of the cluster rank by.
    Shared(operate::Shared),
    /// Make the built-in ranking active on a running server.
    Disable(operate::Disable),
    /// Change parameters and limits of a policy on a running server.
    Set(operate::Set),
    /// Show on what a revision failed, and save it as test cases.
    Faults(operate::Faults),
    /// Show what a revision logged lately.
    Log(operate::Log),
    /// Show who changed what on a running server.
    Audit(operate::Audit),
}

impl Args {
    /// Does it. Where the reader has seen enough, such as `head`, it ends without a word, and never
    /// with the code of a success that was not reached.
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        Ok(terminal.ended(|terminal| self.verb(terminal))?)
    }

    fn verb(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        match self.verb {
            Verb::New(args) => args.run(terminal),
            Verb::Build(args) => args.run(terminal),
            Verb::Check(args) => args.run(terminal),
            Verb::Inspect(args) => args.run(terminal),
            Verb::Run(args) => args.run(terminal),
            Verb::Test(args) => args.run(terminal),
            Verb::Bench(args) => args.run(terminal),
            Verb::Diff(args) => args.run(terminal),
            Verb::Weigh(args) => args.run(terminal),
            Verb::Fuzz(args) => args.run(terminal),
            Verb::Verify(args) => args.run(terminal),
            Verb::Publish(args) => args.run(terminal),
            Verb::List(args) => args.run(terminal),
            Verb::History(args) => args.run(terminal),
            Verb::Push(args) => args.run(terminal),
            Verb::Pull(args) => args.run(terminal),
            Verb::Activate(args) => args.run(terminal),
            Verb::Rollback(args) => args.run(terminal),
            Verb::Share(args) => args.run(terminal),
            Verb::Shared(args) => args.run(terminal),
            Verb::Disable(args) => args.run(terminal),
            Verb::Set(args) => args.run(terminal),
            Verb::Faults(args) => args.run(terminal),
            Verb::Log(args) => args.run(terminal),
            Verb::Audit(args) => args.run(terminal),
        }
    }
}

#[cfg(test)]
mod tests;
