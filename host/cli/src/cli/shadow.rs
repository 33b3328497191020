//! `wastegate shadow`: policies that rank beside the active one of a running server, over its admin
//! API.

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::Terminal;
use super::policy::operate::{Remote, posted, shown};
use super::policy::subject;

/// What the API calls them.
const NAME: &str = "shadows";

/// Arguments of `wastegate shadow`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Let a policy that the server knows rank beside the active one.
    Start {
        /// The policy.
        policy: String,
        /// What to call the shadow; without it as the policy.
        #[arg(long, default_value = "")]
        name: String,
        /// The share of decisions that it sees.
        #[arg(long, default_value_t = 1.0)]
        sample: f64,
        /// A parameter that it gets.
        #[arg(long = "param", value_name = "NAME=VALUE", value_parser = subject::parameter)]
        params: Vec<(String, f64)>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Show where they agree, where they part and what came of it.
    Status {
        /// One of them; without it all.
        name: Option<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Stop one, and show it a last time.
    Stop {
        /// Which.
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
            Verb::Start {
                policy,
                name,
                sample,
                params,
                remote,
            } => remote.run(terminal, async move |client, json| {
                let params: Value = params
                    .into_iter()
                    .map(|(name, value)| (name, json!(value)))
                    .collect();
                let body =
                    json!({ "policy": policy, "name": name, "sample": sample, "params": params });
                let path = "/v1/shadows";
                posted(client, path, body, (NAME, tell), json).await
            }),
            Verb::Status { name, remote } => remote.run(terminal, async move |client, json| {
                let path = name.map_or_else(
                    || "/v1/shadows".to_owned(),
                    |name| format!("/v1/shadows/{name}"),
                );
                shown(NAME, tell, client.get(&path).await?, json)
            }),
            Verb::Stop { name, remote } => remote.run(terminal, async move |client, json| {
                let path = format!("/v1/shadows/{name}/stop");
                let body = json!({});
                posted(client, &path, body, (NAME, tell), json).await
            }),
        }
    }
}

/// One shadow in a few lines.
fn tell(told: &mut String, one: &Value) {
    let text = |pointer: &str| {
        one.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let at = |pointer: &str| match one.pointer(pointer) {
        None | Some(Value::Null) => "unknown".to_owned(),
        Some(Value::Number(number)) if number.is_f64() => {
            format!("{:.3}", number.as_f64().unwrap_or_default())
        }
        Some(value) => value.to_string(),
    };
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        told,
        "{}: {} {}, asked about {} of {} decisions, {} dropped",
        text("/spec/name"),
        text("/policy/name"),
        text("/policy/version"),
        at("/asked"),
        at("/decisions"),
        at("/dropped")
    );
    let _ = writeln!(
        told,
        "  agreement: {} compared, same first choice {}, overlap {}, tau-b {}, RBO {}",
        at("/agreement/compared"),
        at("/agreement/same_first"),
        at("/agreement/overlap_at_needed"),
        at("/agreement/kendall_tau_b/0"),
        at("/agreement/rank_biased_overlap/0")
    );
    let _ = writeln!(
        told,
        "  cost: {} units of fuel in the mean, {} at the most, {} of the active one; faults {}",
        at("/fuel/0"),
        at("/fuel/1"),
        at("/live_fuel"),
        at("/faults")
    );
    let _ = writeln!(
        told,
        "  where they part: {} times; only the active one wrong {}, only the shadow {}, alike {}, unknown {}, still open {} (p = {})",
        at("/outcomes/partings"),
        at("/outcomes/live_only_wrong"),
        at("/outcomes/shadow_only_wrong"),
        at("/outcomes/alike"),
        at("/outcomes/unknown"),
        at("/outcomes/open"),
        at("/mcnemar_p")
    );
    for example in one
        .pointer("/examples")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .take(5)
    {
        let side = |name: &str| {
            let of = |key: &str| example.pointer(&format!("/{name}/{key}"));
            let idle = of("idle_ms").and_then(Value::as_f64).unwrap_or_default() / 1e3;
            let health = of("health").and_then(Value::as_str).unwrap_or_default();
            let wanted = of("wanted_after_ms").and_then(Value::as_f64);
            let came = wanted.map_or_else(String::new, |ms| {
                format!(", wanted {:.1} s later", ms / 1e3)
            });
            format!("{health}, idle {idle:.1} s{came}")
        };
        let _ = writeln!(
            told,
            "  - decision {}: taken ({}), shadow would take ({})",
            example
                .get("decision")
                .map(Value::to_string)
                .unwrap_or_default(),
            side("live"),
            side("shadow")
        );
    }
    let _ = writeln!(told, "  {}", text("/note"));
}
