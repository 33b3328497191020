//! A backend that upgrades and echoes, answers everything else with a page, and notes each head that it
//! gets; and attackers at addresses of their own, who say what they want byte by byte.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use wastegate::tasks::Tasks;
use wastegate_tests::harness::http::{Head, Reply, read_body, read_head};
use wastegate_tests::harness::{until, within};

/// What makes a request an upgrade.
pub(crate) const UPGRADE: &str = "upgrade: websocket\r\nconnection: Upgrade\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The backend.
pub(crate) struct Echoing {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Echoing {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let noted = heads.clone();
        Tasks::new().spawn("backend", async move {
            while let Ok((stream, _)) = listener.accept().await {
                Tasks::new().spawn("backend", serve(stream, noted.clone()));
            }
        });
        Self { address, heads }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Requests whose first line has this text.
    pub(crate) fn asked(&self, mark: &str) -> usize {
        self.heads
            .lock()
            .iter()
            .filter(|head| is_of(head, mark))
            .count()
    }

    /// The head of the first request with this text in its first line, each byte as a character.
    pub(crate) async fn seen(&self, mark: &str) -> String {
        until(format!("a request for {mark}"), || self.asked(mark) > 0).await;
        let heads = self.heads.lock();
        let head = heads.iter().find(|head| is_of(head, mark)).unwrap();
        head.iter().map(|byte| char::from(*byte)).collect()
    }
}

fn is_of(head: &[u8], mark: &str) -> bool {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    String::from_utf8_lossy(line).contains(mark)
}

/// The values of a header of such a head, all that there are.
pub(crate) fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
    lines
        .filter(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .collect()
}

async fn serve(mut stream: TcpStream, heads: Arc<Mutex<Vec<Vec<u8>>>>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        heads.lock().push(head);
        let key = values(&text, "sec-websocket-key").first().copied();
        let Some(key) = key else {
            let page = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\npage";
            if stream.write_all(page).await.is_err() {
                return;
            }
            continue;
        };
        let accept = derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
             sec-websocket-accept: {accept}\r\n\r\n"
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            let is_said = matches!(message, Message::Text(_) | Message::Binary(_));
            if is_said && socket.send(message).await.is_err() {
                return;
            }
        }
        return;
    }
}

/// A connection from 127.0.0.`last`, which is nobody's proxy where only others are trusted.
pub(crate) async fn from(last: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let own = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
    socket.bind(own).unwrap();
    within("a connection", socket.connect(to)).await.unwrap()
}

/// Sends bytes and reads the head of one answer; none if the connection ends instead.
pub(crate) async fn say(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) -> Option<Head> {
    // A peer that has had enough need not take the rest.
    let _ = stream.write_all(bytes.as_ref()).await;
    within("an answer", read_head(stream)).await
}

/// The whole answer to a request of its own connection.
pub(crate) async fn told(last: u8, to: SocketAddr, bytes: impl AsRef<[u8]>) -> Reply {
    let mut stream = from(last, to).await;
    let head = say(&mut stream, bytes).await.expect("an answer");
    within("the body", read_body(&mut stream, head)).await
}

/// An upgrade of this target with these header lines behind `Host`.
pub(crate) fn upgrade(target: &str, host: &str, lines: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n{UPGRADE}{lines}\r\n")
}

/// Whether nothing more comes from the other side.
pub(crate) async fn is_over(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    // A reset is an end, too.
    let _ = within("the end of a connection", stream.read_to_end(&mut rest)).await;
    rest.is_empty()
}
