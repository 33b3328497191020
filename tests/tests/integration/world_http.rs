//! Requests that are no upgrade, through the gateway to the backend and back: real servers, real bodies,
//! and what is refused.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{any, get, post};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use wastegate::gateway::http::Style;
use wastegate::types::Tasks;
use wastegate_tests::harness::http::{Reply, exchange, read_head};
use wastegate_tests::harness::program::{node, node_script, script};
use wastegate_tests::harness::{Program, Server, until_async, within};

use crate::behind::in_front_of;
use crate::knock::{echo, knock, status};
use crate::scripted::{Scripted, all, upgrade_of};
use crate::tls::Authority;

/// A gateway in front of a server of these routes.
async fn before(router: Router) -> Server {
    in_front_of(&[serving(router).await]).start().await
}

async fn serving(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Tasks::new().spawn("backend", async move {
        axum::serve(listener, router).await.unwrap();
    });
    format!("ws://{address}")
}

/// A request with these header lines, on a connection of its own.
async fn ask(server: &Server, line: &str, lines: &str, body: &str) -> Reply {
    let request =
        format!("{line} HTTP/1.1\r\nhost: chat.example\r\nconnection: close\r\n{lines}\r\n{body}");
    exchange(server.address, request.as_bytes())
        .await
        .expect("an answer")
}

async fn node_behind() -> (Program, Server) {
    let mut backend = Program::start(node(), &[node_script("http_backend.js")]);
    let url = format!("ws://{}", backend.line().await);
    let server = in_front_of(&[url]).start().await;
    (backend, server)
}

/// A page, an API and a WebSocket on one port, of a server in Node.js; nothing of it but the WebSocket
/// is a manager.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_a_page_an_api_and_a_websocket_share_a_port() {
    let (_node, server) = node_behind().await;
    let page = ask(&server, "GET /a%2Fb//c?x=%20&y=", "cookie: sid=1\r\n", "").await;
    let got = page.json();
    assert_eq!(
        (page.status, &got["url"]),
        (200, &json!("/a%2Fb//c?x=%20&y="))
    );
    let headers = &got["headers"];
    assert_eq!(headers["host"], "chat.example");
    assert_eq!(headers["cookie"], "sid=1");
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(headers["x-forwarded-proto"], "http");
    assert_eq!(headers["x-wastegate-user"], Value::Null);
    assert_eq!(all(&page, "set-cookie"), ["a=1", "b=2"]);
    for method in ["PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        let line = format!("{method} /api");
        let reply = ask(&server, &line, "content-length: 5\r\n", "hello").await;
        let got = reply.json();
        assert_eq!(
            (&got["method"], &got["body"]),
            (&json!(method), &json!("hello"))
        );
    }
    assert_eq!(server.registry.created().0, 0);
    let mut client = knock(server.address, "/live?user=ann", &[]).await.unwrap();
    echo(&mut client, "beside it").await;
    server.holds("ann", 1).await;
}

/// Socket.IO with its defaults: polling first, then a WebSocket.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_socket_io_connects_with_its_defaults() {
    let mut backend = Program::start(node(), &[node_script("socketio_backend.js")]);
    let url = format!("ws://{}", backend.line().await);
    let server = in_front_of(&[url]).start().await;
    let url = format!("http://{}/?user=ann", server.address);
    let mut arguments = vec![node_script("socketio_client.js").into_os_string()];
    arguments.push(url.into());
    let client = Program::start(node(), &arguments).finish();
    let (status, output) = client.await;
    assert!(status.success(), "{status} {output}");
    let expected = json!({ "first": "polling", "said": [["websocket", "hello"]] });
    assert_eq!(serde_json::from_str::<Value>(&output).unwrap(), expected);
}

/// Python's own server speaks HTTP/1.0 and hangs up after each answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_a_server_of_http_1_0_is_no_matter() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("page.html"), "<p>page").unwrap();
    let arguments = [
        script("files_backend.py").into_os_string(),
        folder.path().as_os_str().to_owned(),
    ];
    let mut files = Program::start("python3", &arguments);
    let server = in_front_of(&[format!("ws://{}", files.line().await)])
        .start()
        .await;
    for _ in 0..3 {
        let page = ask(&server, "GET /page.html", "", "").await;
        assert_eq!((page.status, page.body.as_str()), (200, "<p>page"));
    }
    let head = ask(&server, "HEAD /page.html", "", "").await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("7"))
    );
    assert_eq!(ask(&server, "GET /missing", "", "").await.status, 404);
}

