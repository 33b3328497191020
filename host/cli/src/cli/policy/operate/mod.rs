//! The operators' verbs: a running server's policies, over its admin API.
//!
//! A verb turns arguments into one request and its answer into a table, or with `--json` prints the
//! answer as it came. What is decided is decided by the server.

mod change;
pub(in crate::cli) mod client;
mod evidence;
mod look;
mod push;
mod when;

use std::io;
use std::process::ExitCode;

use reqwest::Method;
use serde_json::Value;

pub(super) use change::{Activate, Disable, Rollback, Set};
pub(super) use evidence::{Audit, Faults, Log};
pub(super) use look::{History, List};
pub(super) use push::{Pull, Push};

use self::client::{Body, Client, Failed};
use super::super::Terminal;
use super::super::config::{SourceArgs, refuse};
use super::super::serve::EX_UNAVAILABLE;
use crate::config::{self, AdminListener, ProgramConfig};
use wastegate_control::admin::{NO_TOKEN, kept};
use wastegate_core::types::{RevisionId, Secret, Tier, host};
use wastegate_lab::workbench::text::hanging;

/// Which server, who asks, and how the answer is shown.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Remote {
    /// The operators' API; without it `admin.listen` of the configuration.
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// Who you are, for the audit log; without it the user of this shell.
    #[arg(long = "as", value_name = "NAME")]
    actor: Option<String>,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sources: SourceArgs,
}

/// What a verb does with a client: what it prints, or why it failed.
pub(in crate::cli) type Done = Result<String, Failed>;

impl Remote {
    /// Makes a request of the server and prints what comes of it: 0 if it was done, 1 if it was
    /// refused, 69 if nobody answered.
    pub(in crate::cli) fn run(
        self,
        terminal: Terminal<'_>,
        ask: impl AsyncFnOnce(&Client, bool) -> Done,
    ) -> io::Result<ExitCode> {
        let Terminal {
            environment,
            out,
            err,
        } = terminal;
        let actor = self.actor.or_else(|| environment.user().map(str::to_owned));
        let loaded = config::load(self.sources.sources(environment, Vec::new()));
        let config = loaded.as_ref().ok().map(|loaded| &loaded.config);
        let token = match token(config, self.admin.as_deref()) {
            Ok(token) => token,
            Err(said) => {
                writeln!(err, "error: {said}")?;
                return Ok(ExitCode::FAILURE);
            }
        };
        let url = match self.admin {
            Some(url) => url,
            None => match loaded {
                Ok(loaded) => match loaded.config.admin {
                    AdminListener::On(address) => format!("http://{address}"),
                    AdminListener::Off => {
                        writeln!(
                            err,
                            "error: `admin.listen` is off in this configuration: give the server's with --admin URL"
                        )?;
                        return Ok(ExitCode::FAILURE);
                    }
                },
                Err(error) => return refuse(&error, err),
            },
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let done = runtime.block_on(async {
            let client = Client::new(&url, actor, token)?;
            ask(&client, self.json).await
        });
        match done {
            Ok(text) => {
                out.write_all(text.as_bytes())?;
                Ok(ExitCode::SUCCESS)
            }
            Err(Failed::Unreachable(said)) => {
                writeln!(err, "error: {said}")?;
                Ok(ExitCode::from(EX_UNAVAILABLE))
            }
            Err(Failed::Refused(said)) => {
                // Names of a stranger's file may be in it: no line of theirs begins where ours do.
                writeln!(err, "error: {}", hanging(&said, 2))?;
                Ok(ExitCode::FAILURE)
            }
        }
    }
}

/// What shows that we may operate: the token that is configured, or the one that the server of this
/// configuration keeps. The latter goes to no other machine than this one, or where the configuration
/// says that the server is.
fn token(config: Option<&ProgramConfig>, url: Option<&str>) -> Result<Option<Secret>, String> {
    let Some(config) = config else {
        return Ok(None);
    };
    let configured = &config.admin_token;
    if configured.reveal() == NO_TOKEN {
        return Ok(None);
    }
    if !configured.is_empty() {
        return Ok(Some(configured.clone()));
    }
    let here = |url| {
        let url = reqwest::Url::parse(url).ok();
        url.is_some_and(|url| url.host_str().is_some_and(host::is_loopback))
    };
    match &config.rollout.state_dir {
        Some(folder) if url.is_none_or(here) => kept::read(folder).map_err(|error| {
            format!(
                "the operators' token {} cannot be used ({error}): ask as the server's user, or give the token in WASTEGATE_ADMIN__TOKEN",
                kept::path(folder).display()
            )
        }),
        _ => Ok(None),
    }
}

/// Asks for a change, and shows what came of it as [`shown`] does.
pub(in crate::cli) async fn posted(
    client: &Client,
    path: &str,
    body: Value,
    (list, tell): (&str, fn(&mut String, &Value)),
    json: bool,
) -> Done {
    let answer = client
        .ask(Method::POST, path, &[], Body::Json(body))
        .await?;
    shown(list, tell, answer, json)
}

/// An answer as it came, or in words: of one thing, or of all in the list of that name.
pub(in crate::cli) fn shown(
    list: &str,
    tell: fn(&mut String, &Value),
    (value, text): (Value, String),
    json: bool,
) -> Done {
    if json {
        return Ok(text + "\n");
    }
    let mut told = String::new();
    match value.get(list).and_then(Value::as_array) {
        Some(all) if all.is_empty() => told = format!("no {list}\n"),
        Some(all) => all.iter().for_each(|one| tell(&mut told, one)),
        None => tell(&mut told, &value),
    }
    Ok(told)
}

/// A tier by its name.
fn tier(name: &str) -> Result<Tier, String> {
    let found = Tier::ALL.into_iter().find(|tier| tier.name() == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = Tier::ALL.iter().map(|tier| tier.name()).collect();
        format!("give one of {}", names.join(", "))
    })
}

/// What is taken to be active: `r7`, or `built-in`, which the API calls 0.
fn expectation(text: &str) -> Result<u64, String> {
    if text == BUILT_IN {
        return Ok(0);
    }
    let id: Result<RevisionId, _> = text.parse();
    id.map(RevisionId::get)
        .map_err(|error| format!("{error}; or give `{BUILT_IN}`"))
}

/// How the built-in ranking is called where a revision would be.
const BUILT_IN: &str = "built-in";

/// A revision, or what is there without one.
fn seat(revision: Option<RevisionId>) -> String {
    revision.map_or_else(|| BUILT_IN.to_owned(), |id| id.to_string())
}
