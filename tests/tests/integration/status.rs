//! One screen says whether a running server is well.

use std::net::TcpListener;

use serde_json::json;
use wastegate::manager::NoApplication;
use wastegate_tests::harness::Setup;

use crate::experiments::done;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_well_says_how_full_it_is() {
    let server = Setup::new().limit(3).policy("lru").start().await;
    let _tabs = server.fill("ann", 2).await;
    let _tab = server.enter("bob", "tab").await;
    let status = server.get("/v1/status").await.json();
    assert_eq!(
        (&status["well"], &status["problems"]),
        (&json!(true), &json!([])),
        "{status}"
    );
    assert_eq!(status["fullest"][0]["user"], "ann", "{status}");
    assert_eq!(status["fullest"][0]["managers"], 2);
    let said = done(&server, &["status"]).await;
    for line in [
        "well       yes\n",
        "managers   3 of ",
        "of 2 users, with 3 connections",
        "fullest    ann holds 2 of 3 ",
        "bob holds 1 of 3 ",
        "ranked by  lru r1\n",
        " descriptors\n",
    ] {
        assert!(said.contains(line), "{line:?} is not in {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_comes_first() {
    // A port that nobody listens on any more.
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let server = Setup::new()
        .application(NoApplication)
        .with(|config| config.gateway.upstream = vec![format!("ws://{gone}").parse().unwrap()])
        .start()
        .await;
    server.refused("ann", "tab").await;
    let status = server.get("/v1/status").await.json();
    assert_eq!(status["well"], false, "{status}");
    assert_eq!(status["backends"][0]["state"], "away", "{status}");
    let said = done(&server, &["status"]).await;
    assert!(said.starts_with("NOT WELL   "), "{said}");
    assert!(said.contains("backend"), "{said}");
}
