//! Alerts and the dashboard in a real Prometheus beside a gateway: the samples of `deploy/` as they are, but for
//! addresses and times.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use wastegate_core::types::Secret;
use wastegate_tests::harness::program::python_with;
use wastegate_tests::harness::{Program, Server, Setup, http, until_async};

use crate::cli::PROGRAM;
use crate::metrics::{documented, promtool};
use crate::reading::root;

const TOKEN: &str = "a token that a test made up";

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Replaces what has to be there.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in {text}");
    text.replace(from, to)
}

/// A Prometheus that scrapes a gateway as the sample configuration says.
struct Prometheus {
    _program: Program,
    _files: TempDir,
    address: SocketAddr,
}

impl Prometheus {
    async fn beside(gateway: &Server) -> Self {
        let files = tempfile::tempdir().unwrap();
        let here = |name: &str| files.path().join(name).display().to_string();
        let config = text("deploy/prometheus/prometheus.yml");
        let config = replaced(&config, ": 15s", ": 250ms");
        let config = replaced(&config, "/etc/prometheus/wastegate.token", &here("token"));
        let config = replaced(&config, "127.0.0.1:9090", &gateway.admin.to_string());
        fs::write(here("prometheus.yml"), config).unwrap();
        fs::write(here("token"), TOKEN).unwrap();
        let rules = text("deploy/prometheus/wastegate.rules.yml");
        fs::write(here("wastegate.rules.yml"), rules).unwrap();
        promtool(&["check", "config", &here("prometheus.yml")], "");
        // It writes its log to the one that is not read.
        let line = format!(
            "exec prometheus --config.file={} --storage.tsdb.path={} --web.listen-address=127.0.0.1:0 \
             --enable-feature=exemplar-storage 2>&1",
            here("prometheus.yml"),
            here("data"),
        );
        let mut program = Program::start("sh", &["-c", &line]);
        let address = loop {
            let said = program.line().await;
            if let Some((_, address)) = said.split_once("msg=\"Listening on\" address=") {
                break address.parse().unwrap();
            }
        };
        let prometheus = Self {
            _program: program,
            _files: files,
            address,
        };
        until_async("prometheus to be ready", async || {
            prometheus.get("/-/ready").await.is_some()
        })
        .await;
        prometheus
    }

    /// What a path answers, if that is 200. In HTTP/1.0, so that nothing is in chunks.
    async fn get(&self, path: &str) -> Option<String> {
        let request = format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n");
        let reply = http::exchange(self.address, request.as_bytes()).await?;
        (reply.status == 200).then_some(reply.body)
    }

    /// Data of its API.
    async fn data(&self, path: &str) -> Value {
        let body = self.get(path).await;
        let answer: Value =
            serde_json::from_str(&body.unwrap_or_else(|| panic!("{path}"))).unwrap();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// What a query comes to.
    async fn query(&self, query: &str) -> Value {
        let coded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        self.data(&format!("/api/v1/query?query={coded}")).await
    }

    /// The value of a query of one series.
    async fn value(&self, query: &str) -> Option<f64> {
        let data = self.query(query).await;
        data["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

async fn gateway() -> Server {
    Setup::new()
        .limit(2)
        .without_force()
        .policy("lru")
        .with(|config| config.admin_token = Secret::new(TOKEN))
        .start()
        .await
}

/// The dashboard's queries, with what Grafana puts in for its variables.
fn queries_of_the_dashboard() -> Vec<String> {
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

/// Prometheus scrapes the gateway with its token, an alert fires when a client is refused at its limit, each rule
/// and each query of the dashboard is answered, and each alert leads to a section of the documents.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_sees_the_target_and_an_alert_fires() {
    let server = gateway().await;
    let prometheus = Prometheus::beside(&server).await;
    until_async("the target to be up", async || {
        let targets = prometheus.data("/api/v1/targets?state=active").await;
        let target = &targets["activeTargets"][0];
        assert_ne!(target["health"], "down", "{targets}");
        target["health"] == "up" && target["labels"]["job"] == "wastegate"
    })
    .await;
    // A refusal is an increase for who has seen the count before it.
    let refusals = "wastegate_admission_limit_hits_total";
    until_async("the count of refusals", async || {
        prometheus.value(refusals).await == Some(0.0)
    })
    .await;
    let fires = async |name: &str| {
        let alerts = prometheus.data("/api/v1/alerts").await;
        let alerts = alerts["alerts"].as_array().unwrap().clone();
        let mut alerts = alerts.into_iter();
        alerts.find(|alert| alert["labels"]["alertname"] == name && alert["state"] == "firing")
    };
    assert_eq!(fires("WastegateLockOut").await, None);
    let clients = server.fill("ann", 2).await;
    server.refused("ann", "third").await;
    until_async("the alert to fire", async || {
        fires("WastegateLockOut").await.is_some()
    })
    .await;
    let alert = fires("WastegateLockOut").await.unwrap();
    let summary = format!("{} refuses clients at a limit", server.admin);
    assert_eq!(alert["annotations"]["summary"], summary);
    let open = "wastegate_gateway_open_connections";
    until_async("the connections", async || {
        prometheus.value(open).await == Some(2.0)
    })
    .await;

    for query in queries_of_the_dashboard() {
        prometheus.query(&query).await;
    }
    let groups = prometheus.data("/api/v1/rules?type=alert").await;
    let groups = groups["groups"].as_array().unwrap().clone();
    let rules: Vec<&Value> = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap())
        .collect();
    let file = text("deploy/prometheus/wastegate.rules.yml");
    assert_eq!(rules.len(), file.matches("- alert: ").count());
    let runbooks = text("docs/alerts.md");
    let sections: BTreeSet<String> = runbooks
        .lines()
        .filter_map(|line| Some(line.strip_prefix("## ")?.to_lowercase().replace(' ', "-")))
        .collect();
    for rule in rules {
        let (name, annotations) = (&rule["name"], &rule["annotations"]);
        prometheus.query(rule["query"].as_str().unwrap()).await;
        assert_eq!(rule["lastError"], Value::Null, "{rule}");
        for annotation in ["summary", "description", "runbook_url"] {
            assert!(
                annotations[annotation].is_string(),
                "{name} has no {annotation}"
            );
        }
        let runbook = annotations["runbook_url"].as_str().unwrap();
        let (page, section) = runbook.split_once('#').unwrap();
        assert!(page.ends_with("/docs/alerts.md"), "{runbook}");
        assert!(
            sections.contains(section),
            "docs/alerts.md has no section for {name}"
        );
    }
    drop(clients);
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
        .env("WASTEGATE_ADMIN__TOKEN", TOKEN);
    let output = check.output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
}

/// The backend of the containers echoes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_backend_of_the_containers_echoes() {
    let script = root().join("deploy/compose/backend.py");
    let python = wastegate_tests::harness::program::python();
    let mut backend = Program::start(
        python,
        &[script.as_os_str(), "127.0.0.1".as_ref(), "0".as_ref()],
    );
    let address: SocketAddr = backend.line().await.parse().unwrap();
    let mut client = crate::knock::knock(address, "/", &[]).await.unwrap();
    crate::knock::echo(&mut client, "here").await;
}
