//! Requests that are no upgrade, through the gateway to the backend and back: real servers, real bodies,
//! and what is refused.

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{any, get, post};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wastegate::tasks::Tasks;
use wastegate_tests::harness::http::{Reply, exchange, read_head};
use wastegate_tests::harness::program::{node, node_script, script};
use wastegate_tests::harness::{Program, Server, within};

use crate::behind::in_front_of;
use crate::knock::{echo, knock, status};
use crate::scripted::{Scripted, all, upgrade_of};
use crate::tls::Authority;

/// A gateway in front of a server of these routes.
pub(crate) async fn before(router: Router) -> Server {
    in_front_of(&[serving(router).await]).start().await
}

pub(crate) async fn serving(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Tasks::new().spawn("backend", async move {
        axum::serve(listener, router).await.unwrap();
    });
    format!("ws://{address}")
}

/// A request with these header lines, on a connection of its own.
pub(crate) async fn ask(server: &Server, line: &str, lines: &str, body: &str) -> Reply {
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

/// A body that breaks off in a chunk that is none is the client's fault and no failure of the backend.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_a_broken_body_is_the_clients_fault() {
    let server = before(Router::new().route(
        "/length",
        post(|body: Bytes| async move { body.len().to_string() }),
    ))
    .await;
    let broken = b"POST /length HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n\
        2\r\nhi\r\nno size\r\n";
    let answered = exchange(server.address, broken).await.unwrap();
    assert_eq!(answered.status, 400, "{answered:?}");
    assert!(answered.body.contains("bad-body"), "{answered:?}");
    let good = b"POST /length HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\
        transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    let answered = exchange(server.address, good).await.unwrap();
    assert_eq!((answered.status, answered.body.as_str()), (200, "2"));
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

/// A `wss://` backend is asked for pages by HTTPS, and its certificate is checked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w66_a_backend_with_tls_is_asked_with_tls() {
    use rustls::pki_types::pem::PemObject as _;
    wastegate::cryptography::provide();
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
