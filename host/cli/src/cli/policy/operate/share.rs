//! `wastegate policy share` and `shared`: what ranks on all nodes of a cluster.

use std::process::ExitCode;

use reqwest::Method;
use serde_json::json;

use super::super::super::Terminal;
use super::super::super::failure::Failure;
use super::super::table::Table;
use super::client::{Body, Client};
use super::{Done, Remote, shown};
use wastegate_control::admin::{SharedDto, SharedPoliciesDto};
use wastegate_control::page::utc;

/// Where the shared document is.
const PATH: &str = "/v1/cluster/policies";

/// Arguments of `wastegate policy share`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wastegate policy share --reason 'a week on one node, half the live kills'"
)]
pub(in super::super) struct Share {
    /// Only if the shared document has this number (`wastegate policy shared`); without it, if it is the one that this
    /// node follows.
    #[arg(long, value_name = "NUMBER")]
    from: Option<u64>,
    /// Why, for the audit log and for other operators.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `wastegate policy shared`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate policy shared")]
pub(in super::super) struct Shared {
    #[command(flatten)]
    remote: Remote,
}

impl Share {
    pub(in super::super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        self.remote.run(terminal, async |client, json| {
            let body = Body::Json(json!({ "from": self.from, "reason": self.reason }));
            let answer = client.ask(Method::PUT, PATH, &[], body).await?;
            Ok(shown(answer, json, |shared: &SharedDto| {
                in_force(shared.number)
            }))
        })
    }
}

impl Shared {
    pub(in super::super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        self.remote.run(terminal, async |client, json| {
            Ok(shown(client.get(PATH).await?, json, in_words))
        })
    }
}

/// A change that is to be made on all nodes: what the cluster ranks by before it.
pub(super) struct Everywhere {
    from: u64,
    reason: String,
}

impl Everywhere {
    /// To be asked before the change, so that no other operator's is undone.
    pub(super) async fn from(client: &Client, reason: &str) -> Result<Self, Failure> {
        if reason.trim().is_empty() {
            return Err(Failure::new(
                "a change on all nodes needs a reason: say why with --reason TEXT",
            ));
        }
        let (shared, _) = client.get::<SharedPoliciesDto>(PATH).await?;
        Ok(Self {
            from: shared.number,
            reason: reason.to_owned(),
        })
    }

    /// Shares what ranks on the node now.
    pub(super) async fn share(self, client: &Client, json: bool) -> Done {
        let body = Body::Json(json!({ "from": self.from, "reason": self.reason }));
        let shared = client.ask::<SharedDto>(Method::PUT, PATH, &[], body).await;
        let shared = shared.map_err(|failure| {
            failure
                .and("it is changed on this node only: `wastegate policy share` tries that again")
        })?;
        Ok(shown(shared, json, |shared| in_force(shared.number)))
    }
}

fn in_force(number: u64) -> String {
    format!(
        "document {number}: every node of the cluster takes it over within seconds (`/v1/nodes` has who did)\n"
    )
}

fn in_words(view: &SharedPoliciesDto) -> String {
    let Some(shared) = &view.shared else {
        return "nothing is shared: each node ranks by its own settings\n".to_owned();
    };
    let mut table = Table::new(["TIER", "POLICY", "VERSION", "PARAMETERS"]).whole();
    for (tier, policy) in &shared.seats {
        let tier = tier.name().to_owned();
        table.row(match policy {
            None => [tier, "built-in".to_owned(), String::new(), String::new()],
            Some(policy) => {
                let params = policy.params.iter();
                let params: Vec<String> = params
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                [
                    tier,
                    policy.name.to_string(),
                    policy.version.clone(),
                    params.join(" "),
                ]
            }
        });
    }
    let step = match (view.in_step, view.problem.as_str()) {
        (true, _) => "this node ranks by it".to_owned(),
        (false, "") => "this node was changed by itself since".to_owned(),
        (false, problem) => format!("this node does not follow it: {problem}"),
    };
    format!(
        "document {} of {}, by {} on {}: {}\n{}{step}\n",
        view.number,
        utc(shared.at_unix_ms),
        shared.by,
        shared.node,
        shared.reason,
        table.text(""),
    )
}
