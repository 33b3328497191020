//! Handshakes that are not quite ones, of clients and of backends; and pages of other origins.

use std::fs;

use wastegate_tests::harness::scripted::{Scripted, switching};

use crate::echoing::{Echoing, UPGRADE, from, say, told, upgrade, values};
use crate::stage::Stage;

async fn by_address(backend: &str, more: &[&str]) -> Stage {
    let upstream = format!("--upstream={backend}");
    let mut arguments = vec![&*upstream, "--set=identity.mode=address"];
    arguments.extend(more);
    Stage::with(&arguments).await
}

/// No host, a host with a user and a path in it, a second protocol, two hosts, and an absolute target with
/// such a host: 400, and the backend hears of none of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s23_what_is_not_exactly_an_upgrade_reaches_no_backend() {
    let backend = Echoing::start().await;
    let mut stage = by_address(&backend.url(), &[]).await;
    for head in [
        "GET /s23 HTTP/1.1\r\nhost: \r\n",
        "GET /s23 HTTP/1.1\r\n",
        "GET /s23 HTTP/1.1\r\nhost: a@b/c d\r\n",
        "GET /s23 HTTP/1.1\r\nhost: a, b\r\n",
        "GET /s23 HTTP/1.1\r\nhost: a\r\nhost: a\r\n",
        "GET /s23 HTTP/1.1\r\nhost: a\r\nupgrade: h2c\r\n",
        "GET /s23 HTTP/1.1\r\nhost: a\r\nupgrade: websocket, h2c\r\n",
        "GET http://u@a/s23 HTTP/1.1\r\nhost: a\r\n",
        "GET http://a/s23 HTTP/1.1\r\nhost: a b\r\n",
    ] {
        let reply = told(2, stage.public, format!("{head}{UPGRADE}\r\n")).await;
        assert_eq!(reply.status, 400, "{head}");
    }
    assert_eq!(backend.asked("s23"), 0);
    stage.unharmed().await;
}

/// RFC 9112, section 3.2.2: of an absolute target the host counts, and not that of `Host`. The backend hears
/// it, and a page of the other host is a stranger's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s23_the_host_of_an_absolute_target_counts() {
    let backend = Echoing::start().await;
    let mut stage = by_address(&backend.url(), &[]).await;
    let absolute = |origin: &str| {
        format!(
            "GET http://evil.example/absolute HTTP/1.1\r\nhost: chat.example\r\n{UPGRADE}\
             cookie: a=b\r\norigin: {origin}\r\n\r\n"
        )
    };
    let reply = told(2, stage.public, absolute("http://chat.example")).await;
    assert_eq!(reply.status, 403, "{}", reply.body);
    let reply = told(2, stage.public, absolute("http://evil.example")).await;
    assert_eq!(reply.status, 101);
    let head = backend.seen("/absolute").await;
    assert_eq!(values(&head, "host"), ["evil.example"]);
    assert!(!head.contains("chat.example"), "{head}");
    stage.unharmed().await;
}

/// A backend's 101 that is none: the client gets 502.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s24_a_backend_says_yes_as_the_protocol_wants_it() {
    let good = Echoing::start().await;
    let bad = Scripted::answering(switching("HTTP/1.1", "")).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("routes.toml");
    let routes = [("/bad", bad.url()), ("/", good.url())];
    let routes =
        routes.map(|(path, to)| format!("[[gateway.route]]\npath = '{path}'\nupstream = '{to}'\n"));
    fs::write(&file, routes.concat()).unwrap();
    let file = format!("--config={}", file.display());
    let mut stage = Stage::within(folder, &[&file, "--set=identity.mode=address"]).await;
    let connection = "connection: Upgrade\r\n";
    for (what, answer) in [
        ("no Connection", switching("HTTP/1.1", "")),
        (
            "Connection: close",
            switching("HTTP/1.1", "connection: close\r\n"),
        ),
        ("HTTP/1.0", switching("HTTP/1.0", connection)),
        (
            "an extension",
            switching(
                "HTTP/1.1",
                &format!("{connection}sec-websocket-extensions: permessage-deflate\r\n"),
            ),
        ),
        (
            "a subprotocol",
            switching(
                "HTTP/1.1",
                &format!("{connection}sec-websocket-protocol: chat\r\n"),
            ),
        ),
    ] {
        bad.change(answer);
        let reply = told(2, stage.public, upgrade("/bad", "localhost", "")).await;
        assert_eq!(reply.status, 502, "{what}: {}", reply.body);
    }
    stage.unharmed().await;
}

