//! `wastegate trace`: activity as files, looked at, brought into one form, cut.

mod made;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::Terminal;
use super::failure::{EX_NOINPUT, Failure};
use wastegate_lab::trace::describe::{Description, Quantiles, describe};
use wastegate_lab::trace::slice::{Part, slice};
use wastegate_lab::trace::write::write;
use wastegate_lab::trace::{Format, LoadedTrace, Reading, TimeUnit, date, read};
use wastegate_lab::workbench::units;

/// 1990, in milliseconds: from then on times are dates.
const DATED_FROM_MS: u64 = 631_152_000_000;

/// Arguments of `wastegate trace`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate trace describe activity.ndjson\n  wastegate trace slice activity.ndjson --share 0.1 --out tenth.ndjson"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Say what is in a trace, and what a replay of it will not know.
    Describe(Describe),
    /// Write a trace of any form as canonical events.
    Import(Import),
    /// Make canonical events of Mooncake's conversations, dealt to users, with declared faults.
    ImportMooncake(made::Mooncake),
    /// Make a trace up: users, sessions and faults at declared rates, drawn by a seed.
    Synth(made::Synth),
    /// Cut a part out of a trace, by time or by users.
    Slice(Slice),
}

#[derive(Debug, clap::Args)]
struct Input {
    /// The activity: journals of a gateway, canonical events, or message logs; plain or zstd. Several
    /// files are read one after another, as one trace.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    reading: ReadArgs,
}

/// How activity is read: the same for every verb.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct ReadArgs {
    /// What the files hold: `canonical` events (JSON lines, or a table whose first line names `t_ms`,
    /// `user` and `key`), `messages` (`src dst unixtime`, KONECT's `src dst weight unixtime`, or a table
    /// whose first line names `src`, `dst` and `time`), or `auto`.
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    format: Format,
    /// Which column is the user: of a message log `src`, `dst` or `both`; of canonical events the
    /// name of a field.
    #[arg(long, value_name = "COLUMN")]
    user_column: Option<String>,
    /// What times count: `s`, `ms`, `us` or `ns`. Without it, what the name of their column says
    /// (`t_ms`, `time_s`), else seconds in message logs and milliseconds elsewhere.
    #[arg(long, value_name = "UNIT")]
    time_unit: Option<TimeUnit>,
    /// Put events in order of time, however far back one lies. Without it, up to a minute.
    #[arg(long)]
    sort: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate trace describe activity.ndjson --cap 10")]
struct Describe {
    #[command(flatten)]
    input: Input,
    /// Also how many users wanted more managers than this.
    #[arg(long, value_name = "N")]
    cap: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate trace import messages.txt --out activity.ndjson")]
struct Import {
    #[command(flatten)]
    input: Input,
    /// Where to write; standard output if nothing is said.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wastegate trace slice activity.ndjson --user ann --out ann.ndjson"
)]
struct Slice {
    #[command(flatten)]
    input: Input,
    /// Where to write; standard output if nothing is said.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// From this moment on, ms as in the trace.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    from_ms: u64,
    /// Before this moment.
    #[arg(long, value_name = "MS")]
    to_ms: Option<u64>,
    /// Only this user. Repeatable.
    #[arg(long = "user", value_name = "NAME")]
    users: Vec<String>,
    /// Only this share of the users, 0 to 1: the same users every time, and all of them in a larger
    /// share.
    #[arg(long, value_name = "SHARE", default_value_t = 1.0, value_parser = share)]
    share: f64,
    /// Another share of that size.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err("it has to be 0 to 1".to_owned())
    }
}

