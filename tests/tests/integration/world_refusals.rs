//! What a client gets of a backend that does not upgrade: its answer, whole.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wastegate_tests::harness::http::read_head;
use wastegate_tests::harness::within;

use crate::behind::in_front_of;
use crate::scripted::{Scripted, all, answer, switching, upgrade};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w53_a_refusal_goes_back_whole() {
    let said = "HTTP/1.1 401 Unauthorized\r\n\
        www-authenticate: Digest realm=\"x\"\r\nwww-authenticate: Basic realm=\"y\"\r\n\
        set-cookie: a=1\r\nset-cookie: b=2; HttpOnly\r\nx-reason: late\r\n\
        x-wastegate-in-flight: 3\r\nconnection: close, x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\n\
        content-type: text/plain\r\ncontent-length: 14\r\n\r\nwho are you,\r\n";
    let backend = Scripted::answering(said).await;
    let server = in_front_of(&[backend.url()]).start().await;
    let reply = answer(server.address, &upgrade("chat.example", "")).await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (401, "who are you,\r\n")
    );
    let challenges = ["Digest realm=\"x\"", "Basic realm=\"y\""];
    assert_eq!(all(&reply, "www-authenticate"), challenges);
    assert_eq!(all(&reply, "set-cookie"), ["a=1", "b=2; HttpOnly"]);
    assert_eq!(all(&reply, "content-type"), ["text/plain"]);
    assert_eq!(all(&reply, "content-length"), ["14"]);
    assert_eq!(all(&reply, "x-reason"), ["late"]);
    for hop in ["x-hop", "keep-alive", "x-wastegate-in-flight"] {
        assert!(all(&reply, hop).is_empty(), "{hop}: {reply:?}");
    }
    server.holds("ann", 0).await;

    // One whose length only its end tells, and one in chunks.
    for said in [
        "HTTP/1.0 403 Forbidden\r\ncontent-type: text/html\r\n\r\n<p>no</p>",
        "HTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\r\n4\r\n<p>n\r\n5\r\no</p>\r\n0\r\n\r\n",
    ] {
        backend.change(said);
        let request = upgrade("chat.example", "");
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&request).await.unwrap();
        let head = within("a refusal", read_head(&mut stream)).await.unwrap();
        assert_eq!(head.status, 403);
        let mut body = head.rest.to_vec();
        while !body.ends_with(b"0\r\n\r\n") {
            let read = within("more of it", stream.read_buf(&mut body)).await;
            assert_ne!(read.unwrap(), 0, "{body:?}");
        }
        let body: String = String::from_utf8(body).unwrap();
        let chunks = body.split("\r\n").skip(1).step_by(2);
        assert_eq!(chunks.collect::<String>(), "<p>no</p>");
    }
}

/// Longer than a refusal may be: the client sees that it was cut off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w53_a_refusal_without_end_is_cut_off() {
    let length = 2 * 1_024 * 1_024;
    let mut said =
        format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {length}\r\n\r\n").into_bytes();
    said.resize(said.len() + length, b'x');
    let backend = Scripted::answering(said).await;
    let server = in_front_of(&[backend.url()]).start().await;
    let reply = answer(server.address, &upgrade("chat.example", "")).await;
    assert_eq!(reply.status, 403);
    assert!(reply.body.len() <= length / 2, "{}", reply.body.len());
    server.holds("ann", 0).await;
}

/// Whatever it is that is no 101: a redirect, a page, nothing at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w54_a_redirect_and_every_other_answer_is_handed_on() {
    let location = "https://login.example/?next=%2Fws";
    let backend = Scripted::answering("").await;
    let server = in_front_of(&[backend.url()]).start().await;
    for (line, lines) in [
        ("302 Found", format!("location: {location}\r\n")),
        (
            "307 Temporary Redirect",
            format!("location: {location}\r\n"),
        ),
        ("200 OK", "x-page: 1\r\n".to_owned()),
        (
            "426 Upgrade Required",
            "upgrade: websocket\r\nsec-websocket-version: 13, 8\r\n".to_owned(),
        ),
    ] {
        let said = format!("HTTP/1.1 {line}\r\n{lines}content-length: 2\r\n\r\nhi");
        backend.change(said);
        let reply = answer(server.address, &upgrade("chat.example", "")).await;
        assert!(
            line.starts_with(&reply.status.to_string()),
            "{line}: {reply:?}"
        );
        assert_eq!(reply.body, "hi");
        for line in lines.lines() {
            let (name, value) = line.split_once(": ").unwrap();
            assert_eq!(all(&reply, name), [value]);
        }
        server.holds("ann", 0).await;
    }
    backend.change("HTTP/1.1 204 No Content\r\nx-nothing: 1\r\n\r\n");
    let request = upgrade("chat.example", "");
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let head = within("an answer", read_head(&mut stream)).await.unwrap();
    assert_eq!((head.status, head.header("x-nothing")), (204, Some("1")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w55_a_wait_that_a_backend_asks_for_arrives() {
    let said = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
    let backend = Scripted::answering(said).await;
    let server = in_front_of(&[backend.url()]).start().await;
    let reply = answer(server.address, &upgrade("chat.example", "")).await;
    assert_eq!((reply.status, all(&reply, "retry-after")), (429, vec!["7"]));
    assert_eq!(reply.body, "");
}

/// S24: a yes that no WebSocket server says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s24_a_101_that_is_none_is_a_502() {
    let backend = Scripted::answering("").await;
    let server = in_front_of(&[backend.url()]).start().await;
    for said in [
        switching("HTTP/1.1", ""),
        switching("HTTP/1.1", "connection: keep-alive\r\n"),
        switching("HTTP/1.0", "connection: Upgrade\r\n"),
    ] {
        backend.change(said.clone());
        let reply = answer(server.address, &upgrade("chat.example", "")).await;
        let said = String::from_utf8_lossy(&said);
        assert_eq!(
            (reply.status, &reply.json()["error"]),
            (502, &"upstream".into()),
            "{said}"
        );
        assert!(reply.header("retry-after").is_some());
    }
}