/// Headers of one hop stay there, those that `Connection` names too, in both directions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w67_headers_of_one_hop_are_not_handed_on() {
    let mut backend = Scripted::answering(
        "HTTP/1.1 200 OK\r\nkeep-alive: timeout=5\r\nproxy-connection: close\r\n\
         connection: close, x-hop\r\nx-hop: 1\r\nx-end: 2\r\ntrailer: x-sum\r\n\
         x-wastegate-in-flight: 3\r\ncontent-length: 2\r\n\r\nok",
    )
    .await;
    let server = in_front_of(&[backend.url()]).start().await;
    let request = b"GET /page HTTP/1.1\r\nhost: chat.example\r\nkeep-alive: timeout=5\r\n\
        proxy-connection: keep-alive\r\nte: trailers\r\nconnection: close, te, x-mine\r\n\
        x-mine: 1\r\nx-end: 2\r\nupgrade: h2c\r\nx-wastegate-user: root\r\n\
        x-forwarded-for: 203.0.113.9\r\n\r\n";
    let reply = exchange(server.address, request).await.unwrap();
    let seen = backend.seen().await;
    for gone in [
        "keep-alive",
        "proxy-connection",
        "te",
        "x-mine",
        "upgrade",
        "x-wastegate-user",
    ] {
        assert_eq!(seen.all(gone), Vec::<&str>::new(), "{gone}");
    }
    assert_eq!((seen.one("x-end"), seen.one("host")), ("2", "chat.example"));
    assert_eq!((reply.status, reply.body.as_str()), (200, "ok"));
    for gone in [
        "keep-alive",
        "proxy-connection",
        "x-hop",
        "trailer",
        "x-wastegate-in-flight",
    ] {
        assert_eq!(reply.header(gone), None, "{gone}");
    }
    assert_eq!(reply.header("x-end"), Some("2"));
    // An upgrade is the same request in this.
    backend.change("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    let upgrade = upgrade_of(
        "GET /ws?user=ann HTTP/1.1",
        "host: h\r\nkeep-alive: timeout=5\r\nproxy-connection: keep-alive\r\n",
    );
    assert_eq!(
        exchange(server.address, &upgrade).await.unwrap().status,
        403
    );
    let seen = backend.seen().await;
    assert_eq!(
        (seen.one("keep-alive"), seen.one("proxy-connection")),
        ("", "")
    );
}

/// Both bodies stream, whole and in order, with a length and without one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_large_bodies_go_through_both_ways() {
    const BYTES: usize = 8 * 1_024 * 1_024;
    let echo = any(|request: Request| async move { Response::new(request.into_body()) });
    let server = before(Router::new().route("/echo", echo)).await;
    let sent: Vec<u8> = (0..BYTES).map(|at| (at * 31 % 251) as u8).collect();
    for chunked in [false, true] {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let sending = async {
            let framing = if chunked {
                "transfer-encoding: chunked".to_owned()
            } else {
                format!("content-length: {BYTES}")
            };
            let head =
                format!("POST /echo HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{framing}\r\n\r\n");
            writer.write_all(head.as_bytes()).await.unwrap();
            for part in sent.chunks(100_000) {
                if chunked {
                    let head = format!("{:x}\r\n", part.len());
                    writer.write_all(head.as_bytes()).await.unwrap();
                }
                writer.write_all(part).await.unwrap();
                if chunked {
                    writer.write_all(b"\r\n").await.unwrap();
                }
            }
            if chunked {
                writer.write_all(b"0\r\n\r\n").await.unwrap();
            }
        };
        let mut heard = Vec::new();
        let both = async { tokio::join!(sending, reader.read_to_end(&mut heard)) };
        within("an echo of 8 MiB", both).await.1.unwrap();
        let end = heard.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8_lossy(&heard[..end]).to_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let body = if head.contains("transfer-encoding: chunked") {
            dechunked(&heard[end..])
        } else {
            heard[end..].to_vec()
        };
        assert!(body == sent, "{} of {BYTES} bytes", body.len());
    }
}

