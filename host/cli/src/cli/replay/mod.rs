//! `wastegate replay`: what strategies would have done with recorded activity.
//!
//! Arguments and reading here; `summary` makes text, JSON and CSV of the outcome, `verdict` says which
//! differences are noise, `plotted` makes a page, `bisect` looks for the first decision at which two
//! part.

mod bisect;
pub(in crate::cli) mod candidates;
mod open_loop;
mod plotted;
pub(in crate::cli) mod progress;
pub(in crate::cli) mod recorded;
pub(in crate::cli) mod reproduced;
mod summary;
mod verdict;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use self::recorded::Recorded;
use self::reproduced::Reproduced;
use super::Terminal;
use super::config::SourceArgs;
use super::exit::EX_CANTCREAT;
use super::failure::{EX_NOINPUT, Failure};
use super::policy::target::engine;
use super::trace::{ReadArgs, print_missing, print_remarks};
use crate::config::{self, Environment, ProgramConfig};
use wastegate_core::types::Clock;
use wastegate_core::types::time::whole_ms;
use wastegate_engine::policy::Engine;
use wastegate_lab::replay::{Keep, Native, Progress, Replay, Rules, Yielding};
use wastegate_lab::trace::{ByUser, LoadedTrace, read};

/// Arguments of `wastegate replay`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate replay --activity activity.ndjson --policy lru --oracle\n  wastegate replay --activity log.txt --policy lru --policy fifo --html out.html"
)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    input: Input,
    /// A policy: a file, the name of one that the host ships, or `builtin`; with parameters as
    /// `NAME?param=value&param=value`. Repeatable.
    #[arg(long = "policy", value_name = "POLICY")]
    policies: Vec<String>,
    /// A strategy without a sandbox, to measure others by: `lru`, `fifo` or `random`. Repeatable.
    #[arg(long, value_name = "NAME", value_parser = candidates::native)]
    native: Vec<Native>,
    /// Also the clairvoyant reference (Belady's MIN), and native LRU to set the scale.
    #[arg(long)]
    oracle: bool,
    /// A policy that ranked while the activity was recorded, where it is none that the host ships.
    /// Repeatable.
    #[arg(long, value_name = "POLICY")]
    recorded: Vec<String>,
    /// Compare although the replay does not reproduce what was recorded.
    #[arg(long)]
    unfaithful: bool,
    /// Ask two policies about single recorded decisions, from decision journals in place of activity:
    /// an explanation, and no verdict.
    #[arg(long, conflicts_with_all = ["native", "oracle", "recorded", "unfaithful", "csv", "html"])]
    open_loop: bool,
    /// Print JSON.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print CSV, a line for each strategy.
    #[arg(long)]
    csv: bool,
    /// Also write a page with plots.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Find the first decision at which two strategies take others, and what it led to.
    #[command(
        after_help = "Example:\n  wastegate replay bisect lru my-policy.wasm --activity activity.ndjson"
    )]
    Bisect(bisect::Args),
}

/// What is run again, and by which rules.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Input {
    /// The activity: journals of a gateway, canonical events, or message logs; plain or zstd. Several
    /// files are read one after another, as one trace.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    activity: Vec<PathBuf>,
    #[command(flatten)]
    reading: ReadArgs,
    /// Managers that a user may hold, in place of what the recording says or `limits.managers_per_user`.
    #[arg(long, value_name = "N")]
    cap: Option<u32>,
    /// From which lots are drawn.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(in crate::cli) seed: u64,
    /// Threads; as many as there are processors if nothing is said. The outcome is the same.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    #[command(flatten)]
    sources: SourceArgs,
}

/// Everything that a run needs, read and checked.
pub(in crate::cli) struct Ready {
    pub(in crate::cli) loaded: LoadedTrace,
    pub(in crate::cli) rules: Rules,
    pub(in crate::cli) engine: Engine,
    pub(in crate::cli) threads: usize,
}

impl Ready {
    /// Runs those first who ranked in the record: what does not reproduce it compares nothing. `named` are
    /// policies among them that the host does not ship.
    pub(in crate::cli) fn reproduce(
        &self,
        named: &[String],
        replay: &Replay<'_>,
        by_user: &ByUser<'_>,
    ) -> Result<Reproduced, Failure> {
        let recorded = Recorded {
            loaded: &self.loaded,
            engine: &self.engine,
            named,
        };
        recorded.reproduce(replay, by_user)
    }

    /// The same where nothing of it is shown. Fails where the replay does not reproduce the record, or only
    /// warns of it, if it `may_be_unfaithful`.
    pub(in crate::cli) fn insist(
        &self,
        named: &[String],
        replay: &Replay<'_>,
        by_user: &ByUser<'_>,
        may_be_unfaithful: bool,
        err: &mut dyn io::Write,
    ) -> Result<(), Failure> {
        let reproduced = self.reproduce(named, replay, by_user)?;
        if !reproduced.may_compare() && !may_be_unfaithful {
            return Err(reproduced.refusal(&self.loaded.trace));
        }
        Ok(warn(&reproduced, err)?)
    }
}