/// `Connection` that names what the handshake needs: refused, and the backend is not asked without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s25_connection_takes_no_header_of_the_handshake_away() {
    let backend = Echoing::start().await;
    let mut stage = by_address(&backend.url(), &[]).await;
    for named in [
        "sec-websocket-key",
        "Sec-WebSocket-Version",
        "host",
        "sec-websocket-protocol",
    ] {
        let lines = format!("connection: {named}\r\n");
        let reply = told(2, stage.public, upgrade("/s25", "localhost", &lines)).await;
        assert_eq!(reply.status, 400, "{named}");
    }
    assert_eq!(backend.asked("/s25"), 0);
    // What it may name stays here.
    let lines = "connection: x-secret\r\nx-secret: 1\r\n";
    assert_eq!(
        told(2, stage.public, upgrade("/s25", "localhost", lines))
            .await
            .status,
        101
    );
    assert!(values(&backend.seen("/s25").await, "x-secret").is_empty());
    stage.unharmed().await;
}

/// A page over `http`, or over anything else, is not the page over `https`, and none of another scheme at
/// all; with cookies, behind a proxy that takes TLS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s29_a_page_of_another_scheme_is_another_page() {
    let backend = Echoing::start().await;
    let mut stage = by_address(&backend.url(), &[]).await;
    for (origin, status) in [
        ("https://chat.example", 101),
        ("http://chat.example", 403),
        ("ftp://chat.example", 403),
        ("ws://chat.example", 403),
        ("https://chat.example:8443", 403),
        ("null", 403),
    ] {
        let lines = format!(
            "cookie: sid=1\r\norigin: {origin}\r\nx-forwarded-for: 203.0.113.9\r\nx-forwarded-proto: https\r\n"
        );
        let reply = told(1, stage.public, upgrade("/s29", "chat.example", &lines)).await;
        assert_eq!(reply.status, status, "{origin}");
    }
    stage.unharmed().await;
}

/// A client that a proxy speaks for is not at this machine, whatever host the proxy asks for: a page of
/// another port of loopback is a stranger's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s30_loopback_behind_a_proxy_is_nobodys_own() {
    let backend = Echoing::start().await;
    let mut stage = by_address(&backend.url(), &[]).await;
    let host = stage.public.to_string();
    for (origin, proxied, status) in [
        ("http://localhost:6666", true, 403),
        ("http://127.0.0.1:6666", true, 403),
        (&*format!("http://{host}"), true, 101),
        ("http://localhost:6666", false, 101),
    ] {
        let said = if proxied {
            "x-forwarded-for: 203.0.113.9\r\n"
        } else {
            ""
        };
        let lines = format!("cookie: sid=1\r\norigin: {origin}\r\n{said}");
        let reply = told(1, stage.public, upgrade("/s30", &host, &lines)).await;
        assert_eq!(reply.status, status, "{origin} {proxied}");
    }
    stage.unharmed().await;
}

/// 100,000 empty continuation frames to the built-in application: 1008, as in front of a backend.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s34_a_message_of_nothing_ends() {
    let mut stage = Stage::with(&[]).await;
    let mut stream = from(2, stage.public).await;
    let head = say(&mut stream, upgrade("/ws?user=eve", "localhost", "")).await;
    let head = head.expect("an answer");
    assert_eq!(head.status, 101);
    let mut flood = vec![0x01, 0x81, 0, 0, 0, 0, b'x'];
    for _ in 0..100_000 {
        flood.extend_from_slice(&[0x00, 0x80, 0, 0, 0, 0]);
    }
    let code = crate::frames::close_code(stream, &head.rest, flood).await;
    assert_eq!(code, Some(1_008));
    stage.unharmed().await;
}
