//! `wastegate experiment`: strategies compared on the users of a running server, over its admin API; and, before
//! that and without a server, what a comparison takes.

mod plan;

mod definition;

use std::path::PathBuf;
use std::process::ExitCode;

use reqwest::Method;
use serde_json::json;

use self::definition::DefinitionFile;
use super::Terminal;
use super::exit::EX_CANTCREAT;
use super::failure::Failure;
use super::policy::operate::client::{Body, refused, segment};
use super::policy::operate::{Remote, listed, posted, shown, word};
use wastegate_control::experiment::ramp::RampView;
use wastegate_control::experiment::service::{ExperimentList, ExperimentView, RenewAnswer};

/// Arguments of `wastegate experiment`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate experiment start experiment.toml\n  wastegate experiment status\n  wastegate experiment report lru-or-not --out report.html"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Say what an experiment takes before it starts, from recorded activity: users, days, the smallest effect.
    #[command(
        after_help = "Example:\n  wastegate experiment plan experiment.toml --activity activity.ndjson"
    )]
    Plan(Box<plan::Args>),
    /// Start an experiment that a TOML file defines.
    #[command(after_help = "Example:\n  wastegate experiment start experiment.toml")]
    Start {
        /// The definition; `docs/experiments.md` shows one.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        remote: Remote,
    },
    /// Show how experiments stand.
    #[command(
        after_help = "Examples:\n  wastegate experiment status\n  wastegate experiment status lru-or-not --json"
    )]
    Status {
        /// One of them; without it all.
        name: Option<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Let more users take part; nobody changes arm.
    #[command(after_help = "Example:\n  wastegate experiment cover lru-or-not 0.5")]
    Cover {
        /// The experiment.
        name: String,
        /// The share of users who take part from now on, up to 1.
        coverage: f64,
        #[command(flatten)]
        remote: Remote,
    },
    /// Take the newest revisions of the arms' policies, in a new phase; until then arms keep to theirs.
    #[command(after_help = "Example:\n  wastegate experiment renew lru-or-not")]
    Renew {
        /// The experiment.
        name: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Stop an experiment: everybody has the active policy again, and the report stays.
    #[command(after_help = "Example:\n  wastegate experiment stop lru-or-not --reason 'decided'")]
    Stop {
        /// The experiment.
        name: String,
        /// Why, for the audit log.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Write the report as a page of HTML.
    #[command(after_help = "Example:\n  wastegate experiment report lru-or-not --out report.html")]
    Report {
        /// The experiment.
        name: String,
        /// Into which file; without it to standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Print the exposures as CSV, as GrowthBook reads them.
    #[command(after_help = "Example:\n  wastegate experiment export lru-or-not > exposures.csv")]
    Export {
        /// The experiment.
        name: String,
        #[command(flatten)]
        remote: Remote,
    },
}

impl Args {
    /// Does it: 0 if it was done, 1 if it was refused, 69 if the server does not answer.
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        match self.verb {
            Verb::Plan(args) => args.run(terminal),
            Verb::Start { file, remote } => remote.run(terminal, async move |client, json| {
                let definition = DefinitionFile::read(&file)?;
                let (path, body) = ("/v1/experiments", definition.body.clone());
                let started = posted(client, path, body, in_words, json).await;
                started.map_err(|failure| definition.refusal(failure))
            }),
            Verb::Status { name: None, remote } => remote.run(terminal, async |client, json| {
                let answer = client.get("/v1/experiments").await?;
                Ok(shown(answer, json, |list: &ExperimentList| {
                    listed("experiments", &list.experiments, in_words)
                }))
            }),
            Verb::Status {
                name: Some(name),
                remote,
            } => remote.run(terminal, async move |client, json| {
                Ok(shown(client.get(&at(&name, "")).await?, json, in_words))
            }),
            Verb::Cover {
                name,
                coverage,
                remote,
            } => remote.run(terminal, async move |client, json| {
                let body = json!({ "coverage": coverage });
                let path = at(&name, "/cover");
                posted(client, &path, body, in_words, json).await
            }),
            Verb::Renew { name, remote } => remote.run(terminal, async move |client, json| {
                let path = at(&name, "/renew");
                let body = json!({});
                posted(client, &path, body, renewed, json).await
            }),
            Verb::Stop {
                name,
                reason,
                remote,
            } => remote.run(terminal, async move |client, json| {
                let body = json!({ "reason": reason });
                let path = at(&name, "/stop");
                posted(client, &path, body, in_words, json).await
            }),
            Verb::Report { name, out, remote } => remote.run(terminal, async move |client, _| {
                let path = at(&name, "/report");
                let page = client.raw(Method::GET, &path, &[], Body::None).await?;
                let Some(out) = out else {
                    return Ok(String::from_utf8_lossy(&page).into_owned());
                };
                std::fs::write(&out, page).map_err(|error| {
                    refused(&format!("cannot write {}: {error}", out.display())).code(EX_CANTCREAT)
                })?;
                Ok(format!("{}\n", out.display()))
            }),
            Verb::Export { name, remote } => remote.run(terminal, async move |client, _| {
                let path = at(&name, "/export");
                let csv = client.raw(Method::GET, &path, &[], Body::None).await?;
                Ok(String::from_utf8_lossy(&csv).into_owned())
            }),
        }
    }
}

fn at(name: &str, what: &str) -> String {
    format!("/v1/experiments/{}{what}", segment(name))
}

/// What came of `renew`.
fn renewed(answer: &RenewAnswer) -> String {
    let text = in_words(&answer.experiment);
    if answer.renewed {
        return text;
    }
    let name = &answer.experiment.name;
    format!(
        "{name}: nothing is newer: every arm has the newest revision of its policy, and the phase goes on\n{text}"
    )
}

/// One experiment in a few lines.
fn in_words(experiment: &ExperimentView) -> String {
    let assessment = &experiment.assessment;
    let mut text = format!(
        "{}: {}, phase {}, verdict {}\n",
        experiment.name,
        word(&experiment.state),
        experiment.phase.number,
        word(&assessment.verdict)
    );
    if !experiment.reason.is_empty() {
        text.push_str(&format!("  {}\n", experiment.reason));
    }
    for arm in &assessment.users {
        text.push_str(&format!(
            "  {}: {} {}, {} decisions, {} completed by the built-in ranking\n",
            arm.arm,
            arm.users,
            experiment.definition.units(),
            arm.decisions,
            arm.fallbacks
        ));
    }
    for arm in &experiment.outdated {
        text.push_str(&format!(
            "  `{arm}` has a newer revision that does not rank: `renew` takes it\n"
        ));
    }
    if let Some(RampView {
        next: Some(next),
        waits,
    }) = &experiment.ramp
    {
        let why = if waits.is_empty() {
            "now".to_owned()
        } else {
            format!("when this is over: {}", waits.join("; "))
        };
        text.push_str(&format!("  {} % of users next, {why}\n", next * 100.0));
    }
    if !experiment.durable {
        text.push_str("  in memory only: a restart does not know this\n");
    }
    for why in &assessment.because {
        text.push_str(&format!("  - {why}\n"));
    }
    text
}
