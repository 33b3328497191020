//! What `deploy/` hands out for Prometheus, Grafana and containers, held without any of them running.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use wastegate_tests::harness::Program;
use wastegate_tests::harness::program::{python, python_with};

use crate::cli::PROGRAM;
use crate::knock::{echo, knock};
use crate::metrics::{documented, documented_labels, promtool};
use crate::reading::root;

/// A file of the repository.
pub(super) fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The dashboard's queries, with what Grafana puts in for its variables.
pub(super) fn queries_of_the_dashboard() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&text("deploy/grafana/wastegate.json")).unwrap();
    let mut queries = Vec::new();
    let mut waiting = vec![&dashboard];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(fields) => {
                queries.extend(fields.get("expr").and_then(Value::as_str));
                waiting.extend(fields.values());
            }
            Value::Array(values) => waiting.extend(values),
            _ => {}
        }
    }
    let queries = queries.into_iter().map(|query| {
        let query = query
            .replace("$__rate_interval", "1m")
            .replace("$__range", "1h");
        let query = query.replace("$job", ".*").replace("$instance", ".*");
        assert!(
            !query.contains('$'),
            "a variable that is not known here: {query}"
        );
        query
    });
    queries.collect()
}

/// Names of labels by which queries group.
fn groups(text: &str) -> impl Iterator<Item = &str> {
    let lists = text
        .split("by (")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    lists.flat_map(|list| list.split(',').map(str::trim))
}

/// What queries group by are labels of the metrics that they name.
#[test]
fn queries_group_by_labels_that_exist() {
    let labels = documented_labels();
    let rules = text("deploy/prometheus/wastegate.rules.yml");
    let rules = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr: "));
    let queries = queries_of_the_dashboard()
        .into_iter()
        .chain(rules.map(str::to_owned));
    let mut seen = 0;
    for query in queries {
        let parts = names(&query)
            .into_iter()
            .map(|name| match name.strip_suffix("_bucket") {
                Some(base) => base.to_owned(),
                None => name,
            });
        let known: BTreeSet<&String> = parts
            .filter_map(|name| labels.get(&name))
            .flatten()
            .collect();
        for group in groups(&query) {
            let is_everywhere = ["job", "instance", "le"].contains(&group);
            assert!(
                is_everywhere || known.contains(&group.to_owned()),
                "{group} in {query}"
            );
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}

/// Names of metrics that a text has.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let ours = words.filter(|word| word.starts_with("wastegate_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

/// Every metric that rules and dashboard name is one that the document has.
#[test]
fn rules_and_dashboard_name_metrics_that_exist() {
    let documented = documented();
    let is_known = |name: &str| {
        let parts = ["_bucket", "_sum", "_count"];
        let base = parts.iter().find_map(|part| name.strip_suffix(part));
        documented.contains(name) || base.is_some_and(|base| documented.contains(base))
    };
    for path in [
        "deploy/prometheus/wastegate.rules.yml",
        "deploy/prometheus/wastegate.test.yml",
        "deploy/grafana/wastegate.json",
        "docs/alerts.md",
    ] {
        let named = names(&text(path));
        assert!(named.len() > 10, "{path} names metrics: {named:?}");
        let unknown: Vec<_> = named.iter().filter(|name| !is_known(name)).collect();
        assert!(
            unknown.is_empty(),
            "{path} names what docs/metrics.md does not have: {unknown:?}"
        );
    }
}

/// The promises have a row, each panel has a place of its own and asks the chosen data source.
#[test]
fn the_dashboard_is_whole() {
    let dashboard: Value = serde_json::from_str(&text("deploy/grafana/wastegate.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{panel}");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(
                    places.insert((x, y)),
                    "two panels at {x}, {y}: {}",
                    panel["title"]
                );
            }
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{panel}");
        }
    }
    let rows = panels.iter().filter(|panel| panel["type"] == "row");
    let rows: Vec<&str> = rows.map(|row| row["title"].as_str().unwrap()).collect();
    let expected = [
        "Promises",
        "Users at their limit",
        "Tiers",
        "Policies",
        "Clients and backends",
        "Process",
    ];
    assert_eq!(rows, expected);
}

