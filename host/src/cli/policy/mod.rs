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

/// What a shell says of a program whose reader went away: 128 and the number of SIGPIPE.
const SIGPIPE_CODE: u8 = 141;

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
    /// Does it. Where the reader has seen enough, such as `head`, it ends without a word, and never
    /// with the code of a success that was not reached.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn run(self, terminal: Terminal<'_>) -> io::Result<ExitCode> {
        match self.verb(terminal) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Ok(ExitCode::from(SIGPIPE_CODE))
            }
            done => done,
        }
    }

    fn verb(self, terminal: Terminal<'_>) -> io::Result<ExitCode> {
        match self.verb {
            Verb::Check(args) => args.run(terminal),
            Verb::Diff(args) => args.run(terminal),
            Verb::Run(args) => args.run(terminal),
            Verb::Test(args) => args.run(terminal),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    /// Takes nothing.
    struct Broken(io::ErrorKind);

    impl io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_leaves_is_not_worth_a_word_and_a_full_disk_is() {
        let run = |kind| {
            let cli = Cli::try_parse_from(["wastegate", "policy", "check", "lru"]).unwrap();
            cli.run(Terminal {
                environment: crate::config::Environment::default(),
                out: &mut Broken(kind),
                err: &mut Vec::new(),
            })
        };
        let left = run(io::ErrorKind::BrokenPipe).unwrap();
        assert_eq!(left, ExitCode::from(SIGPIPE_CODE));
        let full = run(io::ErrorKind::StorageFull).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    }
}
