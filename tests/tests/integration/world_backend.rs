//! A backend in the test's own process that does, after each upgrade, what the test says.

use std::future::Future;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use wastegate::tasks::Tasks;

/// Starts it. `serve` gets each connection once it is upgraded; permessage-deflate is agreed to where
/// it is offered.
pub(crate) async fn backend<F>(serve: impl Fn(TcpStream, bool) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Tasks::new().spawn("backend", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(compresses) = upgrade(&mut stream).await else {
                continue;
            };
            Tasks::new().spawn("backend", serve(stream, compresses));
        }
    });
    address
}

/// Answers the upgrade; whether permessage-deflate is agreed to.
async fn upgrade(stream: &mut TcpStream) -> Option<bool> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then(|| value.trim())
    })?;
    let accept = derive_accept_key(key.as_bytes());
    let compresses = head.contains("permessage-deflate");
    let extension = if compresses {
        "sec-websocket-extensions: permessage-deflate\r\n"
    } else {
        ""
    };
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: {accept}\r\n{extension}\r\n"
    );
    stream.write_all(answer.as_bytes()).await.ok()?;
    Some(compresses)
}

/// A binary or text frame as a server sends it, with the first byte given.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ ..126), _) => frame.push(short),
        (_, Ok(middle)) => {
            frame.push(126);
            frame.extend(middle.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

/// A Close as a server sends it.
pub(crate) fn close(code: u16, reason: &str) -> Vec<u8> {
    let payload = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
    frame(0x88, &payload)
}
