//! What `wastegate config check` finds: whatever would keep a server from starting.

use serde_json::Value;

use crate::cli::run;
use crate::world_words::{Served, certificates};

async fn refused(settings: &[String]) {
    let settings: Vec<&str> = settings
        .iter()
        .flat_map(|it| ["--set", it.as_str()])
        .collect();
    let mut check = vec!["config", "check"];
    check.extend(&settings);
    let (code, _, said) = run(&check).await;
    let mut serve = vec!["serve", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"];
    serve.extend(&settings);
    let (served, _, _) = run(&serve).await;
    assert_eq!(code, Some(69), "{settings:?}: {said}");
    assert_eq!(code, served, "{settings:?}: {said}");
    // The key, and the path that it names.
    let (key, value) = settings.last().unwrap().split_once('=').unwrap();
    assert!(said.contains(&format!("`{key}`")), "{settings:?}: {said}");
    let value = value.trim_start_matches("file:");
    assert!(said.contains(value), "{settings:?}: {said}");
}

/// Whatever keeps a server from starting, `config check` finds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w76_a_check_finds_what_keeps_a_server_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key, other] = certificates(folder.path());
    let away = folder.path().join("away").to_str().unwrap().to_owned();
    let tls = |certificate: &str, key: &str| {
        vec![
            format!("gateway.tls.certificate={certificate}"),
            format!("gateway.tls.key={key}"),
        ]
    };
    let cases = [
        vec![
            format!("gateway.tls.key={key}"),
            format!("gateway.tls.certificate={away}"),
        ],
        tls(&certificate, &away),
        tls(&certificate, &other),
        tls(&certificate, &certificate),
        vec![format!("policy.file={away}")],
        vec![format!("policy.file={key}")],
        vec![format!("policy.rollout.state_dir={key}/state")],
        vec![format!("observe.decisions.path={away}/decisions.jsonl")],
        vec![format!("observe.activity.path={away}/activity.jsonl")],
        vec![
            "identity.mode=jwt".to_owned(),
            format!("identity.jwt.keys_file={away}"),
        ],
        vec![
            "gateway.upstream=wss://127.0.0.1:1".to_owned(),
            format!("gateway.upstream_authorities={away}"),
        ],
    ];
    for case in &cases {
        refused(case).await;
    }
    // All at once.
    let settings = [
        format!("gateway.tls.certificate={away}"),
        format!("gateway.tls.key={key}"),
        format!("policy.file={away}.wasm"),
        format!("observe.decisions.path={away}/decisions.jsonl"),
    ];
    let mut check = vec!["config", "check", "--json"];
    check.extend(settings.iter().flat_map(|it| ["--set", it.as_str()]));
    let (code, said, _) = run(&check).await;
    let found: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &found["ok"]), (Some(69), &Value::Bool(false)));
    let found = found["problems"].as_array().unwrap();
    assert_eq!(found.len(), 3, "{said}");
    for (problem, key) in found
        .iter()
        .zip(["gateway.tls.certificate", "observe.decisions.path"])
    {
        assert_eq!(problem["keys"][0], key, "{said}");
    }
}

/// A check leaves nothing behind, and does not disturb a server that runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w76_a_check_beside_a_running_server_is_fine() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let settings = format!("policy.rollout.state_dir={}", state.display());
    let (code, said, complaints) = run(&["config", "check", "--set", &settings]).await;
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "the configuration is fine\n"),
        "{complaints}"
    );
    assert!(!state.exists());
    let mut served = Served::start(&["--json", "--set", &settings]);
    served.json().await;
    let (code, _, complaints) = run(&["config", "check", "--set", &settings]).await;
    assert_eq!(code, Some(0), "{complaints}");
}

/// The short flags of `serve` are flags of a check too, so that a line which serves can be checked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w76_a_check_takes_the_flags_of_serve() {
    let flags = [
        "--upstream",
        "ws://127.0.0.1:8000",
        "--listen",
        "127.0.0.1:0",
    ];
    let (code, said, complaints) = run(&[&["config", "check"][..], &flags].concat()).await;
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "the configuration is fine\n"),
        "{complaints}"
    );
    let (code, said, _) = run(&[&["config", "show"][..], &flags].concat()).await;
    assert_eq!(code, Some(0));
    assert!(said.contains("ws://127.0.0.1:8000"), "{said}");
    let (code, _, complaints) = run(&["config", "check", "--upstream", "http://127.0.0.1:1"]).await;
    assert_eq!(code, Some(78));
    assert!(complaints.contains("--upstream"), "{complaints}");
}