impl Args {
    /// Does it: 0 when it is done, 66 if the activity cannot be read.
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let Terminal { out, err, .. } = terminal;
        match self.verb {
            Verb::Describe(args) => {
                let loaded = args.input.read(err)?;
                let description = describe(&loaded.trace, args.cap);
                if args.json {
                    writeln!(out, "{}", json(&description, &loaded)?)?;
                } else {
                    print(&description, args.cap, out)?;
                    for (path, taken) in &loaded.taken {
                        writeln!(out, "{} was taken as {taken}", path.display())?;
                    }
                }
            }
            Verb::Import(args) => {
                let loaded = args.input.read(err)?;
                save(&loaded, args.out, out)?;
            }
            Verb::ImportMooncake(args) => return args.run(out, err),
            Verb::Synth(args) => return args.run(out, err),
            Verb::Slice(args) => {
                let loaded = args.input.read(err)?;
                let part = Part {
                    from_ms: args.from_ms,
                    to_ms: args.to_ms.unwrap_or(u64::MAX),
                    users: args.users,
                    share: args.share,
                    seed: args.seed,
                };
                if let Some(user) = part.strange(&loaded.trace) {
                    writeln!(err, "note: no user of the trace is called `{user}`")?;
                }
                let cut =
                    slice(&loaded.trace, &part).map_err(|why| Failure::new(format!("{why:?}")))?;
                if cut.events.is_empty() {
                    return Err(Failure::new("nothing of the trace lies in that part"));
                }
                let cut = LoadedTrace {
                    trace: cut,
                    ..loaded
                };
                save(&cut, args.out, out)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl ReadArgs {
    /// As the room takes it.
    pub(in crate::cli) fn reading(&self) -> Reading {
        Reading {
            format: self.format,
            user_column: self.user_column.clone(),
            time_unit: self.time_unit,
            sort: self.sort,
        }
    }
}

impl Input {
    /// Reads; standard error says what is missing of it.
    fn read(&self, err: &mut dyn Write) -> Result<LoadedTrace, Failure> {
        let loaded = read(&self.files, &self.reading.reading())
            .map_err(|error| Failure::of(&error).code(EX_NOINPUT))?;
        print_missing(&loaded, err)?;
        print_remarks(&loaded, err)?;
        Ok(loaded)
    }
}

/// Says what of the activity is missing.
pub(in crate::cli) fn print_missing(loaded: &LoadedTrace, err: &mut dyn Write) -> io::Result<()> {
    if loaded.dropped > 0 {
        let dropped = loaded.dropped;
        writeln!(err, "note: the recorder had to drop {dropped} events")?;
    }
    print_cut_off(&loaded.cut_off, err)
}

/// Says which last lines are left out.
fn print_cut_off(cut_off: &[(PathBuf, u64)], err: &mut dyn Write) -> io::Result<()> {
    for (path, line) in cut_off {
        let path = path.display();
        writeln!(
            err,
            "note: {path}:{line} was cut off in the middle and is left out"
        )?;
    }
    Ok(())
}

/// Says what of the activity is not read, or may be other than it looks.
pub(in crate::cli) fn print_remarks(loaded: &LoadedTrace, err: &mut dyn Write) -> io::Result<()> {
    for remark in &loaded.remarks {
        writeln!(err, "note: {remark}")?;
    }
    Ok(())
}

fn save(loaded: &LoadedTrace, to: Option<PathBuf>, out: &mut dyn Write) -> io::Result<()> {
    let Some(path) = to else {
        return write(loaded, out);
    };
    let mut file = BufWriter::new(File::create(path)?);
    write(loaded, &mut file)?;
    file.flush()
}

/// A description with what each file was taken as, for programs.
#[derive(serde::Serialize)]
struct Described<'a> {
    #[serde(flatten)]
    description: &'a Description,
    taken: Vec<Value>,
}

fn json(description: &Description, loaded: &LoadedTrace) -> serde_json::Result<String> {
    let taken = loaded.taken.iter();
    let taken = taken.map(|(path, taken)| json!({ "file": path, "as": taken }));
    serde_json::to_string(&Described {
        description,
        taken: taken.collect(),
    })
}

fn print(description: &Description, cap: Option<u32>, out: &mut dyn Write) -> io::Result<()> {
    let count = units::thousands;
    writeln!(
        out,
        "{} events of {} users with {} managers on {} devices",
        count(description.events),
        count(description.users),
        count(description.managers),
        count(description.devices)
    )?;
    if let (Some(from), Some(to)) = (description.from_ms, description.to_ms) {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a trace")]
        let span = to.saturating_sub(from) as f64;
        // What begins before that counts from its own beginning.
        let dates = if from >= DATED_FROM_MS {
            format!(" ({} to {})", date(from), date(to))
        } else {
            String::new()
        };
        let span = units::milliseconds(span);
        writeln!(out, "from {from} to {to} ms{dates}: {span}")?;
    }
    let kinds: Vec<String> = description
        .kinds
        .iter()
        .map(|(kind, events)| format!("{kind} {}", count(*events)))
        .collect();
    writeln!(out, "kinds: {}", kinds.join(", "))?;
    let quantiles = |of: &Quantiles, show: &dyn Fn(f64) -> String| {
        let each: Vec<String> = ["p50", "p90", "p95", "p99", "max"]
            .into_iter()
            .filter_map(|name| Some(format!("{name} {}", show(*of.get(name)?))))
            .collect();
        each.join(", ")
    };
    writeln!(
        out,
        "managers of a user: {}",
        quantiles(&description.managers_per_user, &units::plain)
    )?;
    writeln!(
        out,
        "accesses of a user: {}",
        quantiles(&description.accesses_per_user, &units::plain)
    )?;
    let gaps = quantiles(&description.gaps_ms, &units::milliseconds);
    writeln!(out, "between two accesses of a manager: {gaps}")?;
    if let (Some(over), Some(cap)) = (description.users_over_cap, cap) {
        writeln!(out, "{} users wanted more than {cap} managers", count(over))?;
    }
    for missing in &description.missing {
        writeln!(out, "not told: {missing}")?;
    }
    Ok(())
}
