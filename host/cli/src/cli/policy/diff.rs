//! `wastegate policy diff`: on recorded snapshots, where two policies would have the host take
//! others, why, and whom it would hurt.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::Terminal;
use super::super::failure::Failure;
use super::target::EngineArgs;
use super::{parting, subject};
use wastegate_core::types::{Clock, Signal};
use wastegate_engine::policy::Program;
use wastegate_lab::workbench::diff::{self, Difference, Side};
use wastegate_lab::workbench::units;

/// Arguments of `wastegate policy diff`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("input").required(true).multiple(true).args(["snapshots", "activity"])))]
pub(super) struct Args {
    /// The first policy: a file, or the name of one that the host ships.
    #[arg(value_name = "A")]
    a: String,
    /// The second.
    #[arg(value_name = "B")]
    b: String,
    /// Files or folders of snapshots, cases, captured faults or decision journals.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    snapshots: Vec<PathBuf>,
    /// The decision journal of a server, plain or zstd.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    activity: Vec<PathBuf>,
    /// Set a parameter of the first policy; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = subject::parameter)]
    param_a: Vec<(String, f64)>,
    /// Set a parameter of the second; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = subject::parameter)]
    param_b: Vec<(String, f64)>,
    /// How many partings to show, the most harmful first.
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: u16,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

/// A policy with its parameters, owned.
pub(in crate::cli) struct Rival {
    pub(in crate::cli) program: Arc<Program>,
    pub(in crate::cli) params: Vec<f64>,
    /// What to call it: unlike the other one.
    pub(in crate::cli) name: String,
}

/// Two policies, asked about the same records.
pub(in crate::cli) struct Comparison {
    pub(in crate::cli) rivals: [Rival; 2],
    /// Files or folders.
    pub(in crate::cli) records: Vec<PathBuf>,
    /// Partings to show.
    pub(in crate::cli) top: u16,
    pub(in crate::cli) json: bool,
}

impl Args {
    /// Compares: 0 whatever is found; 66 if something cannot be read.
    pub(super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let Terminal {
            environment, out, ..
        } = terminal;
        let engine = self.engine.engine(environment)?;
        let mut rivals = Vec::new();
        for (named, params) in [(&self.a, self.param_a), (&self.b, self.param_b)] {
            let program = subject::program(&engine, named)?;
            match program.manifest().params(&subject::set(params)) {
                Ok(params) => rivals.push(Rival {
                    params: params.to_vec(),
                    name: program.about().name.as_ref().to_owned(),
                    program,
                }),
                Err(bad) => return Err(subject::refused(&bad)),
            }
        }
        let Ok(rivals) = <[Rival; 2]>::try_from(rivals) else {
            return Ok(ExitCode::FAILURE);
        };
        let mut records = self.snapshots;
        records.extend(self.activity);
        let comparison = Comparison {
            rivals,
            records,
            top: self.top,
            json: self.json,
        };
        comparison.run(out)
    }
}

impl Comparison {
    /// Asks both and tells where they part.
    pub(in crate::cli) fn run(self, out: &mut dyn Write) -> Result<ExitCode, Failure> {
        let [a, b] = told_apart(self.rivals);
        let clock = Clock::system();
        let started = clock.now();
        let sides = [&a, &b].map(|rival| Side {
            program: &rival.program,
            params: &rival.params,
        });
        let found = diff::paths(&self.records)
            .and_then(|paths| diff::compare(sides, &paths, usize::from(self.top)));
        let found = found.map_err(|error| subject::unreadable(&error))?;
        let took = clock.now().since(started).as_secs_f64() * 1e3;
        if self.json {
            writeln!(out, "{}", json_difference(&found, [&a, &b], took))?;
        } else {
            tell(&found, [&a, &b], took, out)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Two of one name are told apart by their version, or by which came first.
fn told_apart([mut a, mut b]: [Rival; 2]) -> [Rival; 2] {
    if a.name == b.name {
        let versions = [&a, &b].map(|rival| rival.program.about().version.clone());
        let [of_a, of_b] = versions;
        if of_a == of_b {
            a.name.push_str(" (A)");
            b.name.push_str(" (B)");
        } else {
            a.name = format!("{} {of_a}", a.name);
            b.name = format!("{} {of_b}", b.name);
        }
    }
    [a, b]
}

fn tell(
    found: &Difference,
    [a, b]: [&Rival; 2],
    took_ms: f64,
    out: &mut dyn Write,
) -> io::Result<()> {
    let share = |count: u64| {
        let tenths = count.saturating_mul(1_000) / found.snapshots.max(1);
        format!(
            "{} ({}.{} %)",
            units::thousands(count),
            tenths / 10,
            tenths % 10
        )
    };
    writeln!(
        out,
        "{} and {} on {} snapshots, {}",
        a.name,
        b.name,
        units::thousands(found.snapshots),
        units::milliseconds(took_ms)
    )?;
    for rival in [a, b] {
        if let Some(params) = subject::told_params(&rival.program, &rival.params) {
            writeln!(out, "  {}: {params}", rival.name)?;
        }
    }
    writeln!(out, "  same ranking      {}", share(found.identical))?;
    writeln!(out, "  same victims      {}", share(found.same_victims))?;
    writeln!(out, "  other victims     {}", share(found.parted))?;
    for (rival, count) in [a, b].into_iter().zip(found.faults) {
        if count > 0 {
            let (name, count) = (&rival.name, share(count));
            writeln!(
                out,
                "  {name} failed     {count}, where the host's own ranking stood in"
            )?;
        }
    }
    if found.skipped > 0 {
        let lines = units::thousands(found.skipped);
        writeln!(
            out,
            "  not compared      {lines} lines: gaps of a journal, or torn by a crash"
        )?;
    }
    for (rival, missing) in [a, b].into_iter().zip(&found.unrecorded) {
        for (signal, count) in missing {
            writeln!(
                out,
                "  note: {} reads {}, which was not recorded in {} and was unknown to it there",
                rival.name,
                signal.name(),
                share(*count)
            )?;
        }
    }
    if found.parted == 0 {
        return Ok(());
    }
    explained(found, out)?;
    writeln!(
        out,
        "\nmost harm first (responsive 4, protected 2, active just now 1 and less with time):"
    )?;
    for (place, parting) in found.worst.iter().enumerate() {
        parting::write(place + 1, parting, [a, b], out)?;
    }
    let more = found.parted.saturating_sub(found.worst.len() as u64);
    if more > 0 {
        writeln!(
            out,
            "\n... and {} more; --top N shows them",
            units::thousands(more)
        )?;
    }
    Ok(())
}

/// Which signals tell the victims apart, most often first.
fn explained(found: &Difference, out: &mut dyn Write) -> io::Result<()> {
    let counts = by_count(found);
    let told: Vec<String> = counts
        .iter()
        .map(|(signal, count)| format!("{} {}", signal.name(), units::thousands(*count)))
        .collect();
    if !told.is_empty() {
        writeln!(out, "  told apart best by  {}", told.join(", "))?;
    }
    Ok(())
}

fn by_count(found: &Difference) -> Vec<(Signal, u64)> {
    let mut counts: Vec<(Signal, u64)> = found.explained_by.iter().map(|(s, n)| (*s, *n)).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

fn json_difference(found: &Difference, [a, b]: [&Rival; 2], took_ms: f64) -> Value {
    let [faults_a, faults_b] = found.faults;
    let [missing_a, missing_b] = &found.unrecorded;
    let missing = |missing: &std::collections::BTreeMap<Signal, u64>| {
        let counts = missing
            .iter()
            .map(|(signal, count)| (signal.name().to_owned(), json!(count)));
        Value::Object(counts.collect())
    };
    let explained: Vec<Value> = by_count(found)
        .iter()
        .map(|(signal, count)| json!({ "signal": signal.name(), "partings": count }))
        .collect();
    let worst: Vec<Value> = found
        .worst
        .iter()
        .map(|each| parting::json(each, [a, b]))
        .collect();
    json!({
        "a": subject::json_policy(&a.program, &a.params),
        "b": subject::json_policy(&b.program, &b.params),
        "snapshots": found.snapshots,
        "same_ranking": found.identical,
        "same_victims": found.same_victims,
        "other_victims": found.parted,
        "faults": { "a": faults_a, "b": faults_b },
        "not_compared": found.skipped,
        "not_recorded": { "a": missing(missing_a), "b": missing(missing_b) },
        "told_apart_by": explained,
        "took_ms": took_ms,
        "partings": worst,
    })
}
