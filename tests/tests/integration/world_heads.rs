//! What a backend sees of a client: heads, forwarding headers, extensions, sizes.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use wastegate::gateway::upstream::UpstreamHost;
use wastegate_tests::harness::http::read_head;
use wastegate_tests::harness::program::{python_with, script};
use wastegate_tests::harness::{Program, Server, Setup, within};

use crate::behind::{backend, greeting, in_front_of};
use crate::knock::{closed, echo, over, status};
use crate::scripted::{Scripted, Seen, answer, upgrade, upgrade_of, upgraded};

/// A gateway in front of a backend that upgrades.
async fn upgrading() -> (Scripted, Server) {
    let backend = Scripted::upgrading("", &[]).await;
    let server = in_front_of(&[backend.url()]).start().await;
    (backend, server)
}

/// What the backend gets of an upgrade.
async fn seen(backend: &mut Scripted, server: &Server, request: &[u8]) -> Seen {
    assert_eq!(answer(server.address, request).await.status, 101);
    backend.seen().await
}

/// A server that compares the page's host with `Host`, as it is delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w52_tornado_checks_origins_as_if_nothing_stood_in_front() {
    let mut tornado = Program::start(
        python_with("tornado.websocket", "tornado"),
        &[script("tornado_backend.py")],
    );
    let url = format!("ws://{}", tornado.line().await);
    let server = in_front_of(std::slice::from_ref(&url)).start().await;
    let knock = async |server: &Server, page: &str| {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let headers = [("origin", page)];
        over(stream, "chat.example:8443", "/ws?user=ann", &headers).await
    };
    let mut client = knock(&server, "https://chat.example:8443").await.unwrap();
    echo(&mut client, "through").await;

    // Its own refusal, once the page is another's that we let in.
    let server = in_front_of(std::slice::from_ref(&url))
        .with(|config| config.gateway.origins = vec!["*".parse().unwrap()])
        .start()
        .await;
    let (code, body) = knock(&server, "https://evil.example").await.unwrap_err();
    assert_eq!(
        (code, body.as_str()),
        (403, "Cross origin websockets not allowed")
    );
    // By its own name, no page is of its host.
    let server = in_front_of(&[url])
        .with(|config| config.gateway.upstream_host = UpstreamHost::Backend)
        .start()
        .await;
    assert_eq!(
        status(knock(&server, "https://chat.example:8443").await),
        403
    );
}

/// The host of the request as RFC 9112, section 3.2.2, says it, or the backend's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w52_a_backend_is_asked_for_the_clients_host_or_its_own() {
    let (mut backend, server) = upgrading().await;
    for host in ["chat.example", "Chat.Example:8443", "[::1]:9", "127.0.0.1"] {
        let seen = seen(&mut backend, &server, &upgrade(host, "")).await;
        assert_eq!(seen.one("host"), host);
        assert_eq!(seen.one("x-forwarded-host"), host);
    }
    let absolute = upgrade_of(
        "GET http://chat.example/ws?user=ann HTTP/1.1",
        "host: other.example\r\n",
    );
    let seen = seen(&mut backend, &server, &absolute).await;
    assert_eq!(seen.one("host"), "chat.example");

    let mut backend = Scripted::upgrading("", &[]).await;
    let server = in_front_of(&[backend.url()])
        .with(|config| config.gateway.upstream_host = UpstreamHost::Backend)
        .start()
        .await;
    let seen = self::seen(&mut backend, &server, &upgrade("chat.example", "")).await;
    assert_eq!(seen.one("host"), backend.address.to_string());
    assert_eq!(seen.one("x-forwarded-host"), "chat.example");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w56_what_a_trusted_proxy_says_reaches_the_backend() {
    let lines = "x-forwarded-proto: https\r\nx-forwarded-host: chat.example\r\n\
        x-forwarded-for: 203.0.113.7\r\nx-forwarded-for: 10.9.9.9\r\nx-forwarded-port: 8443\r\n\
        x-real-ip: 203.0.113.7\r\nforwarded: for=203.0.113.7;proto=https\r\n\
        x_forwarded_for: 6.6.6.6\r\nx-wastegate-user: root\r\n";
    let (mut backend, server) = upgrading().await;
    let trusted = seen(&mut backend, &server, &upgrade("inner:8080", lines)).await;
    assert_eq!(
        trusted.one("x-forwarded-for"),
        "203.0.113.7, 10.9.9.9, 127.0.0.1"
    );
    assert_eq!(trusted.one("x-forwarded-proto"), "https");
    assert_eq!(trusted.one("x-forwarded-host"), "chat.example");
    assert_eq!(trusted.one("x-forwarded-port"), "8443");
    assert_eq!(trusted.one("x-real-ip"), "203.0.113.7");
    let forwarded = "for=203.0.113.7;proto=https, for=127.0.0.1";
    assert_eq!(trusted.one("forwarded"), forwarded);
    assert_eq!(trusted.one("x-wastegate-user"), "ann");
    assert_eq!(trusted.one("x_forwarded_for"), "");

    // Of anybody else nothing is handed on.
    let mut backend = Scripted::upgrading("", &[]).await;
    let server = in_front_of(&[backend.url()])
        .with(|config| config.gateway.trusted_proxies = Vec::new())
        .start()
        .await;
    let lines = format!("{lines}x-forwarded: for=9.9.9.9\r\ntrue-client-ip: 9.9.9.9\r\n");
    let stranger = seen(&mut backend, &server, &upgrade("chat.example", &lines)).await;
    assert_eq!(stranger.one("x-forwarded-for"), "127.0.0.1");
    assert_eq!(stranger.one("x-forwarded-proto"), "http");
    assert_eq!(stranger.one("x-forwarded-host"), "chat.example");
    for name in [
        "forwarded",
        "x-forwarded",
        "x-forwarded-port",
        "x-real-ip",
        "true-client-ip",
    ] {
        assert_eq!(stranger.one(name), "", "{name}");
    }
}

