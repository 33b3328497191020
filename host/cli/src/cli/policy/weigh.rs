//! `wastegate policy weigh`: what another policy would have achieved, from decisions drawn by lot.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use super::super::Terminal;
use super::super::failure::Failure;
use super::subject;
use super::target::EngineArgs;
use wastegate_core::stats::off_policy::{Doubt, ValueEstimate};
use wastegate_lab::workbench::diff::{self, DiffSubject};
use wastegate_lab::workbench::off_policy::{CLIP, OffPolicyError, OffPolicyEvaluation, evaluate};

/// Arguments of `wastegate policy weigh`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wastegate policy weigh my-policy.wasm --decisions decisions.ndjson.zst"
)]
pub(super) struct Args {
    /// The policy: a file, or the name of one that the host ships.
    #[arg(value_name = "POLICY")]
    policy: String,
    /// Decision journals of a server with an exploring arm, plain or zstd.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    decisions: Vec<PathBuf>,
    /// Set a parameter; may be repeated.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = subject::parameter)]
    params: Vec<(String, f64)>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Args {
    /// Weighs: 0 with an estimate, 1 where there is none to be believed or the decisions lack what the
    /// policy reads, 66 without records.
    pub(super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let Terminal {
            environment, out, ..
        } = terminal;
        let engine = self.engine.engine(environment)?;
        let program = subject::program(&engine, &self.policy)?;
        let params = program
            .params(&self.params.into_iter().collect())
            .map_err(|error| Failure::of(&error))?;
        let side = DiffSubject {
            program: &program,
            params: &params,
        };
        let paths = diff::paths(&self.decisions).map_err(|error| subject::unreadable(&error))?;
        let weighed = evaluate(side, &self.policy, &paths).map_err(|error| match error {
            OffPolicyError::File(error) => subject::unreadable(&error),
            OffPolicyError::Lacking(_) => Failure::of(&error),
        })?;
        if self.json {
            writeln!(out, "{}", serde_json::to_string(&weighed)?)?;
        } else {
            print(&self.policy, &weighed, out)?;
        }
        let sound = weighed.estimates.is_some() && weighed.doubts.is_empty();
        Ok(if sound {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

fn print(policy: &str, weighed: &OffPolicyEvaluation, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(
        out,
        "{} decisions, {} of them drawn by lot, {} left out since not just the drawn one went",
        weighed.records, weighed.drawn, weighed.left_out
    )?;
    if let Some(lacking) = weighed.lacking.in_words(policy) {
        writeln!(out, "{lacking}")?;
    }
    let Some(estimates) = &weighed.estimates else {
        return writeln!(
            out,
            "Nothing can be estimated: a policy that always takes the same says nothing about others. Let an arm of an experiment draw lots (`explore`), or use `wastegate replay`."
        );
    };
    let show = |value: ValueEstimate| format!("{:.4} (± {:.4})", value.value, 1.96 * value.se);
    writeln!(
        out,
        "live victims, a share of single decisions; less is better:"
    )?;
    writeln!(out, "  as decided            {:.4}", weighed.logged)?;
    writeln!(
        out,
        "  {policy}, doubly robust  {}",
        show(estimates.doubly_robust)
    )?;
    writeln!(out, "  {policy}, self-normalised {}", show(estimates.snips))?;
    writeln!(out, "  {policy}, plain          {}", show(estimates.ips))?;
    if let Some(clipped) = weighed.clipped {
        writeln!(out, "  {policy}, clipped at {CLIP}  {}", show(clipped))?;
    }
    writeln!(
        out,
        "  rests on {:.0} decisions; the largest weight is {:.1}",
        estimates.effective, estimates.weight_max
    )?;
    for doubt in &weighed.doubts {
        let why = match doubt {
            Doubt::NotDrawn { decisions } => {
                format!("{decisions} decisions have no chance written down")
            }
            Doubt::FewEffective { effective } => {
                format!("it rests on {effective:.0} decisions, and it takes 200")
            }
            Doubt::SmallShare { share } => format!(
                "only {:.1} % of the decisions say anything: the policies are too different",
                share * 100.0
            ),
            Doubt::WeightsOff { mean, se } => format!(
                "the weights average {mean:.3} (± {se:.3}) and not 1: the lots do not cover this policy"
            ),
            Doubt::LargeWeight { weight } => format!("a single decision counts {weight:.0} times"),
        };
        writeln!(out, "not to be believed: {why}")?;
    }
    writeln!(
        out,
        "Of single decisions only, on what the recorded policy left behind: no verdict on deploying it."
    )
}