fn dechunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|it| it == b"\r\n").unwrap();
        let length = std::str::from_utf8(&rest[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 4 + length..];
    }
}

/// A server that says what it is given, when it is given it.
fn events() -> (Router, mpsc::Sender<&'static str>) {
    let (say, heard) = mpsc::channel::<&'static str>(8);
    let heard = std::sync::Arc::new(tokio::sync::Mutex::new(heard));
    let route = get(move || {
        let heard = heard.clone();
        async move {
            let parts = stream::unfold(heard.lock_owned().await, |mut heard| async move {
                let part = heard.recv().await?;
                Some((
                    Ok::<_, Infallible>(Bytes::from_static(part.as_bytes())),
                    heard,
                ))
            });
            let body = Body::from_stream(parts.boxed());
            let response = Response::builder().header("content-type", "text/event-stream");
            response.body(body).unwrap()
        }
    });
    (Router::new().route("/events", route), say)
}

async fn listening(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = b"GET /events HTTP/1.1\r\nhost: h\r\n\r\n";
    stream.write_all(request).await.unwrap();
    stream
}

/// Reads until a text is there; false at the end.
async fn hears(stream: &mut TcpStream, text: &str) -> bool {
    let mut heard = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&heard).contains(text) {
            match stream.read_buf(&mut heard).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return false,
            }
        }
        true
    };
    within(format!("{text:?}"), reading).await
}

/// Each event arrives before there is another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_events_stream_as_they_come() {
    let (router, say) = events();
    let server = before(router).await;
    let mut stream = listening(&server).await;
    for event in ["data: one\n\n", "data: two\n\n", "data: three\n\n"] {
        say.send(event).await.unwrap();
        assert!(hears(&mut stream, event).await, "{event}");
    }
    // The backend is rid of a client that goes.
    drop(stream);
    let mut next = listening(&server).await;
    until_async("the backend to have noticed", async || {
        let _ = say.try_send("data: again\n\n");
        let heard = hears(&mut next, "data: again\n\n");
        tokio::time::timeout(Duration::from_millis(100), heard)
            .await
            .unwrap_or(false)
    })
    .await;
}

/// What streams and does not move is cut off; what moves now and then is not. A stop ends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_a_stream_ends_when_nothing_moves_or_the_server_stops() {
    let (router, say) = events();
    let upstream = serving(router).await;
    let idle = |idle: Duration| {
        in_front_of(std::slice::from_ref(&upstream)).with(move |config| {
            config.gateway.http.idle = idle;
            config.gateway.drain_spread = Duration::from_millis(50);
        })
    };
    let server = idle(Duration::from_millis(600)).start().await;
    let mut stream = listening(&server).await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        say.send("tick\n").await.unwrap();
        assert!(hears(&mut stream, "tick\n").await);
    }
    assert!(!hears(&mut stream, "never").await);

    let server = idle(Duration::from_secs(60)).start().await;
    let mut stream = listening(&server).await;
    until_async("a first event", async || {
        let _ = say.try_send("tock\n");
        let heard = hears(&mut stream, "tock\n");
        tokio::time::timeout(Duration::from_millis(100), heard)
            .await
            .unwrap_or(false)
    })
    .await;
    let (stopped, heard) = tokio::join!(server.stop(), hears(&mut stream, "never"));
    assert!(stopped.drained && !heard);
}

