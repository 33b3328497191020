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
use super::{disagreement, subject};
use wastegate_core::types::{Clock, Signal};
use wastegate_engine::policy::Program;
use wastegate_lab::workbench::diff::{self, DiffSubject, PolicyDiff, Unrecorded};
use wastegate_lab::workbench::units;

/// Arguments of `wastegate policy diff`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wastegate policy diff lru my-policy.wasm --activity decisions.ndjson.zst"
)]
#[command(group(clap::ArgGroup::new("input").required(true).multiple(true).args(["snapshots", "activity"])))]
pub(super) struct Args {
    /// The first policy: a file, or the name of one that the host ships.
    #[arg(value_name = "A")]
    a: String,
    /// The second policy, given the same way.
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
pub(in crate::cli) struct DiffCandidate {
    pub(in crate::cli) program: Arc<Program>,
    pub(in crate::cli) params: Vec<f64>,
    /// What to call it: unlike the other one.
    pub(in crate::cli) name: String,
}

/// Two policies, asked about the same records.
pub(in crate::cli) struct Comparison {
    pub(in crate::cli) candidates: [DiffCandidate; 2],
    /// Files or folders.
    pub(in crate::cli) records: Vec<PathBuf>,
    /// Partings to show.
    pub(in crate::cli) top: u16,
    pub(in crate::cli) json: bool,
    /// What is done with records that lack what a policy reads; where they are left out and none
    /// remains, the comparison is refused.
    pub(in crate::cli) unrecorded: Unrecorded,
    /// What goes before the text.
    pub(in crate::cli) preface: Option<&'static str>,
}

impl Args {
    /// Compares: 0 whatever is found; 66 if something cannot be read.
    pub(super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let Terminal {
            environment, out, ..
        } = terminal;
        let engine = self.engine.engine(environment)?;
        let mut candidates = Vec::new();
        for (named, params) in [(&self.a, self.param_a), (&self.b, self.param_b)] {
            let program = subject::program(&engine, named)?;
            match program.manifest().params(&subject::set(params)) {
                Ok(params) => candidates.push(DiffCandidate {
                    params: params.to_vec(),
                    name: program.about().name.as_ref().to_owned(),
                    program,
                }),
                Err(bad) => return Err(subject::refused(&bad)),
            }
        }
        let Ok(candidates) = <[DiffCandidate; 2]>::try_from(candidates) else {
            return Ok(ExitCode::FAILURE);
        };
        let mut records = self.snapshots;
        records.extend(self.activity);
        let comparison = Comparison {
            candidates,
            records,
            top: self.top,
            json: self.json,
            unrecorded: Unrecorded::Noted,
            preface: None,
        };
        comparison.run(out)
    }
}

impl Comparison {
    /// Asks both and tells where they part.
    pub(in crate::cli) fn run(self, out: &mut dyn Write) -> Result<ExitCode, Failure> {
        let [a, b] = with_distinct_names(self.candidates);
        let clock = Clock::system();
        let started = clock.now();
        let sides = [&a, &b].map(|candidate| DiffSubject {
            program: &candidate.program,
            params: &candidate.params,
        });
        let found = diff::paths(&self.records)
            .and_then(|paths| diff::compare(sides, &paths, self.unrecorded, self.top.into()));
        let found = found.map_err(|error| subject::unreadable(&error))?;
        let refusals = [&a, &b].into_iter().zip(&found.lacking);
        let refusals: Vec<String> = refusals
            .filter_map(|(it, lacking)| lacking.refusal(&it.name, found.snapshots))
            .map(|refusal| refusal.to_string())
            .collect();
        if !refusals.is_empty() {
            return Err(Failure::all(refusals));
        }
        let took = clock.now().since(started).as_secs_f64() * 1e3;
        if self.json {
            writeln!(out, "{}", json_difference(&found, [&a, &b], took))?;
        } else {
            // JSON is read by programs, which know what they asked for.
            if let Some(preface) = self.preface {
                writeln!(out, "{preface}\n")?;
            }
            print(&found, [&a, &b], took, out)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Two of one name are told apart by their version, or by which came first.
fn with_distinct_names([mut a, mut b]: [DiffCandidate; 2]) -> [DiffCandidate; 2] {
    if a.name == b.name {
        let versions = [&a, &b].map(|candidate| candidate.program.about().version.clone());
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

fn print(
    found: &PolicyDiff,
    [a, b]: [&DiffCandidate; 2],
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
    for candidate in [a, b] {
        if let Some(params) = subject::params_in_words(&candidate.program, &candidate.params) {
            writeln!(out, "  {}: {params}", candidate.name)?;
        }
    }
    writeln!(out, "  same ranking      {}", share(found.identical))?;
    writeln!(out, "  same victims      {}", share(found.same_victims))?;
    writeln!(out, "  other victims     {}", share(found.disagreed))?;
    for (candidate, count) in [a, b].into_iter().zip(found.faults) {
        if count > 0 {
            let (name, count) = (&candidate.name, share(count));
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
    for (candidate, missing) in [a, b].into_iter().zip(&found.unrecorded) {
        for (signal, count) in missing {
            writeln!(
                out,
                "  note: {} reads {}, which was not recorded in {} and was unknown to it there",
                candidate.name,
                signal.name(),
                share(*count)
            )?;
        }
    }
    for (candidate, lacking) in [a, b].into_iter().zip(&found.lacking) {
        if let Some(lacking) = lacking.in_words(&candidate.name) {
            writeln!(out, "  not compared      {lacking}")?;
        }
    }
    if found.disagreed == 0 {
        return Ok(());
    }
    explained(found, out)?;
    writeln!(
        out,
        "\nmost harm first (responsive 4, protected 2, active just now 1 and less with time):"
    )?;
    for (place, disagreement) in found.worst.iter().enumerate() {
        disagreement::write(place + 1, disagreement, [a, b], out)?;
    }
    let more = found.disagreed.saturating_sub(found.worst.len() as u64);
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
fn explained(found: &PolicyDiff, out: &mut dyn Write) -> io::Result<()> {
    let counts = by_count(found);
    let causes: Vec<String> = counts
        .iter()
        .map(|(signal, count)| format!("{} {}", signal.name(), units::thousands(*count)))
        .collect();
    if !causes.is_empty() {
        writeln!(out, "  told apart best by  {}", causes.join(", "))?;
    }
    Ok(())
}

fn by_count(found: &PolicyDiff) -> Vec<(Signal, u64)> {
    let mut counts: Vec<(Signal, u64)> = found.explained_by.iter().map(|(s, n)| (*s, *n)).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

fn json_difference(found: &PolicyDiff, [a, b]: [&DiffCandidate; 2], took_ms: f64) -> Value {
    let [faults_a, faults_b] = found.faults;
    let [missing_a, missing_b] = &found.unrecorded;
    let [lacking_a, lacking_b] = &found.lacking;
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
        .map(|each| disagreement::json(each, [a, b]))
        .collect();
    json!({
        "a": subject::json_policy(&a.program, &a.params),
        "b": subject::json_policy(&b.program, &b.params),
        "snapshots": found.snapshots,
        "same_ranking": found.identical,
        "same_victims": found.same_victims,
        "other_victims": found.disagreed,
        "faults": { "a": faults_a, "b": faults_b },
        "not_compared": found.skipped,
        "not_recorded": { "a": missing(missing_a), "b": missing(missing_b) },
        "left_out": { "a": lacking_a, "b": lacking_b },
        "told_apart_by": explained,
        "took_ms": took_ms,
        "partings": worst,
    })
}
