//! A policy that fails active: who was there before answers, operators see why, its input can be
//! taken home, and it comes back by trials in shadow.

use std::time::Duration;

use serde_json::{Value, json};
use wastegate_engine::policy::TestCase;
use wastegate_engine::policy::breaker::BreakerState;
use wastegate_tests::guests::guest;
use wastegate_tests::harness::{Server, Setup, http, until, until_async};

use super::{in_charge, ok};
use crate::sleepers::{AWAKE, one_more};

/// The guard's entries of the audit log: what, which revision, why.
async fn guarded(server: &Server) -> Vec<(String, u64, String)> {
    let audit = server.get("/v1/audit").await.json();
    let entries = audit["entries"].as_array().unwrap().iter();
    let by_guard = entries.filter(|entry| entry["by"] == "guard");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    by_guard
        .map(|entry| {
            let note = &entry["note"];
            (
                text(&note["what"]),
                note["revision"].as_u64().unwrap_or(0),
                text(&note["reason"]),
            )
        })
        .collect()
}

async fn until_guarded(server: &Server, what: &str) -> (String, u64, String) {
    until_async(format!("the audit log to say {what}"), async || {
        guarded(server).await.iter().any(|(said, ..)| said == what)
    })
    .await;
    let mut all = guarded(server).await;
    let at = all.iter().position(|(said, ..)| said == what).unwrap();
    all.swap_remove(at)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_fails_is_stood_in_for_and_comes_back_by_trials() {
    let server = Setup::new()
        .limit(7)
        .with(|config| {
            config.policy.breaker.cool_down = Duration::from_millis(200);
            config.policy.breaker.trials = 1;
        })
        .start()
        .await;
    let _ann = server.fill("ann", AWAKE).await;
    let uploaded = server
        .upload("sleeper", "activate=true", guest("sleeper"))
        .await;
    assert_eq!(uploaded.status, 201, "{}", uploaded.body);
    let dream = |dream: f64| {
        let server = &server;
        async move {
            let body = json!({ "params": { "dream": dream } });
            let set = http::ask(server.admin, "PATCH", "/v1/policies/sleeper", Some(&body)).await;
            assert_eq!(set.status, 200, "{}", set.body);
        }
    };
    dream(1.0).await;
    assert_eq!(in_charge(&server).await, [3; 5]);
    let seats = server.get("/v1/policies").await.json()["seats"].clone();
    // r2 has the same bytes and so the same breaker: it could not stand in.
    assert_eq!(
        (&seats[4]["fallback"], &seats[4]["answering"]),
        (&json!(1), &json!(3))
    );

    let mut events = server.events();
    let mut kept = Vec::new();
    for number in 0..3 {
        let (client, fault) = one_more(&server, &mut events, &format!("new{number}")).await;
        assert_eq!(fault.unwrap().name(), "trap");
        kept.push(client);
    }
    let (_, revision, why) = until_guarded(&server, "quarantined").await;
    assert_eq!(revision, 3);
    assert!(
        why.starts_with("it failed 3 times in a row; the last time it trapped"),
        "{why}"
    );
    assert!(why.ends_with("; r1 answers in its place"), "{why}");
    let third = server.get("/v1/revisions/3").await.json();
    assert!(
        ["quarantined", "shadow"].contains(&third["state"].as_str().unwrap()),
        "{third}"
    );
    assert!(
        third["reason"].as_str().unwrap().contains("failed"),
        "{third}"
    );

    // The fault can be taken home as it is.
    let faults = server.get("/v1/revisions/3/faults").await.json();
    assert_eq!(faults.as_array().unwrap().len(), 3);
    let href = faults[0]["href"].as_str().unwrap();
    let case = server.get(href).await;
    let case: TestCase = serde_json::from_str(&case.body).unwrap();
    assert_eq!(
        (case.policy.as_str(), case.rows, case.params.as_slice()),
        ("sleeper", 7, &[1.0][..])
    );
    let bytes = http::ask(server.admin, "GET", "/v1/revisions/3/wasm", None).await;
    assert_eq!(bytes.status, 200);

    // Mended by what is set; the breaker is that of the bytes, so it has to pass its trials first.
    dream(0.0).await;
    let digest = third["digest"].as_str().unwrap();
    until("the cool-down to end", || {
        server.breakers.standing(digest, server.now()) == BreakerState::HalfOpen
    })
    .await;
    let (client, fault) = one_more(&server, &mut events, "asked").await;
    assert_eq!(fault, None, "r1 answers while the other is tried");
    kept.push(client);
    let (_, revision, _) = until_guarded(&server, "on-trial").await;
    assert!(revision >= 2, "{revision}");
    let (_, _, why) = until_guarded(&server, "recovered").await;
    assert!(why.ends_with("; it answers again"), "{why}");
    let seats = server.get("/v1/policies").await.json()["seats"].clone();
    assert_eq!(seats[4]["answering"], seats[4]["active"]);
    ok(&server, "/v1/policies/rollback", json!({})).await;
}