/// A client that does not read what it asked for is cut off as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_a_client_that_does_not_read_is_let_go() {
    let endless = get(|| async {
        let part = Bytes::from(vec![b'x'; 64 * 1_024]);
        let parts = stream::repeat_with(move || Ok::<_, Infallible>(part.clone()));
        Response::new(Body::from_stream(parts))
    });
    let upstream = serving(Router::new().route("/events", endless)).await;
    let server = in_front_of(&[upstream])
        .with(|config| {
            config.gateway.http.idle = Duration::from_millis(300);
            config.gateway.http.requests_max = 1;
        })
        .start()
        .await;
    let stuck = listening(&server).await;
    until_async("its place", async || {
        let mut next = listening(&server).await;
        within("a head", read_head(&mut next))
            .await
            .is_some_and(|head| head.status == 200)
    })
    .await;
    drop(stuck);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_heads_lengths_and_empty_answers_are_as_the_backend_says() {
    let server = before(
        Router::new()
            .route("/five", get(|| async { "12345" }))
            .route(
                "/none",
                get(|| async { axum::http::StatusCode::NO_CONTENT }),
            )
            .route(
                "/same",
                get(|| async { (axum::http::StatusCode::NOT_MODIFIED, [("etag", "\"1\"")]) }),
            ),
    )
    .await;
    let head = ask(&server, "HEAD /five", "", "").await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("5"))
    );
    assert_eq!(head.body, "");
    let none = ask(&server, "GET /none", "", "").await;
    assert_eq!((none.status, none.header("content-length")), (204, None));
    let same = ask(&server, "GET /same", "if-none-match: \"1\"\r\n", "").await;
    assert_eq!((same.status, same.header("etag")), (304, Some("\"1\"")));
    // Two requests of one connection, each answered.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let twice = "GET /five HTTP/1.1\r\nhost: h\r\n\r\n".repeat(2);
    stream.write_all(twice.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    within("two answers", async {
        while String::from_utf8_lossy(&heard).matches("12345").count() < 2 {
            stream.read_buf(&mut heard).await.unwrap();
        }
    })
    .await;
    let old = exchange(server.address, b"GET /five HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    assert_eq!((old.status, old.body.as_str()), (200, "12345"));
}

/// A client that asks first is told to go on; and one that is refused before it sends is told that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_expect_100_continue_is_answered() {
    let server = before(Router::new().route(
        "/length",
        post(|body: Bytes| async move { body.len().to_string() }),
    ))
    .await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = b"POST /length HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\
        expect: 100-continue\r\ncontent-length: 5\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let go_on = within("a 100", read_head(&mut stream)).await.unwrap();
    assert_eq!(go_on.status, 100);
    stream.write_all(b"hello").await.unwrap();
    let mut rest = Vec::new();
    within("the answer", stream.read_to_end(&mut rest))
        .await
        .unwrap();
    let rest = String::from_utf8_lossy(&rest);
    assert!(
        rest.starts_with("HTTP/1.1 200") && rest.ends_with("\r\n\r\n5"),
        "{rest}"
    );
}

