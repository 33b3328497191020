//! Bad input on the wire: each kind has its answer, and nobody else hears of it.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wastegate_tests::harness::http::{self, exchange};
use wastegate_tests::harness::{Server, Setup, within};

/// An upgraded connection, to be spoken to byte by byte.
async fn upgraded(server: &Server) -> TcpStream {
    let dial = server.dial("ann", "raw");
    let mut stream = dial.tcp().await;
    stream.write_all(dial.request().as_bytes()).await.unwrap();
    let head = http::read_head(&mut stream).await.unwrap();
    assert_eq!((head.status, head.rest.len()), (101, 0));
    stream
}

/// A frame as a client sends it, masked with zeros, so that its bytes are what they seem.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u16::try_from(payload.len()) {
        Ok(short @ ..126) => frame.push(0x80 | u8::try_from(short).unwrap()),
        Ok(length) => {
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// The code that the connection is closed with.
async fn close_code(stream: &mut TcpStream) -> u16 {
    within("a Close", async {
        loop {
            let first = stream.read_u8().await.unwrap();
            let length = match stream.read_u8().await.unwrap() {
                126 => u64::from(stream.read_u16().await.unwrap()),
                127 => stream.read_u64().await.unwrap(),
                short => u64::from(short),
            };
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            stream.read_exact(&mut payload).await.unwrap();
            if first == 0x88 {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    })
    .await
}

/// What a client is closed with for sending these bytes.
async fn closed_for(server: &Server, bytes: &[u8]) -> u16 {
    let mut stream = upgraded(server).await;
    // It may be closed before it has said everything.
    let _ = stream.write_all(bytes).await;
    close_code(&mut stream).await
}

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const PING: u8 = 0x89;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_break_the_protocol_close_their_own_connection() {
    let server = Setup::new().start().await;
    let mut bystander = server.enter("bob", "k").await;
    let mut unmasked = vec![TEXT, 5];
    unmasked.extend(b"hello");
    let fragments = |count: usize| {
        let mut bytes = frame(BINARY & 0x0f, &[0; 60_000]);
        for _ in 1..count {
            bytes.extend(frame(0, &[0; 60_000]));
        }
        bytes
    };
    let cases: [(&str, u16, Vec<u8>); 10] = [
        ("an unmasked frame", 1002, unmasked),
        ("a reserved bit", 1002, frame(TEXT | 0x40, b"x")),
        ("an opcode that does not exist", 1002, frame(0x83, b"x")),
        ("a continuation of nothing", 1002, frame(0x80, b"x")),
        ("a ping in pieces", 1002, frame(PING & 0x0f, b"x")),
        ("a ping of 126 bytes", 1002, frame(PING, &[0; 126])),
        ("text that is not UTF-8", 1007, frame(TEXT, &[0xff, 0xfe])),
        ("a frame over 64 KiB", 1009, frame(BINARY, &[0; 65_537])),
        ("a message over 1 MiB in small frames", 1009, fragments(18)),
        ("a flood of pings", 1008, frame(PING, b"x").repeat(200)),
    ];
    for (what, code, bytes) in cases {
        assert_eq!(closed_for(&server, &bytes).await, code, "{what}");
        bystander.echo(what).await;
    }
    // What is allowed passes, up to the byte.
    let mut stream = upgraded(&server).await;
    stream
        .write_all(&frame(BINARY, &[7; 65_536]))
        .await
        .unwrap();
    stream
        .write_all(&frame(0x88, &1000_u16.to_be_bytes()))
        .await
        .unwrap();
    assert_eq!(close_code(&mut stream).await, 1000);
    server.holds("ann", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_control_lines_are_answered_and_forgiven() {
    let server = Setup::new().start().await;
    let mut client = server.enter("ann", "k").await;
    let cases = [
        (
            "/dance",
            "error: unknown control line `/dance`; control lines: /visible",
        ),
        (
            "/work lots",
            "error: /work takes UNITS as a whole number, not `lots`",
        ),
        (
            "/push 65 1048576",
            "error: /push takes at most 67108864 bytes in all",
        ),
        ("/busy 600001", "error: /busy takes at most 600000 ms"),
        ("/", "error: unknown control line `/`"),
    ];
    for (line, told) in cases {
        let answer = client.ask(line).await;
        assert!(answer.starts_with(told), "{line}: {answer}");
    }
    assert_eq!(client.ask("//slashes pass").await, "/slashes pass");
    client.echo("still here").await;
}

/// A GET of the upgrade path with these headers.
fn get(target: &str, headers: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n")
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
        .replace("host: test", "host: test\r\ncontent-length: 2");
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
