//! `wastegate policy activate`, `rollback`, `disable` and `set`.

use std::process::ExitCode;

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::super::super::Terminal;
use super::super::super::failure::Failure;
use super::client::{Body, Client, segment};
use super::seat;
use super::share::Everywhere;
use super::{Done, Remote, expectation, shown, tier};
use wastegate_control::admin::policies::views::ChangedDto;
use wastegate_control::rollout::audit as moves;
use wastegate_core::types::{RevisionId, Tier};

/// Where, on what condition, and why.
#[derive(Debug, clap::Args)]
struct Where {
    /// At this tier only; without it everywhere.
    #[arg(long, value_parser = tier)]
    tier: Option<Tier>,
    /// Only if this revision is active there; `built-in` for the built-in ranking.
    #[arg(long, value_name = "REVISION", value_parser = expectation)]
    expect: Option<u64>,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// On this node, and then on all nodes of its cluster.
    #[arg(long)]
    everywhere: bool,
}

/// Arguments of `wastegate policy activate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wastegate policy activate my-policy --reason 'ticket 7'\n  wastegate policy activate my-policy --revision r7 --tier force --expect r5\n  wastegate policy activate my-policy --everywhere --reason 'tried on one node'"
)]
pub(in super::super) struct Activate {
    /// The policy; one that the host ships need not be pushed first.
    #[arg(value_name = "POLICY")]
    name: String,
    /// Which of its revisions, such as `r7`; without it the newest.
    #[arg(long)]
    revision: Option<RevisionId>,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `wastegate policy rollback`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wastegate policy rollback --reason 'more came back than before'"
)]
pub(in super::super) struct Rollback {
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `wastegate policy disable`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate policy disable --tier force --reason 'ticket 7'")]
pub(in super::super) struct Disable {
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `wastegate policy set`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wastegate policy set my-policy --param weight=2 --reason 'ticket 7'"
)]
pub(in super::super) struct Set {
    /// The policy, by the name that the server knows.
    #[arg(value_name = "POLICY")]
    name: String,
    /// A parameter, or `NAME=default` to give it back; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    param: Vec<(String, Value)>,
    /// A limit (fuel_base, fuel_per_row, memory_bytes, deadline_ms), or `NAME=inherit` for the
    /// node's; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    limit: Vec<(String, Value)>,
    /// Only if this is the policy's revision.
    #[arg(long, value_name = "REVISION", value_parser = expectation)]
    expect: Option<u64>,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// On this node, and then on all nodes of its cluster.
    #[arg(long)]
    everywhere: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Activate {
    pub(in super::super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let path = format!("/v1/policies/{}/activate", segment(&self.name));
        let everywhere = self.at.everywhere;
        let mut body = self.at.body();
        body.insert("revision".to_owned(), json!(self.revision));
        self.remote.run(terminal, async |client, json| {
            changed(client, (Method::POST, &path), body, everywhere, json).await
        })
    }
}

impl Rollback {
    pub(in super::super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let everywhere = self.at.everywhere;
        let body = self.at.body();
        let to = (Method::POST, "/v1/policies/rollback");
        self.remote.run(terminal, async |client, json| {
            changed(client, to, body, everywhere, json).await
        })
    }
}

impl Disable {
    pub(in super::super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let everywhere = self.at.everywhere;
        let body = self.at.body();
        let to = (Method::POST, "/v1/policies/disable");
        self.remote.run(terminal, async |client, json| {
            changed(client, to, body, everywhere, json).await
        })
    }
}

impl Set {
    pub(in super::super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let path = format!("/v1/policies/{}", segment(&self.name));
        let params: Map<String, Value> = self.param.into_iter().collect();
        let limits: Map<String, Value> = self.limit.into_iter().collect();
        let body = json!({
            "params": params, "limits": limits,
            "expect_revision": self.expect, "reason": self.reason,
        });
        let body = body.as_object().cloned().unwrap_or_default();
        self.remote.run(terminal, async |client, json| {
            changed(client, (Method::PATCH, &path), body, self.everywhere, json).await
        })
    }
}

impl Where {
    fn body(self) -> Map<String, Value> {
        let body = json!({
            "tier": self.tier, "expect_revision": self.expect, "reason": self.reason,
        });
        body.as_object().cloned().unwrap_or_default()
    }
}

async fn changed(
    client: &Client,
    (method, path): (Method, &str),
    body: Map<String, Value>,
    everywhere: bool,
    json: bool,
) -> Done {
    let reason = body.get("reason").and_then(Value::as_str);
    let everywhere = match everywhere {
        true => Some(Everywhere::from(client, reason.unwrap_or_default()).await?),
        false => None,
    };
    let body = Body::Json(Value::Object(body));
    let answer = client.ask(method, path, &[], body).await?;
    let mut text = shown(answer, json, in_words);
    if let Some(everywhere) = everywhere {
        text.push_str(&everywhere.share(client, json).await?);
    }
    Ok(text)
}

/// A change in words.
fn in_words(changed: &ChangedDto) -> String {
    let mut text = if changed.moves.is_empty() {
        match changed.revision {
            Some(id) => format!("{id}: nothing changed in the seats\n"),
            None => "nothing changed in the seats\n".to_owned(),
        }
    } else {
        format!("{}\n", moves::in_words(&changed.moves))
    };
    for seat_now in &changed.seats {
        if seat_now.answering != seat_now.active {
            text.push_str(&format!(
                "{}: {} is left alone after faults, {} answers in its place\n",
                seat_now.tier,
                seat(seat_now.active),
                seat(seat_now.answering)
            ));
        }
    }
    for name in &changed.stopped {
        text.push_str(&format!("experiment `{name}` is stopped\n"));
    }
    for name in &changed.going_on {
        text.push_str(&format!(
            "experiment `{name}` goes on: its arms rank for its users; `wastegate experiment stop {name}` ends that\n"
        ));
    }
    if !changed.durable {
        text.push_str("in memory only: gone after a restart\n");
    }
    text
}

/// A name and a number; a word that gives a value back is null.
fn pair(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("give a name and a value, such as patience-ms=50000")?;
    let value = match value {
        "default" | "inherit" => Value::Null,
        value => {
            let whole = value.parse::<u64>().map(Value::from);
            let real = || value.parse::<f64>().ok().filter(|value| value.is_finite());
            whole
                .ok()
                .or_else(|| real().map(Value::from))
                .ok_or_else(|| format!("`{value}` is not a finite number"))?
        }
    };
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_a_number_or_given_back() {
        let value = |text| pair(text).map(|(_, value)| value);
        assert_eq!(value("a=5"), Ok(json!(5)));
        assert_eq!(value("a=0.5"), Ok(json!(0.5)));
        assert_eq!(value("a=default"), Ok(Value::Null));
        assert_eq!(value("a=inherit"), Ok(Value::Null));
        for wrong in ["a", "a=", "a=NaN", "a=soon"] {
            assert!(value(wrong).is_err(), "{wrong}");
        }
    }
}
