//! Answers of every kind, however they are cut into reads.

use axum::body::to_bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::gateway::upstream::blame::Blame;
use tokio_util::sync::CancellationToken;

const YES: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX-A: 1\r\nX-A: 2\r\n\r\n";

fn request() -> Request<Body> {
    let request = Request::get("/chat?room=1").header("host", "backend");
    let request = request.header("x-a", "\u{fc}").header("x-a", "2");
    request.body(Body::empty()).unwrap()
}

/// Reads the head that a backend was sent.
async fn head(backend: &mut DuplexStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(backend.read_u8().await.unwrap());
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Asks a backend that answers in pieces of a size, and closes behind that if it is told to.
async fn answered(
    pieces: usize,
    answer: &str,
    closes: bool,
) -> Result<(HeaderMap, Vec<u8>), UpstreamError> {
    let (ours, mut backend) = duplex(64 * 1_024);
    let tasks = Tasks::new();
    let transport = Transport::Other(Box::new(ours));
    let switched = switch(transport, request(), &tasks);
    let answering = async {
        let head = head(&mut backend).await;
        for piece in answer.as_bytes().chunks(pieces) {
            // Who was told enough does not read on.
            let _ = backend.write_all(piece).await;
            tokio::task::yield_now().await;
        }
        (head, (!closes).then_some(backend))
    };
    let (switched, (head, _backend)) = tokio::join!(switched, answering);
    assert_eq!(
        head,
        "GET /chat?room=1 HTTP/1.1\r\nhost: backend\r\nx-a: \u{fc}\r\nx-a: 2\r\n\r\n"
    );
    let mut switched = switched?;
    drop(_backend);
    let mut rest = switched.leftover.to_vec();
    switched.transport.read_to_end(&mut rest).await.unwrap();
    Ok((switched.headers, rest))
}

/// However it comes: what stands behind the head is the connection's, to the last byte.
#[tokio::test]
async fn a_101_is_read_and_nothing_behind_it_is_lost() {
    let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    for before in ["", early] {
        for pieces in [1, 7, 1_000] {
            let answer = format!("{before}{YES}frames\r\n\r\n");
            let (headers, rest) = answered(pieces, &answer, false).await.unwrap();
            assert!(headers.get_all("x-a").iter().eq(["1", "2"]), "{headers:?}");
            assert_eq!(headers.len(), 3);
            assert_eq!(rest, b"frames\r\n\r\n", "{pieces}");
        }
    }
}

#[tokio::test]
async fn a_refusal_comes_whole_with_its_body() {
    let chunked =
        "HTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n";
    let to_the_end = "HTTP/1.0 403 Forbidden\r\n\r\nno";
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 403 F\r\ncontent-length: 2\r\n\r\nno";
    for (answer, closes) in [(chunked, false), (to_the_end, true), (interim, false)] {
        for pieces in [1, 7, 1_000] {
            let error = answered(pieces, answer, closes).await.unwrap_err();
            let UpstreamError::Refused(refusal) = error else {
                panic!("{answer}: {error}");
            };
            assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
            let body = refusal
                .into_response(&Tasks::new(), CancellationToken::new())
                .into_body();
            assert_eq!(&to_bytes(body, 9).await.unwrap()[..], b"no", "{answer}");
        }
    }
}

#[tokio::test]
async fn what_is_no_answer_is_told_as_such() {
    let long = format!(
        "HTTP/1.1 101 S\r\nx: {}\r\n\r\n",
        "a".repeat(HEAD_BYTES_MAX)
    );
    let many = format!(
        "HTTP/1.1 101 S\r\n{}\r\n",
        "a: b\r\n".repeat(HEADERS_MAX + 1)
    );
    for (answer, why) in [
        ("SSH-2.0-x\r\n\r\n", "invalid HTTP version parsed"),
        ("HTTP/1.1 101", "connection closed before message completed"),
        ("", "connection closed before message completed"),
        (&long, "message head is too large"),
        (&many, "message head is too large"),
    ] {
        let error = answered(500, answer, true).await.unwrap_err();
        assert!(matches!(&error, UpstreamError::Http(_)), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
        // An answer of which we take no more says nothing about the backend's health.
        let is_answer = why.contains("too large");
        assert_eq!(error.blame(&[]) == Blame::Answer, is_answer, "{error}");
    }
    let old = YES.replace("/1.1", "/1.0");
    let error = answered(500, &old, true).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Handshake(_)), "{error:?}");
}

/// A backend that refuses a head that it has not read answers all the same, whether it closes then or not.
#[tokio::test]
async fn an_answer_that_comes_before_the_request_is_read_counts() {
    for closes in [false, true] {
        let (ours, mut backend) = duplex(8 * 1_024);
        let tasks = Tasks::new();
        let cookie = "c".repeat(64 * 1_024);
        let request = Request::get("/").header("cookie", cookie);
        let request = request.body(Body::empty()).unwrap();
        let asked = switch(Transport::Other(Box::new(ours)), request, &tasks);
        let answering = async {
            backend.read_u8().await.unwrap();
            let answer = b"HTTP/1.1 431 Large\r\ncontent-length: 2\r\n\r\nno";
            backend.write_all(answer).await.unwrap();
            (!closes).then_some(backend)
        };
        let (asked, _backend) = tokio::join!(asked, answering);
        let Err(UpstreamError::Refused(refusal)) = asked else {
            panic!("{closes}");
        };
        assert_eq!(refusal.status().as_u16(), 431);
    }
}