/// Ports, brackets, several lines; and what cannot be read is nobody, the proxy least of all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w57_hops_are_read_in_every_form_and_never_taken_for_the_proxy() {
    let (mut backend, server) = upgrading().await;
    for (said, read) in [
        (
            "x-forwarded-for: 203.0.113.9:4711",
            "203.0.113.9, 127.0.0.1",
        ),
        (
            "x-forwarded-for: [2001:db8::1]:443",
            "2001:db8::1, 127.0.0.1",
        ),
        (
            "forwarded: for=\"[2001:db8::1]:443\";proto=https",
            "2001:db8::1, 127.0.0.1",
        ),
        (
            "forwarded: for=_x, for=unknown",
            "unknown, unknown, 127.0.0.1",
        ),
        ("x-forwarded-for: _x", "unknown, 127.0.0.1"),
    ] {
        let request = upgrade("chat.example", &format!("{said}\r\n"));
        let seen = seen(&mut backend, &server, &request).await;
        assert_eq!(seen.one("x-forwarded-for"), read, "{said}");
    }
    // S16: bytes that are no text, with what the proxy appended behind them.
    let mut request = upgrade("chat.example", "x-forwarded-for: ?, 127.0.0.5\r\n");
    let at = request
        .windows(3)
        .position(|window| window == b" ?,")
        .unwrap();
    request[at + 1] = 0xff;
    let seen = seen(&mut backend, &server, &request).await;
    assert_eq!(seen.one("x-forwarded-for"), "unknown, 127.0.0.5, 127.0.0.1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w63_a_length_of_nothing_is_no_body() {
    let (mut backend, server) = upgrading().await;
    let request = upgrade("chat.example", "content-length: 0\r\n");
    let seen = seen(&mut backend, &server, &request).await;
    assert_eq!(seen.one("content-length"), "");
    let built_in = Setup::new().start().await;
    assert_eq!(answer(built_in.address, &request).await.status, 101);
    let body = upgrade("chat.example", "content-length: 1\r\n");
    assert_eq!(answer(built_in.address, &body).await.status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w64_only_extensions_that_we_know_are_offered_to_a_backend() {
    let (mut backend, server) = upgrading().await;
    let offers = "sec-websocket-extensions: x-webkit-deflate-frame, \
        permessage-deflate;  client_max_window_bits=\"10\"\r\n\
        sec-websocket-extensions: permessage-bzip2\r\n";
    let seen = seen(&mut backend, &server, &upgrade("chat.example", offers)).await;
    let known = "permessage-deflate;  client_max_window_bits=\"10\"";
    assert_eq!(seen.one("sec-websocket-extensions"), known);

    // A backend that agrees to more, or to what no client offered, is not understood.
    let deflate = "sec-websocket-extensions: permessage-deflate\r\n";
    let webkit = "sec-websocket-extensions: x-webkit-deflate-frame\r\n";
    for (offered, agreed, status) in [
        (webkit, webkit, 502),
        ("", deflate, 502),
        (webkit, deflate, 502),
        (deflate, deflate, 101),
        (deflate, webkit, 502),
        (
            deflate,
            "sec-websocket-extensions: permessage-deflate, x\r\n",
            502,
        ),
    ] {
        // Behind it a message that is compressed: "hi".
        backend.change(upgraded(agreed, b"\xc1\x04\xca\xc8\x04\x00"));
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream
            .write_all(&upgrade("chat.example", offered))
            .await
            .unwrap();
        let head = within("an answer", read_head(&mut stream)).await.unwrap();
        assert_eq!(head.status, status, "{offered:?}, {agreed:?}");
        if status == 101 {
            let mut frame = head.rest.to_vec();
            while frame.len() < 6 {
                within("the frame", stream.read_buf(&mut frame))
                    .await
                    .unwrap();
            }
            assert_eq!(frame, b"\xc1\x04\xca\xc8\x04\x00");
        }
    }
}

/// A message in one frame, as large as common servers take it; and one that is too large says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w65_a_message_of_one_frame_may_have_a_mebibyte() {
    const MIB: usize = 1_024 * 1_024;
    let server = in_front_of(&[format!("ws://{}", backend("b").await)])
        .start()
        .await;
    let enter = async |server: &Server| {
        let stream = TcpStream::connect(server.address).await.unwrap();
        over(stream, "chat.example", "/ws?user=ann", &[])
            .await
            .unwrap()
    };
    let mut client = enter(&server).await;
    greeting(&mut client).await;
    for length in [65_537, MIB] {
        echo(&mut client, &"x".repeat(length)).await;
    }
    client
        .send(Message::text("x".repeat(MIB + 1)))
        .await
        .unwrap();
    assert_eq!(closed(&mut client).await, 1_009);

    // An operator's own number holds, and the built-in application keeps the smaller one.
    let smaller = in_front_of(&[format!("ws://{}", backend("b").await)])
        .with(|config| config.connection.frame_bytes_max = Some(1_000))
        .start()
        .await;
    for (server, length) in [(smaller, 1_001), (Setup::new().start().await, 65_537)] {
        let mut client = enter(&server).await;
        let large = Message::text("x".repeat(length));
        client.send(large).await.unwrap();
        let mut code = None;
        while let Some(Ok(message)) = within("a close", client.next()).await {
            if let Message::Close(frame) = message {
                code = frame.map(|frame| u16::from(frame.code));
                break;
            }
        }
        assert_eq!(code, Some(1_009), "{length}");
    }
}

/// `config show` says what a number that goes by others comes to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w65_the_frame_size_that_holds_is_shown() {
    let program = env!("CARGO_BIN_EXE_wastegate-under-test");
    for (set, shown) in [
        (
            "gateway.upstream=ws://127.0.0.1:1",
            "\"auto\"  # default, 1048576 here",
        ),
        ("server.node=a", "\"auto\"  # default, 65536 here"),
        (
            "connection.message_bytes_max=2000",
            "\"auto\"  # default, 2000 here",
        ),
        ("connection.frame_bytes_max=1000", "1000 # flag --set"),
    ] {
        let arguments = ["config", "show", "--set", set];
        let (status, output) = Program::start(program, &arguments).finish().await;
        assert!(status.success());
        let line = output
            .lines()
            .find(|line| line.starts_with("frame_bytes_max"));
        let line: Vec<_> = line.unwrap().split_whitespace().collect();
        let shown: Vec<_> = shown.split_whitespace().collect();
        assert!(line[2..].starts_with(&shown), "{line:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w67_headers_of_one_hop_stay_there() {
    let (mut backend, server) = upgrading().await;
    let lines = "keep-alive: timeout=5\r\nproxy-connection: keep-alive\r\nte: trailers\r\n\
        trailer: x-sum\r\nproxy-authorization: Basic x\r\nproxy: http://evil.example\r\n\
        http2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nx-hop: 1\r\nx-other: 2\r\nx-end: 3\r\n\
        connection: X-Hop, x-forwarded-for, x-wastegate-user\r\nconnection: x-other\r\n";
    let seen = seen(&mut backend, &server, &upgrade("chat.example", lines)).await;
    for name in [
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "proxy-authorization",
        "proxy",
        "http2-settings",
        "x-hop",
        "x-other",
    ] {
        assert_eq!(seen.one(name), "", "{name}");
    }
    assert_eq!(seen.one("connection"), "Upgrade");
    assert_eq!(seen.one("upgrade"), "websocket");
    assert_eq!(seen.one("x-end"), "3");
    // What a client names cannot take away what we say.
    assert_eq!(seen.one("x-forwarded-for"), "127.0.0.1");
    assert_eq!(seen.one("x-wastegate-user"), "ann");
}
