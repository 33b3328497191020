//! `wastegate status`: one screen of a running server.

use std::process::ExitCode;

use super::Terminal;
use super::failure::Failure;
use super::policy::operate::{Remote, shown};
use wastegate_control::admin::StatusView;
use wastegate_core::types::units::{bytes, thousands};

/// Arguments of `wastegate status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  wastegate status\n  wastegate status --json | jq .problems")]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
}

impl Args {
    /// Does it: 0 with the state of the server, well or not; 69 if it does not answer.
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        self.remote.run(terminal, async |client, json| {
            Ok(shown(client.get("/v1/status").await?, json, in_words))
        })
    }
}

fn in_words(status: &StatusView) -> String {
    let mut text = String::new();
    let mut line = |name: &str, says: &str| text.push_str(&format!("{name:<10} {says}\n"));
    match status.problems.as_slice() {
        [] => line("well", "yes"),
        problems => {
            for (place, problem) in problems.iter().enumerate() {
                line(if place == 0 { "NOT WELL" } else { "" }, problem);
            }
        }
    }
    let of = |used: u64, limit: u64| match limit {
        0 => thousands(used),
        limit => format!("{} of {}", thousands(used), thousands(limit)),
    };
    line(
        "managers",
        &format!(
            "{}, of {} users, with {} connections",
            of(status.managers.into(), status.managers_limit.into()),
            thousands(status.users as u64),
            thousands(status.connections.into())
        ),
    );
    let health = status.health.iter();
    let health: Vec<String> = health
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    if !health.is_empty() {
        line("health", &health.join(", "));
    }
    for (place, user) in status.fullest.iter().enumerate() {
        line(
            if place == 0 { "fullest" } else { "" },
            &match user.lent {
                0 => format!(
                    "{} holds {} of {} ({})",
                    user.user, user.managers, user.limit, user.pressure
                ),
                lent => format!(
                    "{} holds {} of {} and {lent} temporary slots ({})",
                    user.user, user.managers, user.limit, user.pressure
                ),
            },
        );
    }
    line(
        "waiting",
        &format!(
            "{}; {} refused at a limit since the start",
            status.queued,
            thousands(status.refused)
        ),
    );
    line("ranked by", &status.ranked_by.join(", "));
    for (place, backend) in status.backends.iter().enumerate() {
        line(
            if place == 0 { "backends" } else { "" },
            &format!(
                "{} {}, {} connections",
                backend.url, backend.state, backend.connections
            ),
        );
    }
    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^53 bytes")]
    let memory = status.rss_bytes.map(|size| bytes(size as f64));
    let open = status.open_fds.map(|open| {
        let limit = status.open_fds_limit.unwrap_or(0);
        format!("{} descriptors", of(open, limit))
    });
    let process: Vec<String> = memory.into_iter().chain(open).collect();
    if !process.is_empty() {
        line("process", &process.join(", "));
    }
    text
}
