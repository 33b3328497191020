//! `wastegate trace synth` and `import-mooncake`: traces that are made, with what is synthetic declared.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::super::failure::{EX_NOINPUT, Failure};
use super::{print_cut_off, save, share};
use wastegate_lab::trace::made::servegen::{USERS_MAX, deal, rate, zipf};
use wastegate_lab::trace::made::synth::{Shape, sessions};
use wastegate_lab::trace::made::{FaultRates, Owner, mooncake};
use wastegate_lab::trace::{TraceError, describe::describe, distinct};
use wastegate_lab::workbench::units;

/// How often what goes wrong: shares from 0 to 1, all synthetic.
#[derive(Debug, clap::Args)]
struct FaultArgs {
    /// Sessions whose client is gone at the end without a word.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = share)]
    die_silently: f64,
    /// Sessions that are closed properly at the end; the rest stays open and quiet.
    #[arg(long, value_name = "SHARE", default_value_t = 0.3, value_parser = share)]
    close: f64,
    /// Long pauses in which the page is hidden.
    #[arg(long, value_name = "SHARE", default_value_t = 0.3, value_parser = share)]
    background: f64,
    /// Long pauses after which a client comes back under a new key without having closed the old.
    #[arg(long, value_name = "SHARE", default_value_t = 0.15, value_parser = share)]
    reconnect_without_close: f64,
    /// From which everything is drawn.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where to write; standard output if nothing is said.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Arguments of `wastegate trace synth`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wastegate trace synth --users 50 --hours 2 --seed 7 --out activity.ndjson"
)]
pub(super) struct Synth {
    /// The number of users.
    #[arg(long, value_name = "N", default_value_t = 200)]
    users: usize,
    /// The length of the trace, hours.
    #[arg(long, value_name = "HOURS", default_value_t = 6.0, value_parser = positive)]
    hours: f64,
    /// Sessions that a user begins in an hour, in the mean.
    #[arg(long, value_name = "N", default_value_t = 6.0, value_parser = positive)]
    sessions_per_hour: f64,
    /// How uneven users are: the exponent of Zipf's law, 0 for even.
    #[arg(long, value_name = "S", default_value_t = 0.8, value_parser = not_negative)]
    skew: f64,
    /// Turns of a session, in the mean; at least 1.
    #[arg(long, value_name = "N", default_value_t = 3.0, value_parser = at_least_one)]
    turns: f64,
    #[command(flatten)]
    faults: FaultArgs,
}

/// Arguments of `wastegate trace import-mooncake`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wastegate trace import-mooncake conversation_trace.jsonl --out activity.ndjson"
)]
pub(super) struct Mooncake {
    /// `conversation_trace.jsonl` of the Mooncake release.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Clients of ServeGen, `chunk-*-trace.csv`: sessions are dealt to them by their mean rates.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    rates: Vec<PathBuf>,
    /// Users for each of them, dealt to evenly.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=USERS_MAX as u64))]
    per_client: u64,
    /// Without `--rates`: as many users, by Zipf's law.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 200,
        value_parser = clap::value_parser!(u64).range(1..=USERS_MAX as u64),
        conflicts_with = "rates"
    )]
    users: u64,
    #[command(flatten)]
    faults: FaultArgs,
}

fn positive(text: &str) -> Result<f64, String> {
    number(
        text,
        |value| value > 0.0,
        "more than 0, and at most 1,000,000",
    )
}

fn not_negative(text: &str) -> Result<f64, String> {
    number(text, |value| value >= 0.0, "0 to 1,000,000")
}

fn at_least_one(text: &str) -> Result<f64, String> {
    number(text, |value| value >= 1.0, "1 to 1,000,000")
}

fn number(text: &str, fits: impl Fn(f64) -> bool, range: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if value <= 1e6 && fits(value) {
        Ok(value)
    } else {
        Err(format!("it has to be {range}"))
    }
}

impl FaultArgs {
    fn finish(
        self,
        owners: &[Owner],
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> Result<ExitCode, Failure> {
        let faults = FaultRates {
            die_silently: self.die_silently,
            close: self.close,
            background: self.background,
            reconnect_without_close: self.reconnect_without_close,
            seed: self.seed,
        };
        if faults.die_silently + faults.close > 1.0 {
            return Err(Failure::new(
                "--die-silently and --close are shares of the same sessions and together at most 1",
            ));
        }
        let trace = faults
            .events(owners)
            .map_err(|why| Failure::new(format!("{why:?}: make fewer users, hours or sessions")))?;
        let description = describe(&trace, None);
        if description.events == 0 {
            return Err(Failure::new(
                "no session began in that time: make more users, hours or sessions",
            ));
        }
        writeln!(
            err,
            "note: {} events of {} users; users, devices and every fault in it are synthetic (seed {})",
            units::thousands(description.events),
            units::thousands(description.users),
            faults.seed
        )?;
        save(&trace.into(), self.out, out)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Synth {
    pub(super) fn run(self, out: &mut dyn Write, err: &mut dyn Write) -> Result<ExitCode, Failure> {
        if self.users == 0 || self.users > USERS_MAX {
            return Err(Failure::new(format!(
                "--users is {}: give 1 to {USERS_MAX}",
                self.users
            )));
        }
        let shape = Shape {
            users: self.users,
            hours: self.hours,
            sessions_per_hour: self.sessions_per_hour,
            skew: self.skew,
            turns: self.turns,
            seed: self.faults.seed,
        };
        self.faults.finish(&sessions(&shape), out, err)
    }
}

impl Mooncake {
    pub(super) fn run(self, out: &mut dyn Write, err: &mut dyn Write) -> Result<ExitCode, Failure> {
        let mut cut_off = Vec::new();
        let read = distinct(&self.rates).and_then(|()| {
            let chats = mooncake::read(&self.file, &mut cut_off)?;
            let rates = self.rates.iter().map(|path| rate(path, &mut cut_off));
            Ok((chats, rates.collect::<Result<Vec<f64>, TraceError>>()?))
        });
        let (chats, rates) = read.map_err(|error| Failure::of(&error).code(EX_NOINPUT))?;
        print_cut_off(&cut_off, err)?;
        if !rates.is_empty() && rates.iter().all(|rate| *rate == 0.0) {
            return Err(Failure::new(
                "every rate of --rates is 0, so no client could have a session",
            ));
        }
        let turns = chats.iter().map(|chat| chat.turns.len());
        writeln!(
            err,
            "{} sessions, {} of more than one turn, at most {} turns",
            units::thousands(chats.len() as u64),
            units::thousands(turns.clone().filter(|turns| *turns > 1).count() as u64),
            turns.max().unwrap_or_default()
        )?;
        let seed = self.faults.seed;
        let owners = if rates.is_empty() {
            let users = usize::try_from(self.users).unwrap_or(USERS_MAX);
            deal(chats, &zipf(users, 0.8), 1, seed)
        } else {
            deal(chats, &rates, self.per_client, seed)
        };
        self.faults.finish(&owners, out, err)
    }
}
