//! `wastegate drain`, `undrain` and `disconnect`: levers for a whole node.

use std::process::ExitCode;

use reqwest::Method;
use serde_json::{Value, json};

use super::Terminal;
use super::failure::Failure;
use super::levers::seconds;
use super::policy::operate::client::Body;
use super::policy::operate::{Remote, shown};
use super::users::terms;
use wastegate_control::admin::node_levers::{DisconnectAnswer, DrainAnswer};

const DRAIN: &str = "/v1/node/drain";
const DISCONNECT: &str = "/v1/node/disconnect";

/// Arguments of `wastegate drain`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate drain --reason 'a new kernel'\n  wastegate drain --for 30m --reason 'a look at it'"
)]
pub struct DrainArgs {
    /// How long, such as 90s, 10m, 1h or 2d; without it, until `wastegate undrain`.
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    lasting: Option<u64>,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `wastegate undrain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate undrain --reason 'the kernel is in'")]
pub struct UndrainArgs {
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `wastegate disconnect`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate disconnect --per-s 50 --reason 'a new node to balance on'\n  wastegate disconnect --stop"
)]
pub struct DisconnectArgs {
    /// How many connections are closed in a second, 1 to 10000.
    #[arg(
        long,
        value_name = "N",
        required_unless_present = "stop",
        requires = "reason"
    )]
    per_s: Option<u32>,
    /// Close no more of them.
    #[arg(long, conflicts_with = "per_s")]
    stop: bool,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl DrainArgs {
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let body = json!({ "for_s": self.lasting, "reason": self.reason });
        drain(self.remote, terminal, Method::PUT, body)
    }
}

impl UndrainArgs {
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let body = json!({ "reason": self.reason });
        drain(self.remote, terminal, Method::DELETE, body)
    }
}

impl DisconnectArgs {
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let (method, body) = match self.per_s {
            Some(per_s) => (
                Method::PUT,
                json!({ "per_s": per_s, "reason": self.reason }),
            ),
            None => (
                Method::DELETE,
                json!({ "reason": self.reason.unwrap_or_default() }),
            ),
        };
        self.remote.run(terminal, async |client, json| {
            let answer = client.ask(method, DISCONNECT, &[], Body::Json(body));
            Ok(shown(
                answer.await?,
                json,
                |answer: &DisconnectAnswer| match (&answer.disconnecting, answer.changed) {
                    (Some(closing), _) => {
                        let (left, per_s) = (closing.left, closing.per_s);
                        format!("{left} connections are closed, {per_s} a second\n")
                    }
                    (None, true) => "no more connections are closed\n".to_owned(),
                    (None, false) => "no connections were being closed\n".to_owned(),
                },
            ))
        })
    }
}

fn drain(
    remote: Remote,
    terminal: Terminal<'_>,
    method: Method,
    body: Value,
) -> Result<ExitCode, Failure> {
    remote.run(terminal, async |client, json| {
        let answer = client.ask(method, DRAIN, &[], Body::Json(body));
        Ok(shown(answer.await?, json, drained))
    })
}

fn drained(answer: &DrainAnswer) -> String {
    let DrainAnswer {
        changed,
        durable,
        drain,
    } = answer;
    let mut text = match (drain, changed) {
        (Some(drain), _) => terms("the node takes no new connections", drain) + "\n",
        (None, true) => "the node takes new connections\n".to_owned(),
        (None, false) => "the node was not drained\n".to_owned(),
    };
    if drain.is_some() && *changed && !durable {
        text.push_str("  in memory only: a restart ends it\n");
    }
    text
}
