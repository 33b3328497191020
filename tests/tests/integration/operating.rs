//! What operators do on a running server: bring policies, put them in charge, take them back.

use serde_json::{Value, json};
use wastegate_tests::guests;
use wastegate_tests::harness::{Server, Setup};

/// Who answers at each tier, as numbers; 0 is the built-in ranking.
async fn in_charge(server: &Server) -> [u64; 5] {
    let list = server.get("/v1/policies").await.json();
    let seats = list["seats"].as_array().unwrap().clone();
    let active: Vec<u64> = seats
        .iter()
        .map(|seat| seat["active"].as_u64().unwrap_or(0))
        .collect();
    active.try_into().unwrap()
}

async fn ok(server: &Server, path: &str, body: Value) -> Value {
    let reply = server.post(path, &body).await;
    assert_eq!(reply.status, 200, "{path} {body}: {}", reply.body);
    reply.json()
}

/// Uploads, activations per tier and as a whole, rollbacks, disable, all without a state directory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn activations_stack_up_and_rollbacks_take_them_off_again() {
    let server = Setup::new().start().await;
    assert_eq!(in_charge(&server).await, [1; 5]);
    let uploaded = server.upload("lru", "", guests::shipped("lru")).await;
    assert_eq!(uploaded.status, 201, "{}", uploaded.body);
    assert_eq!(uploaded.json()["revision"], 2);
    assert_eq!(uploaded.json()["state"], "warm");
    assert_eq!(
        in_charge(&server).await,
        [1; 5],
        "an upload changes nothing"
    );
    let again = server.upload("lru", "", guests::shipped("lru")).await;
    assert_eq!((again.status, &again.json()["revision"]), (200, &json!(2)));

    ok(&server, "/v1/policies/lru/activate", json!({})).await;
    assert_eq!(in_charge(&server).await, [2; 5]);
    // One that nobody brought, but that the host ships.
    ok(
        &server,
        "/v1/policies/fifo/activate",
        json!({ "tier": "force" }),
    )
    .await;
    assert_eq!(in_charge(&server).await, [2, 2, 2, 2, 3]);
    ok(
        &server,
        "/v1/policies/disable",
        json!({ "tier": "proactive" }),
    )
    .await;
    assert_eq!(in_charge(&server).await, [0, 2, 2, 2, 3]);

    ok(&server, "/v1/policies/rollback", json!({})).await;
    assert_eq!(in_charge(&server).await, [2, 2, 2, 2, 3]);
    ok(&server, "/v1/policies/rollback", json!({ "tier": "force" })).await;
    assert_eq!(in_charge(&server).await, [2; 5]);
    ok(&server, "/v1/policies/rollback", json!({})).await;
    assert_eq!(in_charge(&server).await, [1; 5]);
    let nothing = server.post("/v1/policies/rollback", &json!({})).await;
    assert_eq!(
        (nothing.status, &nothing.json()["error"]),
        (409, &json!("nothing-before"))
    );
}
