//! Tokens that operators revoke: their connections end, and they let no client in.

use std::sync::Arc;

use serde_json::json;
use tokio::net::TcpStream;
use wastegate_tests::harness::{Issuer, Server, http, until_async};

use crate::cli::operate;
use crate::identity::{Published, by_tokens, publisher};
use crate::knock::{Knocked, closed, echo, knock, status};

/// A client of `ann` or another user, by a token.
async fn come(server: &Server, key: &str, token: &str) -> Knocked<TcpStream> {
    let bearer = format!("Bearer {token}");
    let path = format!("/ws?key={key}");
    knock(server.address, &path, &[("authorization", &bearer)]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_lets_no_client_in_and_its_connections_end() {
    let published = Arc::new(Published::default());
    let issuer = Issuer::new("one");
    published.keys.lock().push(issuer.public());
    let server = by_tokens(publisher(published.clone()).await).await;
    let token = |user: &str, id: &str, issued: u64| {
        let claims = json!({ "sub": user, "jti": id, "iat": issued });
        issuer.token(&claims, 600.0)
    };
    let (old, new) = (1_700_000_000, 1_790_000_000);
    let stolen = token("ann", "stolen/1", new);
    let mut by_stolen = come(&server, "a", &stolen).await.unwrap();
    let mut by_old = come(&server, "b", &token("ann", "t2", old)).await.unwrap();
    let mut by_new = come(&server, "c", &token("ann", "t3", new)).await.unwrap();
    let mut of_bob = come(&server, "a", &token("bob", "t4", old)).await.unwrap();

    // One token, from a shell.
    let line = ["revoke", "token", "stolen/1", "--reason", "ticket 7"];
    let (code, out, err) = operate(&server, "olga", &line).await;
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(
        out.starts_with("token/stolen/1: revoked\n  1 connections closed\n"),
        "{out}"
    );
    assert_eq!(closed(&mut by_stolen).await, 4005);
    let again = come(&server, "a", &stolen).await;
    assert_eq!(status(again), 401);

    // A user's older ones.
    let body = json!({ "issued_before_unix_ms": 1_750_000_000_000_u64, "reason": "phone lost" });
    let reply = server.put("/v1/revocations/users/ann", &body).await;
    let answer = reply.json();
    assert_eq!(
        (&answer["closed"], &answer["durable"]),
        (&json!(1), &json!(false))
    );
    assert_eq!(closed(&mut by_old).await, 4005);
    echo(&mut by_new, "still here").await;
    echo(&mut of_bob, "me too").await;
    let again = come(&server, "b", &token("ann", "t5", old)).await;
    assert_eq!(status(again), 401);
    let _another = come(&server, "b", &token("ann", "t6", new)).await.unwrap();

    until_async("the timeline says why", async || {
        let why = server.get("/v1/why?user=ann").await.body;
        why.contains("an operator revoked the token")
    })
    .await;
    let (_, listed, _) = operate(&server, "olga", &["revoke", "list"]).await;
    assert!(
        listed.contains("token/stolen/1") && listed.contains("user/ann"),
        "{listed}"
    );

    // Taken back.
    let (code, out, _) = operate(&server, "olga", &["revoke", "user", "ann", "--clear"]).await;
    assert_eq!((code, out.as_str()), (Some(0), "user/ann: taken back\n"));
    until_async("the old tokens of ann are good again", async || {
        come(&server, "d", &token("ann", "t7", old)).await.is_ok()
    })
    .await;

    // All of them. A token that does not say when it was issued is one of them.
    let reply = server
        .put("/v1/revocations/all", &json!({ "reason": "leak" }))
        .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(closed(&mut of_bob).await, 4005);
    let silent = issuer.token(&json!({ "sub": "bob" }), 600.0);
    assert_eq!(status(come(&server, "a", &silent).await), 401);

    let body = json!({ "issued_before_unix_ms": 5_000_000_000_000_u64, "reason": "x" });
    for (path, body) in [
        ("/v1/revocations/all", &body),
        (
            "/v1/revocations/tokens/x",
            &json!({ "issued_before_unix_ms": 1, "reason": "x" }),
        ),
        ("/v1/revocations/tokens/x", &json!({ "reason": " " })),
    ] {
        assert_eq!(
            http::ask(server.admin, "PUT", path, Some(body))
                .await
                .status,
            422,
            "{path}"
        );
    }
    let audit = server.get("/v1/audit").await.json();
    let entries = audit["entries"].as_array().unwrap().iter();
    let words: Vec<_> = entries
        .map(|entry| entry["note"]["what"].as_str().unwrap())
        .collect();
    let revoked = words
        .iter()
        .filter(|word| **word == "tokens-revoked")
        .count();
    assert_eq!(
        (revoked, words.contains(&"tokens-allowed")),
        (3, true),
        "{words:?}"
    );
}
