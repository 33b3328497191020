//! `wastegate revoke`: tokens that let no client in any more, on a running server.

use std::process::ExitCode;

use reqwest::Method;
use serde_json::json;

use super::Terminal;
use super::failure::Failure;
use super::levers::seconds;
use super::policy::operate::client::{Body, segment};
use super::policy::operate::{Remote, shown};
use super::policy::table::Table;
use super::users::span;
use wastegate_control::admin::revocations::{RevocationAnswer, RevocationList};
use wastegate_control::page::utc;

/// Arguments of `wastegate revoke`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate revoke token 4f1c --reason 'ticket 7'\n  wastegate revoke user ann --reason 'her phone was stolen'\n  wastegate revoke all --issued-before 1767225600 --reason 'the key leaked'\n  wastegate revoke user ann --clear\n  wastegate revoke list"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Revoke one token by its id, the claim `jti`.
    #[command(after_help = "Example:\n  wastegate revoke token 4f1c --for 1h --reason 'ticket 7'")]
    Token {
        /// Its id.
        #[arg(value_name = "JTI")]
        id: String,
        #[command(flatten)]
        order: Order,
    },
    /// Revoke a user's tokens that were issued before now, or before a moment.
    #[command(
        after_help = "Examples:\n  wastegate revoke user ann --reason 'her phone was stolen'\n  wastegate revoke user ann --clear"
    )]
    User {
        /// The user.
        #[arg(value_name = "USER")]
        name: String,
        #[command(flatten)]
        before: Before,
        #[command(flatten)]
        order: Order,
    },
    /// Revoke all tokens that were issued before now, or before a moment.
    #[command(
        after_help = "Example:\n  wastegate revoke all --issued-before 1767225600 --reason 'the key leaked'"
    )]
    All {
        #[command(flatten)]
        before: Before,
        #[command(flatten)]
        order: Order,
    },
    /// Show what is revoked.
    #[command(after_help = "Example:\n  wastegate revoke list")]
    List {
        #[command(flatten)]
        remote: Remote,
    },
}

#[derive(Debug, clap::Args)]
struct Before {
    /// The moment, seconds since the Unix epoch, as in the claim `iat`.
    #[arg(long, value_name = "UNIX_S", conflicts_with = "clear")]
    issued_before: Option<u64>,
}

#[derive(Debug, clap::Args)]
struct Order {
    /// Take the revocation back.
    #[arg(long, conflicts_with = "lasting")]
    clear: bool,
    /// How long it holds, such as 90s, 10m, 1h or 2d; without it, until it is taken back. Longer than the tokens
    /// are valid is of no use.
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    lasting: Option<u64>,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT", required_unless_present = "clear")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Args {
    /// Does it: 0 when it is done, 1 if it was refused, 69 if the server does not answer.
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        match self.verb {
            Verb::Token { id, order } => {
                order.run(terminal, &format!("tokens/{}", segment(&id)), None)
            }
            Verb::User {
                name,
                before,
                order,
            } => order.run(
                terminal,
                &format!("users/{}", segment(&name)),
                before.issued_before,
            ),
            Verb::All { before, order } => order.run(terminal, "all", before.issued_before),
            Verb::List { remote } => remote.run(terminal, async |client, json| {
                Ok(shown(client.get("/v1/revocations").await?, json, listed))
            }),
        }
    }
}

impl Order {
    fn run(
        self,
        terminal: Terminal<'_>,
        target: &str,
        issued_before_s: Option<u64>,
    ) -> Result<ExitCode, Failure> {
        let reason = self.reason.unwrap_or_default();
        let (method, body) = if self.clear {
            (Method::DELETE, json!({ "reason": reason }))
        } else {
            let before_ms = issued_before_s.map(|seconds| seconds.saturating_mul(1_000));
            let body = json!({
                "issued_before_unix_ms": before_ms, "for_s": self.lasting, "reason": reason
            });
            (Method::PUT, body)
        };
        let path = format!("/v1/revocations/{target}");
        self.remote.run(terminal, async |client, json| {
            let answer = client.ask(method, &path, &[], Body::Json(body));
            Ok(shown(answer.await?, json, answered))
        })
    }
}

fn answered(answer: &RevocationAnswer) -> String {
    let target = &answer.target;
    let mut text = match (&answer.revocation, answer.changed) {
        (None, false) => format!("{target}: nothing was revoked\n"),
        (None, true) => format!("{target}: taken back\n"),
        (Some(_), _) => format!("{target}: revoked\n"),
    };
    if answer.closed > 0 {
        text.push_str(&format!("  {} connections closed\n", answer.closed));
    }
    if answer.changed && !answer.durable && answer.revocation.is_some() {
        text.push_str("  in memory only: a restart ends it\n");
    }
    text.push_str(&answer.reach.in_words());
    text
}

fn listed(list: &RevocationList) -> String {
    let mut table = Table::new(["TOKENS", "ISSUED BEFORE", "HOLDS", "BY", "REASON"]);
    for row in &list.revocations {
        let revocation = &row.revocation;
        let before = revocation.issued_before_unix_ms.map(utc);
        table.row([
            row.target.clone(),
            before.unwrap_or_default(),
            span(&revocation.terms),
            revocation.terms.by.to_string(),
            revocation.terms.reason.clone(),
        ]);
    }
    table.text("no token is revoked")
}
