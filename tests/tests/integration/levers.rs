//! Users as operators see them, and the levers for one: limits, evictions, blocks.

mod commands;
mod problems;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;
use wastegate_tests::harness::http::Reply;
use wastegate_tests::harness::{Client, Server, Setup, http, until_async};

/// Sets a lever.
async fn put(server: &Server, path: &str, body: Value) -> Value {
    let reply = server.put(path, &body).await;
    assert_eq!(reply.status, 200, "{path} {body}: {}", reply.body);
    reply.json()
}

/// Takes one back.
async fn delete(server: &Server, path: &str) -> Value {
    let body = json!({ "reason": "enough" });
    let reply = http::ask(server.admin, "DELETE", path, Some(&body)).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    reply.json()
}

async fn user(server: &Server, name: &str) -> Value {
    server.get(&format!("/v1/users/{name}")).await.json()
}

/// What the audit log has of a user: word and reason.
async fn audit(server: &Server, user: &str) -> Vec<(String, String)> {
    let audit = server.get("/v1/audit").await.json();
    let entries = audit["entries"].as_array().unwrap().iter();
    let notes = entries.map(|entry| &entry["note"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    notes
        .filter(|note| note["user"] == user)
        .map(|note| (text(&note["what"]), text(&note["reason"])))
        .collect()
}

fn names(page: &Value) -> Vec<&str> {
    let users = page["users"].as_array().unwrap().iter();
    users.map(|row| row["user"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_listed_in_order_and_a_page_at_a_time() {
    let server = Setup::new().limit(4).start().await;
    let crowd = [("ann", 4), ("bob", 1), ("cid", 2), ("dan", 2)];
    let _clients = join_all(crowd.map(|(name, held)| server.fill(name, held))).await;
    let reason = json!({ "managers": 9, "reason": "she is on her way" });
    put(&server, "/v1/users/eve/limit", reason).await;

    let all = server.get("/v1/users").await.json();
    assert_eq!(
        (names(&all), &all["total"], &all["next_cursor"]),
        (
            vec!["ann", "cid", "dan", "bob", "eve"],
            &json!(5),
            &Value::Null
        )
    );
    let none = json!({ "limit": null, "block": null });
    let ann = json!({
        "user": "ann", "held": 4, "limit": 4, "lent": 0, "pressure": "emergency", "evicted": 0,
        "levers": none,
    });
    assert_eq!(all["users"][0], ann);
    assert_eq!(
        (&all["users"][4]["limit"], &all["users"][4]["held"]),
        (&json!(9), &json!(0))
    );
    for (query, expected) in [
        ("order=name", vec!["ann", "bob", "cid", "dan", "eve"]),
        ("order=held&limit=2", vec!["ann", "cid"]),
        ("filter=n&order=name", vec!["ann", "dan"]),
        ("filter=nobody", vec![]),
    ] {
        let page = server.get(&format!("/v1/users?{query}")).await.json();
        assert_eq!(names(&page), expected, "{query}");
    }
    for order in ["name", "held", "pressure"] {
        let whole = server.get(&format!("/v1/users?order={order}")).await.json();
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/users?order={order}&limit=2{cursor}");
            let page = server.get(&path).await.json();
            found.extend(names(&page).into_iter().map(str::to_owned));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(found, names(&whole), "{order}");
    }
    let first = server.get("/v1/users?order=held&limit=1").await.json();
    let foreign = format!("cursor={}", first["next_cursor"].as_str().unwrap());
    for (query, key) in [
        ("order=best", "order"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=many", "limit"),
        ("cursor=none", "cursor"),
        (&*foreign, "cursor"),
        ("sort=name", "sort"),
    ] {
        let refused = server.get(&format!("/v1/users?{query}")).await;
        let status = if key == "cursor" { 422 } else { 400 };
        assert_eq!(refused.status, status, "{query}: {}", refused.body);
        let message = refused.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(key), "{query}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_are_lent_are_no_part_of_the_limit() {
    let lending = Setup::new()
        .limit(3)
        .with(|config| config.limits.temporary_slots = 25);
    let server = lending.start().await;
    let _clients = server.fill("ann", 4).await;
    let ann = user(&server, "ann").await;
    assert_eq!(
        (&ann["held"], &ann["limit"], &ann["lent"]),
        (&json!(4), &json!(3), &json!(25))
    );
    assert_eq!(server.stats().await["per_user"]["ann"]["limit"], 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_an_operator_holds_until_it_ends_or_is_taken_back() {
    let server = Setup::new().limit(2).start().await;
    let mut clients = server.fill("ann", 2).await;
    let more = json!({ "managers": 3, "reason": "support ticket 7" });
    let set = put(&server, "/v1/users/ann/limit", more).await;
    assert_eq!(
        (
            &set["durable"],
            &set["changed"],
            &set["levers"]["limit"]["managers"]
        ),
        (&json!(false), &json!(true), &json!(3))
    );
    clients.push(server.enter("ann", "third").await);
    assert_eq!(server.held("ann"), 3);
    join_all(clients.iter_mut().map(|client| client.echo("here"))).await;

    let cleared = delete(&server, "/v1/users/ann/limit").await;
    assert_eq!(cleared["levers"]["limit"], Value::Null);
    assert_eq!(user(&server, "ann").await["limit"], 2);
    assert_eq!(
        delete(&server, "/v1/users/ann/limit").await["changed"],
        false
    );

    let short = json!({ "managers": 5, "for_s": 1, "reason": "for a second" });
    put(&server, "/v1/users/ann/limit", short).await;
    assert_eq!(user(&server, "ann").await["limit"], 5);
    until_async("the limit to end by itself", async || {
        user(&server, "ann").await["limit"] == 2
    })
    .await;
    let said = audit(&server, "ann").await;
    let words: Vec<_> = said.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(
        words,
        ["limit-set", "limit-cleared", "limit-set", "limit-expired"]
    );
    assert_eq!(said[0].1, "3 managers: support ticket 7");
    assert_eq!(said[2].1, "5 managers for 1 s: for a second");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_managers_of_a_user_are_evicted_and_those_of_others_stay() {
    let server = Setup::new().start().await;
    let mut hers = server.fill("ann", 3).await;
    let mut his = server.fill("bob", 2).await;
    let reason = json!({ "reason": "stuck" });
    let evicted = server.post("/v1/users/ann/evict", &reason).await;
    assert_eq!(evicted.json(), json!({ "user": "ann", "evicted": 3 }));
    for client in &mut hers {
        assert_eq!(client.closed().await, 4003);
    }
    join_all(his.iter_mut().map(|client| client.echo("here"))).await;
    let one = server
        .post("/v1/users/bob/managers/k1/evict", &reason)
        .await;
    assert_eq!(one.json(), json!({ "evicted": true }));
    let quiet = server
        .post("/v1/users/bob/managers/k2/evict", &json!({}))
        .await;
    assert_eq!(quiet.json(), json!({ "evicted": true }));
    let said = |what: &str, reason: &str| (what.to_owned(), reason.to_owned());
    assert_eq!(
        audit(&server, "ann").await,
        [said("evicted", "3 managers: stuck")]
    );
    assert_eq!(
        audit(&server, "bob").await,
        [said("evicted", "manager k1: stuck")],
        "one without a reason is a program's"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_user_is_refused_and_its_sockets_are_closed_and_no_others() {
    let server = Setup::new().start().await;
    let mut hers = server.fill("ann", 2).await;
    let mut his = server.enter("bob", "k").await;
    let spam = json!({ "for_s": 600, "reason": "spam" });
    let blocked = put(&server, "/v1/users/ann/block", spam).await;
    assert_eq!(blocked["evicted"], 2);
    for client in &mut hers {
        assert_eq!(client.closed().await, 4504);
    }
    for key in ["k1", "new"] {
        let refusal = server.refused("ann", key).await;
        assert_eq!(refusal.kind(), (403, "blocked".to_owned()));
        let after: u64 = refusal
            .reply
            .header("retry-after")
            .unwrap()
            .parse()
            .unwrap();
        assert!((590..=600).contains(&after), "{after}");
    }
    his.echo("here").await;
    let series = r#"wastegate_admission_outcomes_total{outcome="blocked"}"#;
    assert_eq!(server.metric(series).await, 2.0);
    assert_eq!(server.stats().await["limit_hits"], 0, "no limit was met");

    let names_her = server.get("/v1/users?filter=ann").await.json();
    assert_eq!(names_her["users"][0]["levers"]["block"]["reason"], "spam");
    delete(&server, "/v1/users/ann/block").await;
    server.enter("ann", "k0").await.echo("back").await;

    let short = json!({ "for_s": 1, "reason": "again" });
    put(&server, "/v1/users/ann/block", short).await;
    until_async("the block to end by itself", async || {
        user(&server, "ann").await["levers"]["block"].is_null()
    })
    .await;
    server.enter("ann", "k0").await.echo("back").await;
    let said = audit(&server, "ann").await;
    let words: Vec<_> = said.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(
        words,
        [
            "user-blocked",
            "user-unblocked",
            "user-blocked",
            "block-expired"
        ]
    );
    assert_eq!(said[0].1, "2 managers evicted, blocked for 600 s: spam");
}

/// A client that waits in the queue is refused when its user is blocked, and not when a slot is free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_reaches_those_who_wait() {
    let queueing = Setup::new().limit(1).without_force();
    let queueing = queueing.with(|config| config.admission.queue_length_max = 4);
    let server = queueing.start().await;
    let _held = server.enter("ann", "held").await;
    let waiting = server.refused("ann", "waiting");
    let block = async {
        until_async("one to wait", async || server.stats().await["queued"] == 1).await;
        let spam = json!({ "reason": "spam" });
        put(&server, "/v1/users/ann/block", spam).await
    };
    let (refusal, _) = tokio::join!(waiting, block);
    assert_eq!(refusal.kind(), (403, "blocked".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn levers_survive_a_restart() {
    let state = TempDir::new().unwrap();
    let setup = || Setup::new().limit(2).state_dir(state.path());
    let server = setup().start().await;
    let hour = json!({ "managers": 7, "for_s": 3_600, "reason": "</script><b>\u{1b}[31m" });
    let script = "/v1/users/%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let set = put(&server, &format!("{script}/limit"), hour).await;
    assert_eq!(set["durable"], true);
    put(&server, "/v1/users/bob/block", json!({ "reason": "spam" })).await;
    let before = server.get("/v1/users?order=name").await;
    assert_eq!(before.header("content-type"), Some("application/json"));
    server.stop().await;

    let server = setup().start().await;
    let after = server.get("/v1/users?order=name").await.json();
    assert_eq!(after, before.json());
    assert_eq!(names(&after), ["<script>alert(1)</script>", "bob"]);
    assert_eq!(server.get(script).await.json()["limit"], 7);
    let refusal = server.refused("bob", "k").await;
    assert_eq!(refusal.kind(), (403, "blocked".to_owned()));
    delete(&server, "/v1/users/bob/block").await;
    server.stop().await;

    let server = setup().start().await;
    let mut client: Client = server.enter("bob", "k").await;
    client.echo("back").await;
    assert_eq!(audit(&server, "bob").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lever_that_makes_no_sense_is_refused_with_its_key() {
    let server = Setup::new().start().await;
    let refused = async |path: &str, body: Value| -> Reply { server.put(path, &body).await };
    for (path, body, status, part) in [
        ("limit", json!({ "managers": 4 }), 400, "`reason`"),
        ("limit", json!({ "reason": "why" }), 400, "`managers`"),
        (
            "limit",
            json!({ "managers": 0, "reason": "why" }),
            422,
            "`managers`",
        ),
        (
            "limit",
            json!({ "managers": 4, "reason": "why", "for": 4 }),
            400,
            "`for`",
        ),
        ("block", json!({ "reason": "" }), 422, "`reason`"),
        (
            "block",
            json!({ "reason": "why", "for_s": 0 }),
            422,
            "`for_s`",
        ),
        (
            "block",
            json!({ "reason": "why", "for_s": "1h" }),
            400,
            "`for_s`",
        ),
    ] {
        let reply = refused(&format!("/v1/users/ann/{path}"), body.clone()).await;
        assert_eq!(reply.status, status, "{path} {body}: {}", reply.body);
        let message = reply.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(part), "{path} {body}: {message}");
    }
    let nobody = refused("/v1/users/%20/block", json!({ "reason": "why" })).await;
    assert_eq!(nobody.status, 404, "{}", nobody.body);
    assert_eq!(server.get("/v1/users").await.json()["total"], 0);
}
