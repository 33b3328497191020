//! `wastegate limit`, `evict`, `block`, `unblock`, `pin` and `unpin`: levers for one user of a running server.

use std::process::ExitCode;

use reqwest::Method;
use serde_json::{Value, json};

use super::Terminal;
use super::failure::Failure;
use super::policy::operate::client::{Body, segment};
use super::policy::operate::{Remote, shown};
use super::users::{in_words, path};
use wastegate_control::admin::users::views::{EvictedAnswer, LeverAnswer};

/// Arguments of `wastegate limit`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate limit ann 40 --for 1h --reason 'ticket 7'\n  wastegate limit ann --clear"
)]
pub struct LimitArgs {
    /// The user.
    user: String,
    /// How many managers it may hold, before what its token and the configuration say.
    #[arg(
        value_name = "N",
        required_unless_present = "clear",
        requires = "reason"
    )]
    managers: Option<u32>,
    /// Take back what is set.
    #[arg(long, conflicts_with_all = ["managers", "lasting"])]
    clear: bool,
    /// How long it holds, such as 90s, 10m, 1h or 2d; without it, until it is taken back.
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    lasting: Option<u64>,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `wastegate evict`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate evict ann --reason stuck\n  wastegate evict ann chat-1 --reason stuck"
)]
pub struct EvictArgs {
    /// The user.
    user: String,
    /// The key of one manager; without it, all of the user are evicted.
    key: Option<String>,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `wastegate block`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate block ann --for 10m --reason spam")]
pub struct BlockArgs {
    /// The user.
    user: String,
    /// How long, such as 90s, 10m, 1h or 2d; without it, until `wastegate unblock`.
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    lasting: Option<u64>,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `wastegate unblock`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate unblock ann --reason 'it was a test'")]
pub struct UnblockArgs {
    /// The user.
    user: String,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `wastegate pin`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate pin ann chat-1 --for 2h --reason 'a demonstration'")]
pub struct PinArgs {
    /// The user.
    user: String,
    /// The key of the manager. One of the same key that comes after it is pinned too.
    key: String,
    /// How long, such as 90s, 10m, 1h or 2d.
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    lasting: u64,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `wastegate unpin`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate unpin ann chat-1 --reason 'it is over'")]
pub struct UnpinArgs {
    /// The user.
    user: String,
    /// The key of the manager.
    key: String,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    remote: Remote,
}

impl LimitArgs {
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let (method, body) = match self.managers {
            Some(managers) => {
                let body =
                    json!({ "managers": managers, "for_s": self.lasting, "reason": self.reason });
                (Method::PUT, body)
            }
            None => (
                Method::DELETE,
                json!({ "reason": self.reason.unwrap_or_default() }),
            ),
        };
        let path = format!("{}/limit", path(&self.user));
        changed(self.remote, terminal, method, path, body)
    }
}

impl BlockArgs {
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let body = json!({ "for_s": self.lasting, "reason": self.reason });
        let path = format!("{}/block", path(&self.user));
        changed(self.remote, terminal, Method::PUT, path, body)
    }
}

impl UnblockArgs {
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let body = json!({ "reason": self.reason });
        let path = format!("{}/block", path(&self.user));
        changed(self.remote, terminal, Method::DELETE, path, body)
    }
}

impl EvictArgs {
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let (user, body) = (path(&self.user), json!({ "reason": self.reason }));
        let Some(key) = self.key else {
            let path = format!("{user}/evict");
            return self.remote.run(terminal, async |client, json| {
                let answer = client.ask(Method::POST, &path, &[], Body::Json(body));
                Ok(shown(answer.await?, json, |answer: &EvictedAnswer| {
                    format!("{}: {} managers evicted\n", answer.user, answer.evicted)
                }))
            });
        };
        let path = format!("{user}/managers/{}/evict", segment(&key));
        self.remote.run(terminal, async |client, json| {
            let answer = client.ask(Method::POST, &path, &[], Body::Json(body));
            Ok(shown(answer.await?, json, |answer: &Value| {
                let evicted = answer.get("evicted").and_then(Value::as_bool);
                let said = if evicted == Some(true) {
                    "evicted"
                } else {
                    "it had ended before"
                };
                format!("{key}: {said}\n")
            }))
        })
    }
}

impl PinArgs {
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let for_ms = self.lasting.saturating_mul(1_000);
        let body = json!({ "for_ms": for_ms, "reason": self.reason });
        let of = (self.user, self.key);
        pin(self.remote, terminal, Method::POST, of, body)
    }
}

impl UnpinArgs {
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let body = json!({ "reason": self.reason });
        let of = (self.user, self.key);
        pin(self.remote, terminal, Method::DELETE, of, body)
    }
}

fn pin(
    remote: Remote,
    terminal: Terminal<'_>,
    method: Method,
    (user, key): (String, String),
    body: Value,
) -> Result<ExitCode, Failure> {
    let path = format!("{}/managers/{}/pin", path(&user), segment(&key));
    remote.run(terminal, async |client, json| {
        let answer = client.ask(method, &path, &[], Body::Json(body));
        Ok(shown(answer.await?, json, |answer: &Value| {
            let pinned = answer.get("pinned").and_then(Value::as_bool);
            let said = if pinned == Some(true) {
                "no cleanup evicts it"
            } else {
                "not pinned any more"
            };
            format!("{user}, {key}: {said}\n")
        }))
    })
}

/// Changes a lever, and shows what is set then.
fn changed(
    remote: Remote,
    terminal: Terminal<'_>,
    method: Method,
    path: String,
    body: Value,
) -> Result<ExitCode, Failure> {
    remote.run(terminal, async |client, json| {
        let answer = client.ask(method, &path, &[], Body::Json(body));
        Ok(shown(answer.await?, json, answered))
    })
}

fn answered(answer: &LeverAnswer) -> String {
    let LeverAnswer {
        user,
        changed,
        evicted,
        durable,
        levers,
        reach,
    } = answer;
    let set = in_words(levers);
    let mut text = match (changed, set.as_slice()) {
        (false, []) => format!("{user}: nothing was set\n"),
        (_, []) => format!("{user}: taken back\n"),
        (_, set) => format!("{user}: {}\n", set.join(", ")),
    };
    if *evicted > 0 {
        text.push_str(&format!("  {evicted} managers evicted\n"));
    }
    if *changed && !durable && !set.is_empty() {
        text.push_str("  in memory only: a restart ends it\n");
    }
    text.push_str(&reach.in_words());
    text
}

/// A time such as `90s`, `10m`, `1h` or `2d`, in seconds.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    let read = units.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*seconds)
    });
    read.filter(|seconds| *seconds > 0)
        .ok_or_else(|| "give a number with s, m, h or d, such as 90s or 1h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_with_a_unit() {
        for (text, expected) in [("90s", 90), ("10m", 600), ("1h", 3_600), ("2d", 172_800)] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "h",
            "10",
            "0s",
            "-1h",
            "1.5h",
            "1w",
            "99999999999999999999d",
        ] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