/// What is no HTTP of ours to hand on, and a WebSocket that is badly made, reach no backend.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_what_is_broken_is_refused_here() {
    let backend = Scripted::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
    let server = in_front_of(&[backend.url()]).start().await;
    let told = async |request: &str| {
        let reply = exchange(server.address, request.as_bytes()).await.unwrap();
        (
            reply.status,
            reply.json()["error"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    };
    let bad = "GET /ws HTTP/1.1\r\nhost: h\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: short\r\n\r\n";
    let stripped = "GET /ws HTTP/1.1\r\nhost: h\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let hosts = "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n";
    for request in [bad, stripped, hosts] {
        assert_eq!(
            told(request).await,
            (400, "bad-handshake".to_owned()),
            "{request}"
        );
    }
    for method in ["TRACE /", "CONNECT a.example:443"] {
        let request = format!("{method} HTTP/1.1\r\nhost: h\r\n\r\n");
        let reply = exchange(server.address, request.as_bytes()).await.unwrap();
        assert_eq!(reply.status, 405, "{method}");
    }
    let coded = "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(told(coded).await.0, 501);
    let fine = exchange(server.address, b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(fine.body, "hi");
    assert_eq!(server.metric("wastegate_gateway_requests_total").await, 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_refuse_is_as_if_there_were_nothing_but_websockets() {
    let backend = Scripted::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
    let server = in_front_of(&[backend.url()])
        .with(|config| config.gateway.http.style = Style::Refuse)
        .start()
        .await;
    assert_eq!(ask(&server, "GET /page", "", "").await.status, 400);
    assert_eq!(
        ask(&server, "POST /page", "content-length: 0\r\n", "")
            .await
            .status,
        405
    );
    let head = ask(&server, "HEAD /page", "", "").await;
    assert_eq!((head.status, head.header("allow")), (405, Some("GET")));
}

/// Away, without an answer, with nonsense, and late: each has its status, in JSON, and a wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_a_backend_that_fails_is_a_502_or_a_504() {
    let nonsense = Scripted::answering("SSH-2.0-OpenSSH_9\r\n").await;
    let nothing = Scripted::answering("").await;
    let late = serving(Router::new().fallback(std::future::pending::<()>)).await;
    for (upstream, code) in [
        ("ws://127.0.0.1:1".to_owned(), 502),
        (nonsense.url(), 502),
        (nothing.url(), 502),
        (late, 504),
    ] {
        let server = in_front_of(std::slice::from_ref(&upstream))
            .with(|config| {
                config.gateway.http.head_timeout = Duration::from_millis(300);
                config.gateway.upstream_timeout = Duration::from_millis(500);
            })
            .start()
            .await;
        let reply = ask(&server, "GET /", "", "").await;
        assert_eq!(
            (reply.status, &reply.json()["error"]),
            (code, &json!("upstream")),
            "{upstream}"
        );
        assert_eq!(reply.header("retry-after"), Some("5"));
    }
}

/// A backend that is away is passed over, with a body that was not read yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_the_next_backend_is_asked_where_one_is_away() {
    let echo = any(|body: Bytes| async move { body });
    let there = serving(Router::new().fallback(echo)).await;
    let server = in_front_of(&["ws://127.0.0.1:1".to_owned(), there])
        .start()
        .await;
    for _ in 0..4 {
        let reply = ask(&server, "POST /", "content-length: 4\r\n", "body").await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "body"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_a_client_that_stops_sending_is_told_so() {
    let length = any(|body: Bytes| async move { body.len().to_string() });
    let upstream = serving(Router::new().fallback(length)).await;
    let server = in_front_of(&[upstream])
        .with(|config| config.gateway.http.idle = Duration::from_millis(300))
        .start()
        .await;
    let reply = ask(&server, "POST /", "content-length: 4\r\n", "bo").await;
    assert_eq!(
        (reply.status, &reply.json()["error"]),
        (408, &json!("upload-stalled"))
    );
}

/// One more than may be under way is told to wait; when one is over, the next is in. WebSockets are not
/// counted with them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_requests_under_way_are_limited_in_all_and_by_address() {
    for (all, of_one, code) in [(2, 0, 503), (0, 2, 429)] {
        let waiting = serving(Router::new().fallback(std::future::pending::<()>)).await;
        let server = in_front_of(&[waiting])
            .with(|config| {
                config.gateway.http.requests_max = all;
                config.gateway.http.requests_per_address_max = of_one;
            })
            .start()
            .await;
        let (first, second) = (listening(&server).await, listening(&server).await);
        until_async("both to be under way", async || {
            server.metric("wastegate_gateway_requests_total").await == 2.0
        })
        .await;
        let refused = ask(&server, "GET /", "", "").await;
        assert_eq!(
            (refused.status, refused.header("retry-after")),
            (code, Some("5"))
        );
        drop(first);
        until_async("a place", async || {
            let next = listening(&server).await;
            let answered = tokio::time::timeout(Duration::from_millis(100), next.readable()).await;
            answered.is_err()
        })
        .await;
        drop(second);
    }
}

/// A `wss://` backend is asked for pages by HTTPS, and its certificate is checked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_a_backend_with_tls_is_asked_with_tls() {
    use rustls::pki_types::pem::PemObject as _;
    wastegate::types::provide_cryptography();
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    authority.write(folder.path(), 1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let chain = rustls::pki_types::CertificateDer::pem_file_iter(folder.path().join("cert.pem"));
    let chain = chain.unwrap().map(Result::unwrap).collect();
    let key = rustls::pki_types::PrivateKeyDer::from_pem_file(folder.path().join("key.pem"));
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key.unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    Tasks::new().spawn("backend", async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.unwrap_or(0) > 0
            {
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecret";
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        }
    });
    let upstream = format!("wss://localhost:{}", address.port());
    for (authorities, code) in [(Some(folder.path().join("ca.pem")), 200), (None, 502)] {
        let server = in_front_of(std::slice::from_ref(&upstream))
            .with(|config| config.gateway.upstream_authorities = authorities)
            .start()
            .await;
        assert_eq!(ask(&server, "GET /", "", "").await.status, code);
        let upgrade = knock(server.address, "/ws?user=ann", &[]).await;
        // What is no upgrade answers one with what it has, or is not trusted either.
        assert_eq!(status(upgrade), code);
    }
}
