//! The operators' verbs: a running server's policies, over its admin API.
//!
//! A verb turns arguments into one request and its answer into a table, or with `--json` prints the
//! answer as it came. What is decided is decided by the server.

mod change;
pub(in crate::cli) mod client;
mod evidence;
mod lenient;
mod look;
mod push;
mod share;

use std::process::ExitCode;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(super) use change::{Activate, Disable, Rollback, Set};
pub(super) use evidence::{Audit, Faults, Log};
pub(in crate::cli) use look::word;
pub(super) use look::{History, List};
pub(super) use push::{Pull, Push};
pub(super) use share::{Share, Shared};

use self::client::{Body, Client};
use super::super::Terminal;
use super::super::config::SourceArgs;
use super::super::failure::Failure;
use crate::config::{self, AdminListener, Environment, ProgramConfig};
use wastegate_control::admin::{NO_TOKEN, kept};
use wastegate_core::types::{RevisionId, Secret, Tier, host};

/// Which server, and who asks.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Asked {
    /// The operators' API, such as http://127.0.0.1:9090 or 127.0.0.1:9090; without it `admin.listen` of the
    /// configuration.
    #[arg(long, value_name = "URL", value_parser = with_scheme)]
    admin: Option<String>,
    /// Who you are, for the audit log; without it the user of this shell.
    #[arg(long = "as", value_name = "NAME")]
    actor: Option<String>,
    #[command(flatten)]
    sources: SourceArgs,
}

/// Which server, who asks, and how the answer is shown.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Remote {
    #[command(flatten)]
    asked: Asked,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// A URL, or an address of which http is spoken.
#[expect(clippy::unnecessary_wraps, reason = "clap asks for a result")]
fn with_scheme(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    })
}

/// What a verb does with a client: what it prints, or why it failed.
pub(in crate::cli) type Done = Result<String, Failure>;

impl Remote {
    /// Makes a request of the server and prints what comes of it: 0 if it was done, 1 if it was
    /// refused, 69 if the server does not answer.
    pub(in crate::cli) fn run(
        self,
        terminal: Terminal<'_>,
        ask: impl AsyncFnOnce(&Client, bool) -> Done,
    ) -> Result<ExitCode, Failure> {
        let Terminal {
            environment, out, ..
        } = terminal;
        let client = self.asked.client(environment)?;
        let runtime = runtime()?;
        let text = runtime.block_on(ask(&client, self.json))?;
        out.write_all(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What requests run on.
pub(in crate::cli) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().build()?)
}

impl Asked {
    /// A client of that server, with the token of the configuration.
    pub(in crate::cli) fn client(self, environment: Environment) -> Result<Client, Failure> {
        let actor = self.actor.or_else(|| environment.user().map(str::to_owned));
        let loaded = config::load(self.sources.sources(environment, Vec::new()));
        let config = loaded.as_ref().ok().map(|loaded| &loaded.config);
        let token = token(config, self.admin.as_deref())?;
        let url = match self.admin {
            Some(url) => url,
            None => match loaded?.config.admin {
                AdminListener::On(address) => format!("http://{address}"),
                AdminListener::Off => {
                    return Err(Failure::new(
                        "`admin.listen` is off in this configuration: give the server's with --admin URL",
                    ));
                }
            },
        };
        Client::new(&url, actor, token)
    }
}

/// What shows that we may operate: the token that is configured, or the one that the server of this
/// configuration keeps. The latter goes to no other machine than this one, or where the configuration
/// says that the server is.
fn token(config: Option<&ProgramConfig>, url: Option<&str>) -> Result<Option<Secret>, Failure> {
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
            Failure::new(format!(
                "the operators' token {} cannot be used ({error}): ask as the server's user, or give the token in WASTEGATE_ADMIN__TOKEN",
                kept::path(folder).display()
            ))
        }),
        _ => Ok(None),
    }
}

/// Asks for a change, and shows what came of it as [`shown`] does.
pub(in crate::cli) async fn posted<T: DeserializeOwned>(
    client: &Client,
    path: &str,
    body: Value,
    in_words: fn(&T) -> String,
    json: bool,
) -> Done {
    let answer = client
        .ask(Method::POST, path, &[], Body::Json(body))
        .await?;
    Ok(shown(answer, json, in_words))
}

/// An answer as it came, or in words.
pub(in crate::cli) fn shown<T>(
    (answer, text): (T, String),
    json: bool,
    in_words: impl FnOnce(&T) -> String,
) -> String {
    if json { text + "\n" } else { in_words(&answer) }
}

/// All of a list in words, or that there are none.
pub(in crate::cli) fn listed<T>(list: &str, all: &[T], in_words: fn(&T) -> String) -> String {
    if all.is_empty() {
        return format!("no {list}\n");
    }
    all.iter().map(in_words).collect()
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
