//! `wastegate shadow`: policies that rank beside the active one of a running server, over its admin
//! API.

use std::process::ExitCode;

use serde_json::json;

use super::Terminal;
use super::failure::Failure;
use super::policy::operate::client::segment;
use super::policy::operate::{Remote, listed, posted, shown, word};
use super::policy::subject;
use wastegate_control::experiment::shadow::{ShadowChoice, ShadowList, ShadowSpec, ShadowView};

/// Examples that are shown of one shadow.
const EXAMPLES_MAX: usize = 5;

/// Arguments of `wastegate shadow`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate shadow start lru\n  wastegate shadow status\n  wastegate shadow stop lru"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Let a policy that the server knows rank beside the active one.
    #[command(after_help = "Example:\n  wastegate shadow start lru --name lru-half --sample 0.5")]
    Start {
        /// The policy, by the name that the server knows.
        policy: String,
        /// The name of the shadow; without it, the policy's name.
        #[arg(long, default_value = "")]
        name: String,
        /// The share of decisions that it sees.
        #[arg(long, default_value_t = 1.0)]
        sample: f64,
        /// A parameter that it gets.
        #[arg(long = "param", value_name = "NAME=VALUE", value_parser = subject::parameter)]
        params: Vec<(String, f64)>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Show where shadow and active policy agree, where they differ, and the outcome.
    #[command(
        after_help = "Examples:\n  wastegate shadow status\n  wastegate shadow status lru --json"
    )]
    Status {
        /// The name of one shadow; without it, all are shown.
        name: Option<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Stop one and show it a last time.
    #[command(after_help = "Example:\n  wastegate shadow stop lru")]
    Stop {
        /// The name of the shadow.
        name: String,
        #[command(flatten)]
        remote: Remote,
    },
}

impl Args {
    /// Does it: 0 if it was done, 1 if it was refused, 69 if the server does not answer.
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        match self.verb {
            Verb::Start {
                policy,
                name,
                sample,
                params,
                remote,
            } => remote.run(terminal, async move |client, json| {
                let spec = ShadowSpec {
                    name,
                    policy,
                    params: params.into_iter().collect(),
                    sample,
                };
                posted(client, "/v1/shadows", json!(spec), in_words, json).await
            }),
            Verb::Status { name: None, remote } => remote.run(terminal, async |client, json| {
                let answer = client.get("/v1/shadows").await?;
                Ok(shown(answer, json, |list: &ShadowList| {
                    listed("shadows", &list.shadows, in_words)
                }))
            }),
            Verb::Status {
                name: Some(name),
                remote,
            } => remote.run(terminal, async move |client, json| {
                let path = format!("/v1/shadows/{}", segment(&name));
                Ok(shown(client.get(&path).await?, json, in_words))
            }),
            Verb::Stop { name, remote } => remote.run(terminal, async move |client, json| {
                let path = format!("/v1/shadows/{}/stop", segment(&name));
                posted(client, &path, json!({}), in_words, json).await
            }),
        }
    }
}

/// One shadow in a few lines.
fn in_words(shadow: &ShadowView) -> String {
    let agreement = &shadow.agreement;
    let first = |mean: Option<(f64, u64)>| number(mean.map(|(mean, _)| mean));
    let mut text = format!(
        "{}: {} {}, asked about {} of {} decisions, {} dropped\n",
        shadow.spec.name,
        shadow.policy.name,
        shadow.policy.version,
        shadow.asked,
        shadow.decisions,
        shadow.dropped
    );
    text.push_str(&format!(
        "  agreement: {} compared, same first choice {}, overlap {}, tau-b {}, RBO {}\n",
        agreement.compared,
        agreement.same_first,
        number(agreement.overlap_at_needed),
        first(agreement.kendall_tau_b),
        first(agreement.rank_biased_overlap)
    ));
    let (fuel_mean, fuel_most) = shadow.fuel;
    text.push_str(&format!(
        "  cost: {fuel_mean} units of fuel in the mean, {fuel_most} at the most, {} of the active one; faults {}\n",
        shadow.live_fuel,
        json!(shadow.faults)
    ));
    let outcomes = &shadow.outcomes;
    text.push_str(&format!(
        "  where they part: {} times; only the active one wrong {}, only the shadow {}, alike {}, unknown {}, still open {} (p = {})\n",
        outcomes.disagreements,
        outcomes.live_only_wrong,
        outcomes.shadow_only_wrong,
        outcomes.alike,
        outcomes.unknown,
        outcomes.open,
        number(Some(shadow.mcnemar_p))
    ));
    for example in shadow.examples.iter().take(EXAMPLES_MAX) {
        text.push_str(&format!(
            "  - decision {}: taken ({}), shadow would take ({})\n",
            example.decision,
            choice(&example.live),
            choice(&example.shadow)
        ));
    }
    text.push_str(&format!("  {}\n", shadow.note));
    text
}

/// A manager that one of them chose first.
fn choice(choice: &ShadowChoice) -> String {
    let idle_ms = choice.idle_ms;
    let idle = if idle_ms.is_finite() { idle_ms } else { 0.0 } / 1e3;
    #[expect(clippy::cast_precision_loss, reason = "seconds are shown to a tenth")]
    let wanted = choice.wanted_after_ms.map_or_else(String::new, |ms| {
        format!(", wanted {:.1} s later", ms as f64 / 1e3)
    });
    format!("{}, idle {idle:.1} s{wanted}", word(&choice.health))
}

/// Three digits, or that it is not known.
fn number(value: Option<f64>) -> String {
    match value.filter(|value| value.is_finite()) {
        Some(value) => format!("{value:.3}"),
        None => "unknown".to_owned(),
    }
}
