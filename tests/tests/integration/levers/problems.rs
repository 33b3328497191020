//! The list of routes, and refusals as problem details (RFC 9457).

use serde_json::{Value, json};
use wastegate_core::types::Secret;
use wastegate_tests::harness::Setup;
use wastegate_tests::harness::http::{self, Reply};

/// A refusal has what RFC 9457 wants, and what clients of ours have always read.
fn problem(reply: &Reply, status: u16, word: &str) {
    assert_eq!(reply.status, status, "{}", reply.body);
    let kind = reply.header("content-type");
    assert_eq!(kind, Some("application/problem+json"), "{}", reply.body);
    let body = reply.json();
    assert_eq!(body["type"], format!("urn:wastegate:problem:{word}"));
    assert_eq!(
        (&body["status"], &body["error"]),
        (&json!(status), &json!(word))
    );
    assert_eq!(body["detail"], body["message"]);
    for key in ["title", "detail"] {
        assert!(
            body[key].as_str().is_some_and(|text| !text.is_empty()),
            "{body}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_is_problem_details() {
    let server = Setup::new().start().await;
    // Without a `content-type`, as a page of another origin would send it.
    let bare = async |method: &str, path: &str| -> Reply {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        let reply = http::exchange(server.admin, request.as_bytes()).await;
        reply.expect("an answer")
    };
    let ask = async |method: &str, path: &str, body: Option<Value>| -> Reply {
        http::ask(server.admin, method, path, body.as_ref()).await
    };
    for path in [
        "/nothing",
        "/console/nothing",
        "/v1/nothing",
        "/v2",
        "/v1/users/ann/managers",
    ] {
        problem(&ask("GET", path, None).await, 404, "not-found");
    }
    let wrong = ask("POST", "/v1/users", Some(json!({}))).await;
    problem(&wrong, 405, "method");
    assert_eq!(wrong.header("allow"), Some("GET,HEAD"));
    for (method, path) in [
        ("PUT", "/v1/users/ann/block"),
        ("POST", "/v1/users/ann/evict"),
        ("DELETE", "/v1/users/ann/limit"),
        ("POST", "/v1/policies/rollback"),
        ("POST", "/v1/experiments"),
        ("POST", "/v1/shadows"),
    ] {
        problem(&bare(method, path).await, 415, "request");
    }
    let _ann = server.enter("ann", "k").await;
    let pin = "/v1/users/ann/managers/k/pin";
    problem(&bare("POST", pin).await, 415, "request");
    problem(&ask("POST", pin, Some(json!({}))).await, 400, "request");
    let long = json!({ "for_ms": 999_999_999_u64 });
    problem(&ask("POST", pin, Some(long)).await, 409, "not-pinned");
    let gone = "/v1/users/ann/managers/none/pin";
    problem(
        &ask("POST", gone, Some(json!({ "for_ms": 1 }))).await,
        404,
        "not-found",
    );
    for path in [
        "/v1/users?sort=1",
        "/v1/audit?max=x",
        "/v1/users/%FF",
        "/v1/shadows/%FF",
    ] {
        problem(&ask("GET", path, None).await, 400, "request");
    }
    problem(
        &ask("GET", "/v1/experiments/none", None).await,
        404,
        "not-found",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_ask_is_told_so_as_problem_details() {
    let server = Setup::new()
        .with(|config| config.admin_token = Secret::new("a token of some length"))
        .start()
        .await;
    for path in ["/v1", "/v1/users", "/nowhere"] {
        let refused = server.get(path).await;
        problem(&refused, 401, "unauthorized");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_lists_routes_that_are_there() {
    let server = Setup::new().start().await;
    let list = server.get("/v1").await.json();
    let routes = list["routes"].as_array().unwrap();
    let has = |method: &str, path: &str| {
        let mut routes = routes.iter();
        routes.any(|route| route["method"] == method && route["path"] == path)
    };
    assert!(
        has("GET", "/v1") && has("PUT", "/v1/users/{user}/block"),
        "{list}"
    );
    for route in routes {
        let (method, path) = (
            route["method"].as_str().unwrap(),
            route["path"].as_str().unwrap(),
        );
        if method == "GET" {
            // A stream has no end: its refusal is enough.
            let path = path.replace("/events", "/events?kinds=none");
            let path = path.replace(['{', '}'], "");
            let reply = server.get(&path).await;
            let listed = "`GET /v1` lists every route";
            assert!(!reply.body.contains(listed), "{path}: {}", reply.body);
        }
    }
}
