//! `wastegate policy list` and `history`: what there is.

use std::process::ExitCode;

use super::super::super::Terminal;
use super::super::super::failure::Failure;
use super::super::table::Table;
use super::client::segment;
use super::{Remote, seat, shown};
use wastegate_control::admin::policies::views::{AwaitedDto, ListDto, PolicyDto, RevisionDto};
use wastegate_control::page::utc;
use wastegate_core::types::{RevisionId, Tier};

/// Arguments of `wastegate policy list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate policy list")]
pub(in super::super) struct List {
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `wastegate policy history`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate policy history my-policy")]
pub(in super::super) struct History {
    /// The policy, by the name that the server knows.
    #[arg(value_name = "POLICY")]
    name: String,
    #[command(flatten)]
    remote: Remote,
}

impl List {
    pub(in super::super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        self.remote.run(terminal, async |client, json| {
            Ok(shown(client.get("/v1/policies").await?, json, list))
        })
    }
}

impl History {
    pub(in super::super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let path = format!("/v1/policies/{}", segment(&self.name));
        self.remote.run(terminal, async |client, json| {
            Ok(shown(client.get(&path).await?, json, history))
        })
    }
}

fn list(list: &ListDto) -> String {
    let revisions = || list.policies.iter().flat_map(|policy| &policy.revisions);
    let named = |id: Option<RevisionId>| {
        let known = revisions().find(|known| Some(known.revision) == id);
        match known {
            Some(known) => format!("{} {} {}", known.revision, known.policy, known.version),
            None => seat(id),
        }
    };
    let mut seats = Table::new(["TIER", "ANSWERS", "ACTIVE", "FALLBACK"]).whole();
    for at in &list.seats {
        seats.row([
            at.tier.name().to_owned(),
            named(at.answering),
            seat(at.active),
            seat(at.fallback),
        ]);
    }
    let mut text = seats.text("");
    let mut table = Table::new([
        "POLICY", "REVISION", "VERSION", "STATE", "FROM", "BY", "WHEN",
    ])
    .whole();
    for known in revisions() {
        table.row(row(known));
    }
    text.push('\n');
    text.push_str(&table.text("no revisions"));
    if !list.under_way.is_empty() {
        let mut table = Table::new(["UNDER WAY", "STATE", "BYTES", "FROM", "BY", "SINCE"]).whole();
        for under_way in &list.under_way {
            table.row([
                under_way.policy.clone(),
                word(&under_way.state),
                under_way.size_bytes.to_string(),
                under_way.origin.clone(),
                under_way.by.clone(),
                utc(under_way.since_unix_ms),
            ]);
        }
        text.push('\n');
        text.push_str(&table.text(""));
    }
    if !list.shipped.is_empty() {
        let shipped = list.shipped.join(", ");
        text.push_str(&format!("\nshipped too: {shipped}\n"));
    }
    if let Some(awaited) = &list.awaited {
        let AwaitedDto {
            source,
            why,
            in_its_place,
        } = awaited;
        let stands_in = match in_its_place.as_str() {
            "built-in" => "the built-in ranking is active until it is there",
            _ => "the policy that was active before goes on until it is there",
        };
        text.push_str(&format!("\nawaited: {source}; {stands_in}: {why}\n"));
    }
    if !list.durable {
        text.push_str(
            "\nkept in memory only: a restart begins with the configuration (`policy.rollout.state_dir`)\n",
        );
    }
    text
}

fn history(policy: &PolicyDto) -> String {
    let mut table = Table::new([
        "REVISION", "VERSION", "STATE", "WHY", "SET", "FROM", "BY", "WHEN", "DIGEST",
    ])
    .whole();
    for known in &policy.revisions {
        table.row([
            known.revision.to_string(),
            known.version.clone(),
            word(&known.state),
            known.reason.clone(),
            set(known),
            known.origin.clone(),
            known.by.clone(),
            utc(known.at_unix_ms),
            known.digest.chars().take(12).collect(),
        ]);
    }
    let mut text = table.text("the host ships it; nobody has asked for it yet");
    if let Some(about) = &policy.about {
        text.push_str(&format!("\n{}\n{}\n", about.summary, about.kit));
        let mut table = Table::new(["PARAMETER", "VALUE", "DEFAULT", "FROM", "TO", "WHAT"]).whole();
        for known in &about.parameters {
            table.row([
                known.name.clone(),
                known.value.to_string(),
                known.default.to_string(),
                known.min.to_string(),
                known.max.to_string(),
                known.doc.clone(),
            ]);
        }
        text.push('\n');
        text.push_str(&table.text("it has no parameters"));
    }
    text
}

fn row(known: &RevisionDto) -> [String; 7] {
    let state = match known.active_at.as_slice() {
        [] => word(&known.state),
        tiers if tiers.len() == Tier::ALL.len() => format!("{} everywhere", word(&known.state)),
        tiers => {
            let names: Vec<&str> = tiers.iter().map(|tier| tier.name()).collect();
            format!("{} at {}", word(&known.state), names.join(", "))
        }
    };
    [
        known.policy.clone(),
        known.revision.to_string(),
        known.version.clone(),
        state,
        known.origin.clone(),
        known.by.clone(),
        utc(known.at_unix_ms),
    ]
}

/// What is set of parameters and limits, in one cell.
fn set(known: &RevisionDto) -> String {
    let params = known.params.iter();
    let params = params.map(|(name, value)| format!("{name}={value}"));
    let limits = serde_json::to_value(known.limits).unwrap_or_default();
    let limits = limits.as_object().cloned().unwrap_or_default();
    let limits = limits.iter().map(|(name, value)| format!("{name}={value}"));
    params.chain(limits).collect::<Vec<_>>().join(" ")
}

/// A word as the API spells it.
pub(in crate::cli) fn word(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
