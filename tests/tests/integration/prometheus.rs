//! Alerts and the dashboard in a real Prometheus beside a gateway: the samples of `deploy/` as they are, but for
//! addresses and times.

mod samples;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;

use serde_json::Value;
use tempfile::TempDir;
use wastegate_core::types::Secret;
use wastegate_tests::harness::{Program, Server, Setup, http, until_async};

use self::samples::{queries_of_the_dashboard, text};
use crate::metrics::promtool;

const TOKEN: &str = "a token that a test made up";

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

/// Whether a query may find nothing at a gateway without backends, TLS, tokens by a key set and journals.
fn may_be_empty(query: &str) -> bool {
    let absent = [
        "_backend_",
        "_certificate_",
        "_token_keys_",
        "_decisions_",
        "_activity_",
    ];
    query.contains(" > 0") || query.contains("ALERTS") || absent.iter().any(|it| query.contains(it))
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

    let mut empty = Vec::new();
    for query in queries_of_the_dashboard() {
        let data = prometheus.query(&query).await;
        if data["result"].as_array().unwrap().is_empty() && !may_be_empty(&query) {
            empty.push(query);
        }
    }
    assert!(empty.is_empty(), "nothing is found by {empty:#?}");
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
