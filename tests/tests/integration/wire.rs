//! Bad frames and control lines: each kind has its answer, and nobody else hears of it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wastegate_tests::harness::http;
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
