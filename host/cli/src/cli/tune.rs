//! `wastegate tune`: a policy's parameters, searched by replay.

use std::io;
use std::process::ExitCode;

use super::Terminal;
use super::failure::Failure;
use super::policy::subject;
use super::replay::{Input, progress};
use super::trace::print_missing;
use wastegate_lab::replay::tune::{
    HELD_OUT_USERS_MIN, Objective, Search, TRIALS_MAX, Trial, TuneVerdict, Tuned, tune,
};
use wastegate_lab::replay::{Progress, Replay};
use wastegate_lab::trace::ByUser;

/// Arguments of `wastegate tune`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wastegate tune --policy my-policy.wasm --activity activity.ndjson --trials 50"
)]
pub struct Args {
    /// The policy: a file, or the name of one that the host ships.
    #[arg(long, value_name = "POLICY")]
    policy: String,
    #[command(flatten)]
    input: Input,
    /// What is to become less: `reopen-misses`, `regret-10m` or `evictions`.
    #[arg(long, default_value = "reopen-misses", value_parser = objective)]
    objective: Objective,
    /// Candidates that are tried.
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=i64::from(TRIALS_MAX)))]
    trials: u32,
    /// The share of users that only judge, 0.1 to 0.9.
    #[arg(long, value_name = "SHARE", default_value_t = 0.4, value_parser = held_out)]
    held_out: f64,
    /// Search although the replay does not reproduce what was recorded.
    #[arg(long)]
    unfaithful: bool,
    /// A policy that ranked while the activity was recorded, where it is none that the host ships.
    /// Repeatable.
    #[arg(long, value_name = "POLICY")]
    recorded: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn objective(name: &str) -> Result<Objective, String> {
    let known = Objective::ALL
        .into_iter()
        .find(|objective| objective.name() == name);
    known.ok_or_else(|| {
        format!(
            "there are `{}`",
            Objective::ALL.map(Objective::name).join("`, `")
        )
    })
}

fn held_out(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if (0.1..=0.9).contains(&share) {
        Ok(share)
    } else {
        Err("it has to be 0.1 to 0.9".to_owned())
    }
}

impl Args {
    /// Does it: 0 with a result, whatever it is; 1 if nothing was searched, 66 without activity.
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let Terminal {
            environment,
            out,
            err,
        } = terminal;
        let seed = self.input.seed;
        let ready = self.input.ready(environment, err)?;
        print_missing(&ready.loaded, err)?;
        let program = subject::program(&ready.engine, &self.policy)?;
        let by_user = ByUser::new(&ready.loaded.trace);
        let replay = Replay::new(&by_user, &ready.rules, ready.threads)
            .map_err(|error| Failure::of(&error))?;
        ready.insist(&self.recorded, &replay, &by_user, self.unfaithful, err)?;
        let search = Search {
            objective: self.objective,
            trials: self.trials,
            held_out: self.held_out,
            alpha: 0.05,
            seed,
        };
        let progress = Progress::default();
        let runs = usize::try_from(self.trials)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        let users = replay.users().saturating_mul(runs);
        let tuned = progress::shown("tune", &progress, users, || {
            tune(&replay, &program, &search, &progress)
        });
        let tuned = tuned.map_err(|error| Failure::of(&error))?;
        if self.json {
            writeln!(out, "{}", serde_json::to_string(&tuned)?)?;
        } else {
            print(&self.policy, &tuned, &search, out)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(policy: &str, tuned: &Tuned, search: &Search, out: &mut dyn io::Write) -> io::Result<()> {
    let objective = search.objective.name();
    writeln!(
        out,
        "{objective} of {policy}, chosen by {} users, judged on {} others:",
        tuned.users.0, tuned.users.1
    )?;
    let line = |trial: &Trial| {
        let params = tuned.parameters.iter().zip(&trial.params);
        let params: Vec<String> = params
            .map(|(name, value)| format!("{name}={value:.4}"))
            .collect();
        format!(
            "{:>10} {:>10}  {}",
            trial.chosen_by,
            trial.held_out,
            params.join(" ")
        )
    };
    writeln!(
        out,
        "{:>20} {:>10} {:>10}  parameters",
        "", "chosen by", "held out"
    )?;
    let (defaults, best) = (tuned.trials.first(), tuned.trials.get(tuned.best));
    for (name, trial) in [("defaults", defaults), ("best of the search", best)] {
        if let Some(trial) = trial {
            writeln!(out, "{name:>20} {}", line(trial))?;
        }
    }
    if let Some(change) = tuned.change {
        writeln!(
            out,
            "On the held-out users the best changes {objective} by {:.4} a user (95 % between {:.4} and {:.4}, p = {:.3}).",
            change.mean, change.low, change.high, change.p
        )?;
    }
    match tuned.verdict {
        TuneVerdict::Gain => {
            writeln!(
                out,
                "A gain, beyond chance. To try it on real users, run an experiment with these parameters."
            )
        }
        TuneVerdict::Noise => writeln!(out, "No gain that is beyond chance: keep the defaults."),
        TuneVerdict::TooFew => writeln!(
            out,
            "Nothing can be said: only {} held-out users had a decision, and it takes {HELD_OUT_USERS_MIN}.",
            tuned.users.1
        ),
    }
}
