//! The command line: a file per verb.
//!
//! A verb turns arguments into a call and its outcome into text and an exit code. Nothing here
//! lives on while the server runs.

pub mod config;
pub mod demo;
mod exit;
pub mod experiment;
mod failure;
pub mod levers;
mod node;
pub mod policy;
pub mod prose;
pub mod replay;
mod revoke;
pub mod serve;
pub mod shadow;
mod status;
mod top;
pub mod trace;
pub mod tune;
pub mod users;
mod welcome;
mod why;

use std::io::{self, Write};
use std::process::ExitCode;

use self::exit::SIGPIPE_CODE;
use self::failure::Failure;
use crate::config::Environment;
use wastegate_core::types::visible::Visible;
use wastegate_engine::policy::load::workshop::child;

/// A WebSocket gateway that never locks a user out.
#[derive(Debug, clap::Parser)]
#[command(name = "wastegate", version, after_help = exit::help())]
pub struct Cli {
    /// What to do; `serve` if nothing is said.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Run the gateway.
    Serve(serve::Args),
    /// Watch a user at the limit being let in.
    Demo(demo::Args),
    /// Check or show the configuration.
    Config(config::Args),
    /// Write, check, compare and ship policies.
    Policy(policy::Args),
    /// Say what strategies would have done with recorded activity.
    Replay(Box<replay::Args>),
    /// Compare policies on real users, with statistics that roll back what does harm.
    Experiment(experiment::Args),
    /// Let policies rank beside the active one, and see where they part.
    Shadow(shadow::Args),
    /// Show who holds how much, the most pressed first.
    Users(users::Args),
    /// Show one user with its managers.
    User(users::UserArgs),
    /// Set how many managers a user may hold, for a time or until it is taken back.
    Limit(levers::LimitArgs),
    /// Evict the managers of a user, or one of them.
    Evict(levers::EvictArgs),
    /// Close a user's connections and refuse new ones.
    Block(levers::BlockArgs),
    /// Let a blocked user in again.
    Unblock(levers::UnblockArgs),
    /// Let no cleanup evict a manager, for a time.
    Pin(levers::PinArgs),
    /// Take a pin back.
    Unpin(levers::UnpinArgs),
    /// Take no new connections; those that are open stay.
    Drain(node::DrainArgs),
    /// Take new connections again.
    Undrain(node::UndrainArgs),
    /// Close the connections that are open now, so many a second, so that their clients connect again.
    Disconnect(node::DisconnectArgs),
    /// Revoke tokens, or show which are revoked.
    Revoke(revoke::Args),
    /// Search a policy's parameters by replay, and judge the best on users it was not chosen by.
    Tune(tune::Args),
    /// Show whether a running server is well, how full it is, and what is wrong.
    Status(status::Args),
    /// Watch a running server in the terminal: how full it is, who is under pressure, what happens.
    Top(top::Args),
    /// Say why a client was disconnected or refused, as a running server remembers it.
    Why(why::Args),
    /// Look at recorded activity, bring it into one form, cut it.
    Trace(trace::Args),
    /// Compile a policy for the process that started this one.
    #[command(name = child::VERB, hide = true)]
    PolicyLoadChild,
}

/// Where a verb reads and writes. [`Cli::run`] stands between it and the terminal: what a verb writes is
/// shown there, and never acted on.
pub struct Terminal<'a> {
    /// The variables of the process.
    pub environment: Environment,
    /// Standard output, for results.
    pub out: &'a mut dyn Write,
    /// Standard error, for what went wrong.
    pub err: &'a mut dyn Write,
}

impl Terminal<'_> {
    /// Runs a verb, and writes why it ended before it was done.
    fn ended(
        self,
        verb: impl FnOnce(Terminal<'_>) -> Result<ExitCode, Failure>,
    ) -> io::Result<ExitCode> {
        let Terminal {
            environment,
            out,
            err,
        } = self;
        let lent = Terminal {
            environment,
            out,
            err: &mut *err,
        };
        verb(lent).or_else(|failure| failure.report(err))
    }
}

impl Cli {
    /// Does it. A reader that goes away, such as `head`, is no error.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn run(self, terminal: Terminal<'_>) -> io::Result<ExitCode> {
        let (mut out, mut err) = (Visible::new(terminal.out), Visible::new(terminal.err));
        let terminal = Terminal {
            environment: terminal.environment,
            out: &mut out,
            err: &mut err,
        };
        let done = terminal.ended(|terminal| match self.verb {
            None => serve::Args::default().run(terminal),
            Some(Verb::Serve(args)) => args.run(terminal),
            Some(Verb::Demo(args)) => args.run(terminal),
            Some(Verb::Config(args)) => args.run(terminal),
            Some(Verb::Policy(args)) => args.run(terminal),
            Some(Verb::Replay(args)) => args.run(terminal),
            Some(Verb::Experiment(args)) => args.run(terminal),
            Some(Verb::Shadow(args)) => args.run(terminal),
            Some(Verb::Status(args)) => args.run(terminal),
            Some(Verb::Top(args)) => args.run(terminal),
            Some(Verb::Why(args)) => args.run(terminal),
            Some(Verb::Users(args)) => args.run(terminal),
            Some(Verb::User(args)) => args.run(terminal),
            Some(Verb::Limit(args)) => args.run(terminal),
            Some(Verb::Evict(args)) => args.run(terminal),
            Some(Verb::Block(args)) => args.run(terminal),
            Some(Verb::Unblock(args)) => args.run(terminal),
            Some(Verb::Pin(args)) => args.run(terminal),
            Some(Verb::Unpin(args)) => args.run(terminal),
            Some(Verb::Drain(args)) => args.run(terminal),
            Some(Verb::Undrain(args)) => args.run(terminal),
            Some(Verb::Disconnect(args)) => args.run(terminal),
            Some(Verb::Revoke(args)) => args.run(terminal),
            Some(Verb::Trace(args)) => args.run(terminal),
            Some(Verb::Tune(args)) => args.run(terminal),
            Some(Verb::PolicyLoadChild) => Ok(child::run()),
        });
        match done {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Ok(ExitCode::from(SIGPIPE_CODE))
            }
            done => done,
        }
    }
}

#[cfg(test)]
mod help_tests;