impl Args {
    /// Does it: 0 with a result, 65 or 66 if the activity cannot be read.
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        match self.verb {
            Some(Verb::Bisect(args)) => args.run(terminal),
            None if self.open_loop => {
                open_loop::run(self.input, &self.policies, self.json, terminal)
            }
            None => self.compare(terminal),
        }
    }

    fn compare(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let Terminal {
            environment,
            out,
            err,
        } = terminal;
        let files = self.input.activity.clone();
        let ready = self.input.ready(environment, err)?;
        let wanted = candidates::Wanted {
            policies: &self.policies,
            native: &self.native,
            oracle: self.oracle,
        };
        let candidates::Chosen {
            candidates,
            remarks,
        } = wanted.load(&ready.engine)?;
        for remark in remarks {
            writeln!(err, "{remark}")?;
        }
        let by_user = ByUser::new(&ready.loaded.trace);
        let replay = Replay::new(&by_user, &ready.rules, ready.threads)
            .map_err(|error| Failure::of(&error))?;
        let reproduced = ready.reproduce(&self.recorded, &replay, &by_user)?;
        if self.csv {
            // The other forms hold it.
            print_missing(&ready.loaded, err)?;
        }
        if !self.json && !self.csv {
            reproduced.print(&ready.loaded.trace, out)?;
        }
        if !reproduced.may_compare() && !self.unfaithful {
            return Err(reproduced.refusal(&ready.loaded.trace));
        }
        warn(&reproduced, err)?;
        let (clock, mut results) = (Clock::system(), Vec::new());
        for candidate in &candidates {
            let progress = Progress::default();
            let started = clock.now();
            let outcome = progress::shown(&candidate.name, &progress, replay.users(), || {
                replay.run(candidate, Keep::Counts, &progress)
            });
            results.push(summary::Result {
                candidate,
                tally: outcome.map_err(|error| Failure::of(&error))?.tally,
                took: clock.now().since(started),
            });
        }
        let report = summary::Report {
            loaded: &ready.loaded,
            rules: &ready.rules,
            reproduced: &reproduced,
            comparison: verdict::compare(&results, &ready.loaded),
            results,
        };
        if let Some(path) = &self.html {
            let inputs = files.iter().map(|file| {
                plotted::Input::of(file).map_err(|error| {
                    Failure::new(format!("cannot read {}: {error}", file.display()))
                        .code(EX_NOINPUT)
                })
            });
            let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
            std::fs::write(path, report.html(&inputs)).map_err(|error| {
                let sentence = format!("cannot write {}: {error}", path.display());
                Failure::new(sentence).code(EX_CANTCREAT)
            })?;
        }
        if self.json {
            writeln!(out, "{}", report.json())?;
        } else if self.csv {
            report.csv(out)?;
        } else {
            report.text(out)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Says beside a result that it is not to be believed, if that is so.
fn warn(reproduced: &Reproduced, err: &mut dyn io::Write) -> io::Result<()> {
    match reproduced.warning() {
        Some(warning) => writeln!(err, "warning: {warning}"),
        None => Ok(()),
    }
}

impl Input {
    pub(in crate::cli) fn ready(
        self,
        environment: Environment,
        err: &mut dyn io::Write,
    ) -> Result<Ready, Failure> {
        let config = config::load(self.sources.sources(environment, Vec::new()))?.config;
        let mut loaded = read(&self.activity, &self.reading.reading())
            .map_err(|error| Failure::of(&error).code(EX_NOINPUT))?;
        loaded.remarks.extend(recorded::lacks(&loaded));
        print_remarks(&loaded, err)?;
        let mut rules = rules(&config, self.seed);
        if let Some(settings) = &loaded.settings {
            recorded::apply(settings, &mut rules);
        }
        rules.limit = self.cap.unwrap_or(rules.limit);
        rules.own_limits = self.cap.is_none();
        let engine = engine(config.policy)?;
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Ready {
            loaded,
            rules,
            engine,
            threads: self.threads.unwrap_or(processors),
        })
    }
}

/// The rules of the configuration; what a recording says of itself goes before them.
fn rules(config: &ProgramConfig, seed: u64) -> Rules {
    Rules {
        limit: config.limits.managers_per_user,
        table: config.cleanup.table.clone(),
        last_tier: config.cleanup.user_last_tier,
        proactive_from: config.cleanup.proactive_from,
        manager: config.manager.clone(),
        health: config.health.clone(),
        yielding: Yielding::default(),
        sweep_interval_ms: whole_ms(config.cleanup.sweep_interval),
        dead_for: config.cleanup.dead_for,
        own_limits: true,
        seed,
    }
}
