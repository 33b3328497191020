//! `wastegate experiment`: strategies compared on the users of a running server, over its admin API.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use reqwest::Method;
use serde_json::{Value, json};

use super::Terminal;
use super::policy::operate::client::{Body, Failed};
use super::policy::operate::{Remote, posted, shown};

/// The largest definition that is read, bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// What the API calls them.
const NAME: &str = "experiments";

/// Arguments of `wastegate experiment`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Start an experiment that a TOML file defines.
    Start {
        /// The definition; `docs/experiments.md` shows one.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        remote: Remote,
    },
    /// Show how experiments stand.
    Status {
        /// One of them; without it all.
        name: Option<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Let more users take part; nobody changes arm.
    Cover {
        /// The experiment.
        name: String,
        /// The share of users who take part from now on, up to 1.
        coverage: f64,
        #[command(flatten)]
        remote: Remote,
    },
    /// Take the newest revisions of the arms' policies, in a new phase; until then arms keep to theirs.
    Renew {
        /// The experiment.
        name: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Stop an experiment: everybody has the active policy again, and the report stays.
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
    Export {
        /// The experiment.
        name: String,
        #[command(flatten)]
        remote: Remote,
    },
}

impl Args {
    /// Does it: 0 if it was done, 1 if it was refused, 69 if nobody answered.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn run(self, terminal: Terminal<'_>) -> io::Result<ExitCode> {
        match self.verb {
            Verb::Start { file, remote } => remote.run(terminal, async move |client, json| {
                let body = definition(&file)?;
                let path = "/v1/experiments";
                posted(client, path, body, (NAME, tell), json).await
            }),
            Verb::Status { name, remote } => remote.run(terminal, async move |client, json| {
                let path = name.map_or_else(|| "/v1/experiments".to_owned(), |name| at(&name, ""));
                shown(NAME, tell, client.get(&path).await?, json)
            }),
            Verb::Cover {
                name,
                coverage,
                remote,
            } => remote.run(terminal, async move |client, json| {
                let body = json!({ "coverage": coverage });
                let path = at(&name, "/cover");
                posted(client, &path, body, (NAME, tell), json).await
            }),
            Verb::Renew { name, remote } => remote.run(terminal, async move |client, json| {
                let path = at(&name, "/renew");
                let body = json!({});
                posted(client, &path, body, (NAME, tell), json).await
            }),
            Verb::Stop {
                name,
                reason,
                remote,
            } => remote.run(terminal, async move |client, json| {
                let body = json!({ "reason": reason });
                let path = at(&name, "/stop");
                posted(client, &path, body, (NAME, tell), json).await
            }),
            Verb::Report { name, out, remote } => remote.run(terminal, async move |client, _| {
                let path = at(&name, "/report");
                let page = client.raw(Method::GET, &path, &[], Body::None).await?;
                let Some(out) = out else {
                    return Ok(String::from_utf8_lossy(&page).into_owned());
                };
                std::fs::write(&out, page).map_err(|error| {
                    Failed::Refused(format!("cannot write {}: {error}", out.display()))
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
    format!("/v1/experiments/{name}{what}")
}

/// A definition as the API takes it; what it says is judged by the server.
fn definition(path: &Path) -> Result<Value, Failed> {
    let refused = |why: String| Failed::Refused(format!("{}: {why}", path.display()));
    let length = std::fs::metadata(path)
        .map_err(|error| refused(error.to_string()))?
        .len();
    if length > FILE_BYTES_MAX {
        return Err(refused(format!(
            "it has {length} bytes, and a definition at most {FILE_BYTES_MAX}"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| refused(error.to_string()))?;
    serde_json::to_value(table).map_err(|error| refused(error.to_string()))
}

/// One experiment in a few lines.
fn tell(told: &mut String, one: &Value) {
    let text = |pointer: &str| {
        one.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let number = |pointer: &str| {
        one.pointer(pointer)
            .map(Value::to_string)
            .unwrap_or_default()
    };
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        told,
        "{}: {}, phase {}, verdict {}",
        text("/name"),
        text("/state"),
        number("/phase/number"),
        text("/assessment/verdict")
    );
    if !text("/reason").is_empty() {
        let _ = writeln!(told, "  {}", text("/reason"));
    }
    let list = |pointer: &str| {
        one.pointer(pointer)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    for arm in list("/assessment/users") {
        let _ = writeln!(
            told,
            "  {}: {} users, {} decisions, {} completed by the built-in ranking",
            arm.get("arm").and_then(Value::as_str).unwrap_or_default(),
            of(&arm, "users"),
            of(&arm, "decisions"),
            of(&arm, "fallbacks")
        );
    }
    for arm in list("/outdated") {
        let _ = writeln!(
            told,
            "  `{}` has a newer revision that does not rank: `renew` takes it",
            arm.as_str().unwrap_or_default()
        );
    }
    if one.pointer("/durable") == Some(&Value::Bool(false)) {
        let _ = writeln!(told, "  in memory only: a restart does not know this");
    }
    for why in list("/assessment/because") {
        let _ = writeln!(told, "  - {}", why.as_str().unwrap_or_default());
    }
}

fn of(arm: &Value, key: &str) -> u64 {
    arm.get(key).and_then(Value::as_u64).unwrap_or_default()
}
