//! What HTTP wants of our own answers.

use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use wastegate_tests::harness::http::Reply;
use wastegate_tests::harness::{Setup, nowhere, within};

use crate::behind::in_front_of;
use crate::scripted::{Scripted, all, answer, upgrade, upgrade_of, upgraded};

/// That an answer says which error it is, and in words.
fn says(reply: &Reply, status: u16, error: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(
        all(reply, "content-type"),
        ["application/json"],
        "{reply:?}"
    );
    let body = reply.json();
    assert_eq!(body["error"], error, "{reply:?}");
    assert!(
        body["message"]
            .as_str()
            .is_some_and(|words| words.len() > 8),
        "{reply:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w70_another_method_or_version_is_told_what_is_allowed() {
    let server = Setup::new().start().await;
    for line in [
        "GET /ws?user=ann HTTP/1.0",
        "POST /ws?user=ann HTTP/1.1",
        "PUT /ws?user=ann HTTP/1.1",
        "OPTIONS /ws?user=ann HTTP/1.1",
    ] {
        let reply = answer(server.address, &upgrade_of(line, "host: chat.example\r\n")).await;
        says(&reply, 405, "bad-handshake");
        assert_eq!(all(&reply, "allow"), ["GET"], "{line}");
    }
    let head = "HEAD /ws HTTP/1.1\r\nhost: chat.example\r\nconnection: close\r\n\r\n";
    let reply = answer(server.address, head.as_bytes()).await;
    assert_eq!((reply.status, all(&reply, "allow")), (405, vec!["GET"]));
    assert_eq!(reply.body, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w71_another_version_of_the_protocol_is_told_ours() {
    let server = Setup::new().start().await;
    let request = String::from_utf8(upgrade("chat.example", "")).unwrap();
    for version in [
        "sec-websocket-version: 8\r\n",
        "sec-websocket-version: 13, 8\r\n",
        "",
    ] {
        let request = request.replace("sec-websocket-version: 13\r\n", version);
        let reply = answer(server.address, request.as_bytes()).await;
        says(&reply, 426, "bad-handshake");
        assert_eq!(all(&reply, "upgrade"), ["websocket"]);
        assert_eq!(all(&reply, "connection"), ["Upgrade"]);
        assert_eq!(all(&reply, "sec-websocket-version"), ["13"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w72_a_request_names_one_host() {
    let server = Setup::new().start().await;
    let line = "GET /ws?user=ann HTTP/1.1";
    for hosts in [
        "",
        "host:\r\n",
        "host: a@b/c d\r\n",
        "host: a b\r\n",
        "host: chat.example, evil.example\r\n",
        "host: chat.example:port\r\n",
        "host: chat.example:65536\r\n",
        "host: http://chat.example\r\n",
        "host: ::1\r\n",
        "host: chat.example\r\nhost: chat.example\r\n",
        "host: chat.example\r\nhost: evil.example\r\n",
    ] {
        let reply = answer(server.address, &upgrade_of(line, hosts)).await;
        says(&reply, 400, "bad-handshake");
    }
    for host in ["chat.example", "chat.example:8443", "[::1]:80", "127.0.0.1"] {
        let hosts = format!("host: {host}\r\n");
        let reply = answer(server.address, &upgrade_of(line, &hosts)).await;
        assert_eq!(reply.status, 101, "{host}");
    }
    // Each names no key, so each is a manager of its own.
    assert_eq!(server.registry.created().0, 4);
}

/// S23, S25: one protocol to go on with, and nothing taken out of the handshake on the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s23_s25_an_upgrade_is_to_one_protocol() {
    let server = Setup::new().start().await;
    for lines in [
        "upgrade: h2c\r\n",
        "upgrade: websocket\r\n",
        "connection: sec-websocket-key\r\n",
        "connection: host\r\n",
        "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
        "transfer-encoding: chunked\r\n",
    ] {
        let reply = answer(server.address, &upgrade("chat.example", lines)).await;
        says(&reply, 400, "bad-handshake");
    }
    assert_eq!(server.registry.created().0, 0);
}

/// Every refusal of ours is JSON, with a wait where one helps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w70_every_error_says_what_it_is() {
    let server = Setup::new().start().await;
    let elsewhere = upgrade_of("GET /elsewhere HTTP/1.1", "host: chat.example\r\n");
    let reply = answer(server.address, &elsewhere).await;
    says(&reply, 404, "not-found");
    assert!(reply.body.contains("/ws"), "{reply:?}");
    let nobody = upgrade_of("GET /ws HTTP/1.1", "host: chat.example\r\n");
    let reply = answer(server.address, &nobody).await;
    says(&reply, 401, "unidentified");
    assert_eq!(all(&reply, "www-authenticate"), ["Bearer"]);
    let foreign = upgrade(
        "chat.example",
        "cookie: a=1\r\norigin: https://evil.example\r\n",
    );
    says(&answer(server.address, &foreign).await, 403, "origin");

    // Nothing listens where the backend should be.
    let (_kept, gone) = nowhere();
    let url = format!("ws://{gone}");
    let server = in_front_of(&[url]).start().await;
    let reply = answer(server.address, &upgrade("chat.example", "")).await;
    says(&reply, 502, "upstream");
    assert_eq!(all(&reply, "retry-after"), ["5"]);

    let server = Setup::new().limit(1).without_force().start().await;
    let mut first = server.enter("ann", "k0").await;
    first.echo("here").await;
    let reply = answer(server.address, &upgrade("chat.example", "")).await;
    says(&reply, 429, "user-limit");
    assert_eq!(all(&reply, "retry-after").len(), 1);
}

/// Sockets that are turned away before a request is read get an answer of the length that it says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w70_an_answer_at_the_door_is_whole() {
    let full = Setup::new().with(|config| config.limits.connections_total = 1);
    let many = Setup::new().with(|config| {
        config.gateway.trusted_proxies = Vec::new();
        config.gateway.caps.half_open_per_address_max = 1;
    });
    for (setup, status, error) in [
        (full, "HTTP/1.1 503 ", "connection-limit"),
        (many, "HTTP/1.1 429 ", "too-many-handshakes"),
    ] {
        let server = setup.start().await;
        let _first = TcpStream::connect(server.address).await.unwrap();
        let mut second = TcpStream::connect(server.address).await.unwrap();
        let mut said = String::new();
        within("an answer", second.read_to_string(&mut said))
            .await
            .unwrap();
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(status), "{head}");
        for line in [
            format!("content-length: {}", body.len()),
            "retry-after: 5".to_owned(),
            "connection: close".to_owned(),
        ] {
            assert!(head.lines().any(|found| found == line), "{line}: {head}");
        }
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"], error);
        assert!(body["message"].is_string());
    }
}

/// A backend's answer that HTTP does not allow, or that we would have to change, is not one that a client gets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_client_could_read_is_refused_and_the_rest_comes_whole() {
    let backend = Scripted::answering("").await;
    let server = in_front_of(&[backend.url()]).start().await;
    let page = b"GET /page HTTP/1.1\r\nhost: chat.example\r\nconnection: close\r\n\r\n";
    let both =
        "content-length: 3\r\ntransfer-encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n";
    // Of the two, the coding counts (RFC 9112, section 6.3): upgrades and pages alike.
    for (status, line) in [(403, "403 Forbidden"), (200, "200 OK")] {
        backend.change(format!("HTTP/1.1 {line}\r\n{both}"));
        let request = upgrade("chat.example", "");
        let request = if status == 200 {
            page.as_slice()
        } else {
            &request
        };
        let reply = answer(server.address, request).await;
        assert_eq!(reply.status, status, "{reply:?}");
        assert!(reply.body.contains("0123456789"), "{reply:?}");
        assert!(all(&reply, "content-length").is_empty(), "{reply:?}");
    }
    let large = format!(
        "HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n",
        "a".repeat(66_000)
    );
    let coded = "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n\x1f\x08".to_owned();
    let switched =
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n";
    for unusable in [large, coded, switched.to_owned()] {
        backend.change(unusable.clone());
        let reply = answer(server.address, page).await;
        says(&reply, 502, "upstream");
    }
    // One subprotocol, and one that was offered.
    for twice in [
        "sec-websocket-protocol: a\r\nsec-websocket-protocol: b\r\n",
        "upgrade: h2c\r\n",
    ] {
        backend.change(upgraded(twice, b""));
        let offer = upgrade("chat.example", "sec-websocket-protocol: a\r\n");
        says(&answer(server.address, &offer).await, 502, "upstream");
    }
    assert_eq!(
        answer(server.address, &upgrade("chat.example", ""))
            .await
            .status,
        502
    );
    backend.change(upgraded("", b""));
    assert_eq!(
        answer(server.address, &upgrade("chat.example", ""))
            .await
            .status,
        101
    );
}

/// A backend that hangs up after each answer, and does not say so before, is asked once more over a new
/// connection: no page is lost to a connection that ended at rest. A request that changes something is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_ends_at_rest_loses_no_page() {
    let mut backend = Scripted::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let server = in_front_of(&[backend.url()]).start().await;
    for number in 0..100 {
        let request = "GET /p HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n";
        let reply = answer(server.address, request.as_bytes()).await;
        assert_eq!(
            (reply.status, backend.count()),
            (200, 1),
            "request {number}"
        );
    }
    backend.change("");
    for (method, asked) in [("GET", 2), ("POST", 1)] {
        let request =
            format!("{method} /p HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n");
        let reply = answer(server.address, request.as_bytes()).await;
        assert_eq!((reply.status, backend.count()), (502, asked), "{method}");
    }
}

/// An old client need not name a host, and cannot name two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_reach_no_backend_over_http_1_0_either() {
    let mut backend = Scripted::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let server = in_front_of(&[backend.url()]).start().await;
    for (hosts, status) in [
        ("", 200),
        ("host: a.example\r\n", 200),
        ("host: a.example\r\nhost: b.example\r\n", 400),
        ("host: a b\r\n", 400),
    ] {
        let request = format!("GET /p HTTP/1.0\r\n{hosts}\r\n");
        let reply = answer(server.address, request.as_bytes()).await;
        assert_eq!(reply.status, status, "{hosts:?}");
        assert_eq!(backend.count(), usize::from(status == 200), "{hosts:?}");
    }
}

/// A head that is too large is the backend's answer to this client, and says nothing of the backend.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_too_large_takes_no_backend_out() {
    let large = format!(
        "HTTP/1.1 302 Found\r\nlocation: /{}\r\n\r\n",
        "a".repeat(18_000)
    );
    let one = Scripted::answering(large.clone()).await;
    let two = Scripted::answering(large).await;
    let server = in_front_of(&[one.url(), two.url()]).start().await;
    for _ in 0..3 {
        says(
            &answer(server.address, &upgrade("chat.example", "")).await,
            502,
            "upstream",
        );
    }
    let upstreams = server.get("/v1/upstreams").await.json();
    for upstream in upstreams["upstreams"].as_array().unwrap() {
        assert_eq!(
            (&upstream["failures"], &upstream["state"] == "away"),
            (&Value::from(0), false),
            "{upstreams}"
        );
    }
}
