//! What operators do on a running server: bring policies, make them active, take them back.

mod commands;
mod guards;
mod restarts;

use serde_json::{Value, json};
use wastegate_tests::guests::{guest, shipped};
use wastegate_tests::harness::{Server, Setup, http};

use crate::refusals::REFUSED;

/// Who answers at each tier, as numbers; 0 is the built-in ranking.
pub(crate) async fn in_charge(server: &Server) -> [u64; 5] {
    let list = server.get("/v1/policies").await.json();
    let seats = list["seats"].as_array().unwrap().clone();
    let active: Vec<u64> = seats
        .iter()
        .map(|seat| seat["active"].as_u64().unwrap_or(0))
        .collect();
    active.try_into().unwrap()
}

pub(crate) async fn ok(server: &Server, path: &str, body: Value) -> Value {
    let reply = server.post(path, &body).await;
    assert_eq!(reply.status, 200, "{path} {body}: {}", reply.body);
    reply.json()
}

/// Uploads, activations per tier and as a whole, rollbacks, disable, all without a state directory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn activations_stack_up_and_rollbacks_take_them_off_again() {
    let server = Setup::new().start().await;
    assert_eq!(in_charge(&server).await, [1; 5]);
    let uploaded = server.upload("lru", "", shipped("lru")).await;
    assert_eq!(uploaded.status, 201, "{}", uploaded.body);
    assert_eq!(uploaded.json()["revision"], 2);
    assert_eq!(uploaded.json()["state"], "warm");
    assert_eq!(
        in_charge(&server).await,
        [1; 5],
        "an upload changes nothing"
    );
    let again = server.upload("lru", "", shipped("lru")).await;
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

/// The last entry of the audit log.
pub(crate) async fn last_entry(server: &Server) -> Value {
    let audit = server.get("/v1/audit?max=1").await.json();
    audit["entries"][0].clone()
}

/// Everything that a guest can be refused for, and what is no guest: each leaves the active policy in
/// charge, and is told the same to whoever sent it and in the audit log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_changes_nothing_and_is_told_in_full() {
    let server = Setup::new().start().await;
    for (name, parts) in REFUSED {
        let reply = server.upload(name, "activate=true", guest(name)).await;
        assert_eq!(reply.status, 422, "{name}: {}", reply.body);
        let told = reply.json();
        assert_eq!(told["error"], "not-accepted");
        let message = told["message"].as_str().unwrap();
        let mut rest = message;
        for part in parts.iter().flat_map(|part| part.split('…')) {
            let at = rest
                .find(part)
                .unwrap_or_else(|| panic!("{name}: no {part:?} in {message:?}"));
            rest = &rest[at + part.len()..];
        }
        let entry = last_entry(&server).await;
        assert_eq!(entry["note"]["what"], "refused");
        assert_eq!(entry["note"]["reason"], message);
    }
    let too_large = vec![0; (24 << 20) + 1];
    let cases: [(&str, &str, &[u8], u16, &str); 7] = [
        (
            "lru",
            "",
            b"(module)",
            422,
            "this is WebAssembly text, not a binary",
        ),
        ("lru", "", b"", 422, "the policy is empty"),
        ("lru", "", &too_large, 413, "more than 25165824 bytes"),
        (
            "fifo",
            "",
            shipped("lru"),
            422,
            "the policy calls itself `lru` and was brought as `fifo`",
        ),
        ("LRU", "", b"x", 400, "`LRU` cannot be the name of a policy"),
        (
            "lru",
            "tier=force",
            shipped("lru"),
            422,
            "say `activate` with it",
        ),
        ("lru", "activate=maybe", shipped("lru"), 400, "activate"),
    ];
    for (name, query, bytes, status, part) in cases {
        let reply = server.upload(name, query, bytes).await;
        assert_eq!(reply.status, status, "{}", reply.body);
        let message = reply.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(part), "{message}");
    }
    let list = server.get("/v1/policies").await.json();
    assert_eq!(in_charge(&server).await, [1; 5]);
    let revisions = list["policies"].as_array().unwrap().iter();
    let revisions: usize = revisions
        .map(|known| known["revisions"].as_array().unwrap().len())
        .sum();
    assert_eq!((revisions, &list["under_way"]), (1, &json!([])));
}

/// Changes what is set for the sleeper.
async fn patch(server: &Server, body: Value) -> http::Reply {
    http::ask(server.admin, "PATCH", "/v1/policies/sleeper", Some(&body)).await
}

