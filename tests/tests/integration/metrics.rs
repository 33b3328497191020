//! Metrics: the document has all of them, each of them moves, and Prometheus' own tool finds nothing wrong.

mod clusters;
mod movement;
mod scenes;
mod services;
mod strangers;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use wastegate::gateway::identity::Mode;
use wastegate::observe::config::JournalConfig;
use wastegate_tests::harness::{Issuer, Server, http};

use crate::behind::{backend, in_front_of};
use crate::exposition::{MetricFamily, metric_families};
use crate::reading::root;
use crate::tidy::none;
use crate::tls::Authority;

const DOCUMENT: &str = "docs/metrics.md";
const BEGIN: &str =
    "<!-- metrics: written by the test metrics::the_document_has_every_metric -->\n";
const END: &str = "<!-- end of metrics -->\n";

/// Labels whose values the operator or the build chooses.
const OPEN: [&str; 5] = ["backend", "version", "os", "arch", "profile"];

/// A gateway that has everything that has metrics: TLS, backends, tokens by a key set, and both journals.
async fn everything(folder: &std::path::Path) -> Server {
    wastegate::cryptography::provide();
    Authority::new().write(folder, 1);
    let keys = serde_json::json!({ "keys": [Issuer::new("one").public()] });
    fs::write(folder.join("keys.json"), keys.to_string()).unwrap();
    let upstream = format!("ws://{}", backend("one").await);
    let files = |name: &str| Some(folder.join(name));
    let journal = |name: &str| Some(JournalConfig::at(folder.join(name)));
    in_front_of(&[upstream])
        .with(|config| {
            config.gateway.tls.certificate = files("cert.pem");
            config.gateway.tls.key = files("key.pem");
            config.identity.mode = Mode::Jwt;
            config.identity.jwt.keys_file = files("keys.json");
            config.observe.decisions = journal("decisions.jsonl");
            config.observe.activity = journal("activity.jsonl");
            // Nothing listens there: the metrics are there all the same.
            clusters::node_of(config, "redis://127.0.0.1:1", "alone");
        })
        .start()
        .await
}

fn row(family: &MetricFamily) -> String {
    let mut labels = String::new();
    for (name, values) in family.labels() {
        let separator = if labels.is_empty() { "" } else { "; " };
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let values = if OPEN.contains(&name.as_str()) {
            String::new()
        } else {
            format!(": {}", values.join(", "))
        };
        write!(labels, "{separator}`{name}`{values}").unwrap();
    }
    let MetricFamily {
        name, kind, help, ..
    } = family;
    // The library ends some of them with a full stop.
    let help = help.trim_end_matches('.');
    format!("| `{name}` | {kind} | {labels} | {help} |\n")
}

/// Names of metrics in the document.
pub(crate) fn documented() -> BTreeSet<String> {
    documented_labels().into_keys().collect()
}

/// The labels of each metric in the document.
pub(crate) fn documented_labels() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join(DOCUMENT)).unwrap();
    let table = text.split_once(BEGIN).unwrap().1.split_once(END).unwrap().0;
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.trim_end_matches('`').to_owned();
        let labels = cells.nth(1)?.split('`').skip(1).step_by(2);
        Some((name, labels.map(str::to_owned).collect()))
    });
    rows.collect()
}

/// The table of the document is what a gateway answers that has everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_has_every_metric() {
    let folder = tempfile::tempdir().unwrap();
    let server = everything(folder.path()).await;
    let mut families = metric_families(&server.get("/metrics").await.body);
    families.sort_by(|one, other| one.name.cmp(&other.name));
    let rows: String = families.iter().map(row).collect();
    let table = format!("| name | type | labels | meaning |\n| --- | --- | --- | --- |\n{rows}");
    let text = fs::read_to_string(root().join(DOCUMENT)).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the begin of the table");
    let (_, after) = rest.split_once(END).expect("the end of the table");
    let expected = format!("{before}{BEGIN}{table}{END}{after}");
    wastegate_blessed::is_current(DOCUMENT, "the_document_has_every_metric", &expected);
    let names: BTreeSet<String> = families.into_iter().map(|family| family.name).collect();
    assert_eq!(names, documented());
}

/// Every time series that can exist exists from the start: no family is without a sample.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_has_a_series_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let server = everything(folder.path()).await;
    let text = server.get("/metrics").await.body;
    let empty = metric_families(&text).into_iter();
    let empty: Vec<String> = empty
        .filter(|family| family.samples.is_empty())
        .map(|family| family.name)
        .collect();
    assert!(empty.is_empty(), "{empty:?}");
}

/// A scraper gets the format that it asks for, and both say the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scraper_gets_the_format_that_it_asks_for() {
    let server = wastegate_tests::harness::Setup::new()
        .limit(2)
        .policy("lru")
        .start()
        .await;
    let _clients = server.fill("ann", 2).await;
    let _third = server.enter("ann", "third").await;
    let ask = async |accept: &str| {
        let request = format!(
            "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\naccept: {accept}\r\n\r\n"
        );
        http::exchange(server.admin, request.as_bytes())
            .await
            .unwrap()
    };
    let text = ask("text/plain;version=0.0.4, */*;q=0.1").await;
    assert_eq!(
        text.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let open = ask("application/openmetrics-text;version=1.0.0,text/plain;q=0.5").await;
    assert_eq!(
        open.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(open.body.ends_with("# EOF\n") && !text.body.contains("# EOF"));
    // A bucket that a call fell into names a decision, which can be read.
    let example = open.body.lines().find_map(|line| {
        let line = line.strip_prefix("wastegate_policy_call_duration_seconds_bucket")?;
        line.split_once("# {decision_id=\"")?.1.split_once('"')
    });
    let (decision, _) = example.expect("an exemplar");
    let decided = server.get(&format!("/v1/decisions/{decision}")).await;
    assert_eq!(decided.status, 200, "{decided:?}");
    assert!(!text.body.contains("decision_id"), "{}", text.body);
}

/// Runs `promtool` with this input, and fails with what it complains about.
pub(crate) fn promtool(arguments: &[&str], input: &str) {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("promtool: {error}; install the package prometheus (tests/all.sh does)")
        });
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
}

/// Names, units and helps are as Prometheus wants them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promtool_finds_nothing_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let server = everything(folder.path()).await;
    let text = server.get("/metrics").await.body;
    promtool(&["check", "metrics"], &text);
    // No user, key or address is a label: labels are those of the document, whose values are listed there.
    let mut offences = String::new();
    for family in metric_families(&text) {
        for name in family.labels().into_keys() {
            if ["user", "key", "device", "address", "client", "connection"].contains(&name.as_str())
            {
                writeln!(offences, "{} has the label {name}", family.name).unwrap();
            }
        }
    }
    none(&offences);
}