/// The rules do what their own tests say.
#[test]
fn promtool_takes_the_rules_and_their_tests() {
    let path = |name: &str| {
        root()
            .join("deploy/prometheus")
            .join(name)
            .display()
            .to_string()
    };
    promtool(&["check", "rules", &path("wastegate.rules.yml")], "");
    promtool(&["test", "rules", &path("wastegate.test.yml")], "");
}

/// A YAML file as JSON, by a parser that is not ours.
fn yaml(path: &Path) -> Value {
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let output = Command::new(python_with("yaml", "pyyaml"))
        .args(["-c", script])
        .arg(path)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {complaint}", path.display());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The containers have never been run, so this is what holds them: every file is one, what is mounted is there,
/// what is asked for is what answers, and the gateway takes its settings.
#[tokio::test]
async fn the_containers_fit_together() {
    let folder = root().join("deploy/compose");
    let compose = yaml(&folder.join("compose.yaml"));
    let services = compose["services"].as_object().unwrap();
    let found: Vec<&String> = services.keys().collect();
    assert_eq!(found, ["backend", "gateway", "grafana", "prometheus"]);
    let mut mounted = 0;
    for (name, service) in services {
        for volume in service["volumes"].as_array().unwrap_or(&Vec::new()) {
            let (from, _) = volume.as_str().unwrap().split_once(':').unwrap();
            assert!(folder.join(from).exists(), "{name} mounts {from}");
            mounted += 1;
        }
        for port in service["ports"].as_array().unwrap_or(&Vec::new()) {
            assert!(
                port.as_str().unwrap().starts_with("127.0.0.1:"),
                "{name}: {port}"
            );
        }
    }
    assert!(mounted >= 6, "{mounted}");
    let build = &services["gateway"]["build"];
    let context = folder.join(build["context"].as_str().unwrap());
    assert!(context.join(build["dockerfile"].as_str().unwrap()).exists());
    let prometheus = yaml(&folder.join("prometheus/prometheus.yml"));
    let scrape = &prometheus["scrape_configs"][0];
    assert_eq!(scrape["job_name"], "wastegate", "the rules ask for it");
    assert_eq!(scrape["static_configs"][0]["targets"][0], "gateway:9090");
    let source = yaml(&folder.join("grafana/datasources/prometheus.yaml"));
    assert_eq!(source["datasources"][0]["url"], "http://prometheus:9090");
    let provider = yaml(&folder.join("grafana/dashboards/wastegate.yaml"));
    let dashboards = provider["providers"][0]["options"]["path"]
        .as_str()
        .unwrap();
    let volumes = services["grafana"]["volumes"].to_string();
    assert!(
        volumes.contains(&format!("../grafana:{dashboards}:ro")),
        "{volumes}"
    );
    let config = folder
        .join("prometheus/prometheus.yml")
        .display()
        .to_string();
    promtool(&["check", "config", "--syntax-only", &config], "");
    let settings = folder.join("wastegate.toml");
    let mut check = Command::new(PROGRAM);
    check
        .args(["config", "check", "--config"])
        .arg(settings)
        .env("WASTEGATE_ADMIN__TOKEN", "a token that a test made up");
    let output = check.output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
}

/// The backend of the containers echoes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_backend_of_the_containers_echoes() {
    let script = root().join("deploy/compose/backend.py");
    let mut backend = Program::start(
        python(),
        &[script.as_os_str(), "127.0.0.1".as_ref(), "0".as_ref()],
    );
    let address: SocketAddr = backend.line().await.parse().unwrap();
    let mut client = knock(address, "/", &[]).await.unwrap();
    echo(&mut client, "here").await;
}