/// Parameters and limits, live: each change is a revision, active where the old one was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_live_is_a_revision_of_the_same_bytes() {
    let server = Setup::new().policy_bytes(guest("sleeper")).start().await;
    let about = server.get("/v1/policies/sleeper").await.json();
    assert_eq!(about["about"]["parameters"][0]["name"], "dream");
    ok(
        &server,
        "/v1/policies/lru/activate",
        json!({ "tier": "force" }),
    )
    .await;
    assert_eq!(in_charge(&server).await, [1, 1, 1, 1, 2]);

    let body = json!({ "params": { "dream": 4 }, "limits": { "fuel_per_row": 5_000 } });
    let set = patch(&server, body).await;
    assert_eq!(set.status, 200, "{}", set.body);
    assert_eq!(
        in_charge(&server).await,
        [3, 3, 3, 3, 2],
        "where the old one was"
    );
    let third = server.get("/v1/revisions/3").await.json();
    assert_eq!(
        (&third["params"], &third["limits"]),
        (&json!({ "dream": 4.0 }), &json!({ "fuel_per_row": 5_000 }))
    );
    assert_eq!(
        third["digest"],
        server.get("/v1/revisions/1").await.json()["digest"]
    );
    let now = server.catalog.active_policies();
    let seat = now
        .seat(wastegate_core::types::Tier::Moderate)
        .active
        .as_ref();
    let seat = seat.unwrap();
    assert_eq!(
        (seat.revision.get(), &*seat.policy.params().to_vec()),
        (3, &[4.0][..])
    );

    for (wrong, part) in [
        (json!({ "params": { "no-such": 1 } }), "no-such"),
        (json!({ "params": { "dream": 9 } }), "0 to 8"),
        (
            json!({ "limits": { "fuel": 1 } }),
            "there are fuel_base, fuel_per_row",
        ),
        (
            json!({ "limits": { "memory_bytes": 1 } }),
            "the limit `memory_bytes` is 1",
        ),
        (json!({}), "nothing is to be set"),
        (
            json!({ "parms": {} }),
            "`parms` is no key: expected one of `params`",
        ),
    ] {
        let refused = patch(&server, wrong).await;
        assert!([400, 422].contains(&refused.status), "{}", refused.body);
        let message = refused.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(in_charge(&server).await, [3, 3, 3, 3, 2]);

    // Given back: what it was is a revision already.
    let body = json!({ "params": { "dream": null }, "limits": { "fuel_per_row": null } });
    assert_eq!(patch(&server, body).await.json()["revision"], 1);
    assert_eq!(in_charge(&server).await, [1, 1, 1, 1, 2]);
    ok(&server, "/v1/policies/rollback", json!({})).await;
    assert_eq!(in_charge(&server).await, [3, 3, 3, 3, 2]);

    // An upload keeps what is set, unless it is told not to.
    let same = server.upload("sleeper", "", guest("sleeper")).await;
    assert_eq!((same.status, &same.json()["revision"]), (200, &json!(3)));
    let bare = server
        .upload("sleeper", "inherit=false", guest("sleeper"))
        .await;
    assert_eq!((bare.status, &bare.json()["revision"]), (200, &json!(1)));
}

/// Two operators at once, and requests that a page of another origin could send.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_slower_is_told_and_who_says_nothing_is_refused() {
    let server = Setup::new().start().await;
    let path = "/v1/policies/lru/activate";
    let both = [
        json!({ "expect_revision": 1, "reason": "first" }),
        json!({ "expect_revision": 1 }),
    ];
    ok(&server, path, both[0].clone()).await;
    assert_eq!(last_entry(&server).await["note"]["reason"], "first");
    let slower = server.post(path, &both[1]).await;
    assert_eq!(slower.status, 409);
    let told = slower.json();
    assert_eq!(
        (&told["error"], &told["seats"][4]["active"]),
        (&json!("changed"), &json!(2))
    );
    let message = told["message"].as_str().unwrap();
    assert!(
        message.starts_with("proactive is answered by r2, not r1"),
        "{message}"
    );
    ok(&server, "/v1/policies/disable", json!({ "tier": "force" })).await;
    let built_in = json!({ "tier": "force", "expect_revision": 0 });
    ok(&server, path, built_in).await;

    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    let silent = http::exchange(server.admin, request.as_bytes())
        .await
        .unwrap();
    assert_eq!(silent.status, 415, "{}", silent.body);
    for (path, status, part) in [
        (
            "/v1/policies/no-such/activate",
            404,
            "there is no policy `no-such` here",
        ),
        ("/v1/policies/fifoo/activate", 404, "did you mean `fifo`?"),
    ] {
        let refused = server.post(path, &json!({})).await;
        assert_eq!(refused.status, status);
        assert!(refused.body.contains(part), "{}", refused.body);
    }
    let other = server.post(path, &json!({ "revision": 1 })).await;
    assert_eq!(
        (other.status, &other.json()["error"]),
        (409, &json!("other-policy"))
    );
    for (path, part) in [
        ("/v1/revisions/99", "there is no r99"),
        ("/v1/revisions/1/faults/1", "there is no fault 1 of r1"),
    ] {
        let refused = server.get(path).await;
        assert_eq!(refused.status, 404);
        assert!(refused.body.contains(part), "{}", refused.body);
    }
}

/// Only so many are kept, and what goes is told; who is seated stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_revisions_are_let_go() {
    let server = Setup::new()
        .policy_bytes(guest("sleeper"))
        .with(|config| {
            config.rollout.revisions_kept = 2;
            config.rollout.warm_max = 1;
        })
        .start()
        .await;
    for dream in 1..=4 {
        let set = patch(&server, json!({ "params": { "dream": dream } })).await;
        assert_eq!(set.status, 200, "{}", set.body);
    }
    let history = server.get("/v1/policies/sleeper").await.json();
    let kept: Vec<u64> = history["revisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|known| known["revision"].as_u64().unwrap())
        .collect();
    assert_eq!(kept, [5, 4]);
    assert_eq!(history["revisions"][0]["state"], "active");
    assert_eq!(history["revisions"][1]["state"], "retired");
    let note = last_entry(&server).await["note"].clone();
    assert_eq!(
        (&note["what"], &note["revision"]),
        (&json!("retired"), &json!(3))
    );
    let first = json!({ "revision": 1 });
    let gone = server.post("/v1/policies/sleeper/activate", &first).await;
    assert_eq!(gone.status, 404);
}
