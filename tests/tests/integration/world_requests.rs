//! Requests that are no upgrade: how they stream, what bounds them, and what is refused.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::{any, get};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use wastegate::gateway::http::Style;
use wastegate_tests::harness::http::{exchange, read_head};
use wastegate_tests::harness::{Server, until_async, within};

use crate::behind::in_front_of;
use crate::scripted::Scripted;
use crate::world_http::{ask, before, serving};

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
