//! Requests that are no upgrade, or not one of anybody, or too large, or too slow.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wastegate_tests::harness::http::exchange;
use wastegate_tests::harness::{Setup, within};

/// A GET of the upgrade path with these headers.
fn get(target: &str, headers: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n")
        .into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_queries_are_told_what_to_mend() {
    let server = Setup::new().start().await;
    let cases = [
        (
            "",
            401,
            "query parameter `user` is missing; connect to e.g. `/ws?user=ann&key=chat-1&device=laptop`",
        ),
        (
            "?user=",
            400,
            "`user` is empty; give it at least one character",
        ),
        (
            "?user=a&user=b",
            400,
            "query parameter `user` is given more than once",
        ),
        (
            "?user=a&usr=b",
            400,
            "query parameter `usr` is unknown; known are user, key, device, device-class, class",
        ),
        (
            "?user=a%0Ab",
            400,
            "`user` has a control character at byte 1; use printable characters only",
        ),
        (
            "?user=a&class=vip",
            400,
            "query parameter `class` must be one of standard, premium",
        ),
        (
            "?user=%ff",
            400,
            "the query is not valid percent-encoded UTF-8",
        ),
    ];
    for (query, status, message) in cases {
        let dial = server.dial("ann", "k").request();
        let (_, headers) = dial.split_once("\r\n").unwrap();
        let request = format!("GET /ws{query} HTTP/1.1\r\n{headers}");
        let reply = exchange(server.address, request.as_bytes()).await.unwrap();
        assert_eq!(reply.status, status, "{query}: {reply:?}");
        assert_eq!(
            reply.json(),
            json!({ "error": "unidentified", "message": message }),
            "{query}"
        );
    }
    assert_eq!(server.registry.created().0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_no_upgrade_are_told_so() {
    let server = Setup::new().start().await;
    let plain = exchange(server.address, &get("/ws?user=a", ""))
        .await
        .unwrap();
    let told =
        json!({ "error": "bad-handshake", "message": "header `upgrade` must be `websocket`" });
    assert_eq!((plain.status, plain.json()), (400, told));

    let old = server
        .dial("a", "k")
        .request()
        .replace("version: 13", "version: 8");
    let old = exchange(server.address, old.as_bytes()).await.unwrap();
    assert_eq!(
        (old.status, old.header("sec-websocket-version")),
        (426, Some("13"))
    );

    let post =
        b"POST /ws?user=a HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(exchange(server.address, post).await.unwrap().status, 405);
    assert_eq!(
        exchange(server.address, &get("/elsewhere", ""))
            .await
            .unwrap()
            .status,
        404
    );

    let body = server
        .dial("a", "k")
        .request()
        .replace("host: localhost", "host: localhost\r\ncontent-length: 2");
    let body = exchange(server.address, format!("{body}hi").as_bytes())
        .await
        .unwrap();
    assert_eq!(
        (body.status, &body.json()["error"]),
        (400, &json!("bad-handshake"))
    );
    assert_eq!(server.registry.created().0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_are_too_large_or_too_slow_do_not_hold_a_place() {
    let server = Setup::new()
        .with(|config| {
            config.gateway.header_timeout = Duration::from_millis(300);
            config.limits.connections_total = 4;
        })
        .start()
        .await;
    let huge = get(
        "/ws?user=a",
        &format!("x-padding: {}\r\n", "x".repeat(20_000)),
    );
    let huge = exchange(server.address, &huge).await.unwrap();
    assert_eq!(huge.status, 431);
    let many = get("/ws?user=a", &"x-one-more: 1\r\n".repeat(65));
    let many = exchange(server.address, &many).await.unwrap();
    assert_eq!(many.status, 431);

    // As many as there are places say half of what they have to say.
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut stream = server.dial("ann", "slow").tcp().await;
        stream
            .write_all(b"GET /ws?user=ann HTTP/1.1\r\nhost:")
            .await
            .unwrap();
        slow.push(stream);
    }
    for mut stream in slow {
        let mut answer = Vec::new();
        within(
            "a slow head to be given up",
            stream.read_to_end(&mut answer),
        )
        .await
        .unwrap();
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"),
            "{answer:?}"
        );
    }
    server
        .enter("ann", "k")
        .await
        .echo("there is a place")
        .await;
}

/// Sockets beyond the node's own limit are turned away without a handshake.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_beyond_the_nodes_limit_are_turned_away() {
    let server = Setup::new()
        .with(|config| config.limits.connections_total = 3)
        .start()
        .await;
    let mut clients = server.fill("ann", 3).await;
    let refused = server.refused("bob", "k").await;
    assert_eq!(refused.kind(), (503, "connection-limit".to_owned()));
    assert_eq!(refused.reply.header("retry-after"), Some("5"));
    for client in &mut clients {
        client.echo("untouched").await;
    }
}
