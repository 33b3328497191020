//! A backend of which each connection behaves as the key of its client says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use socket2::{SockFilter, SockRef};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use wastegate::tasks::Tasks;

/// `BPF_RET | BPF_K` with nothing to keep: bpf(2), of the classic kind.
const DROP_ALL: u16 = 0x06;
/// Bytes of one message of a flood.
const FLOOD_BYTES: usize = 32 * 1_024;
/// The header of a text frame of a thousand bytes.
const LONG_FRAME: [u8; 4] = [0x81, 126, 0x03, 0xe8];

/// A running backend, and what it was sent.
pub(super) struct Backend {
    pub(super) address: SocketAddr,
    /// Keys with what their clients said last, and how they ended.
    heard: Arc<Mutex<Vec<(String, String)>>>,
    /// What waits for it goes on.
    go_on: watch::Sender<bool>,
}

/// The peer's packets are dropped from now on, as if the cable were cut: nothing is acknowledged, and
/// nothing is refused either.
pub(super) fn cut(stream: &TcpStream) {
    let nothing = SockFilter::new(DROP_ALL, 0, 0, 0);
    SockRef::from(stream).attach_filter(&[nothing]).unwrap();
}

impl Backend {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let backend = Self {
            address: listener.local_addr().unwrap(),
            heard: Arc::default(),
            go_on: watch::Sender::new(false),
        };
        let (heard, going_on) = (backend.heard.clone(), backend.go_on.subscribe());
        Tasks::new().spawn("backend", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serve(stream, heard.clone(), going_on.clone());
                Tasks::new().spawn("backend", serving);
            }
        });
        backend
    }

    /// Whether it heard that from the client of a key.
    pub(super) fn heard(&self, key: &str, what: &str) -> bool {
        let heard = self.heard.lock();
        heard.iter().any(|(from, said)| from == key && said == what)
    }

    pub(super) fn go_on(&self) {
        self.go_on.send_replace(true);
    }
}

async fn serve(
    mut stream: TcpStream,
    heard: Arc<Mutex<Vec<(String, String)>>>,
    mut going_on: watch::Receiver<bool>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut key = head
        .split(['=', '&', ' '])
        .skip_while(|word| *word != "key");
    let key = key.nth(1).unwrap().to_owned();
    if let Some(answer) = refusal(&key) {
        // The gateway may have heard enough before all of it is said.
        let _ = stream.write_all(answer.as_bytes()).await;
        // Until the gateway gives it up.
        let mut rest = [0; 64];
        while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
        return;
    }
    if key == "slow" {
        going_on.wait_for(|go_on| *go_on).await.unwrap();
    }
    let name = "sec-websocket-key: ";
    let sent = head.lines().find_map(|line| line.strip_prefix(name));
    let accept = derive_accept_key(sent.unwrap().as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
    match key.as_str() {
        "hung" => std::future::pending().await,
        "vanished" => {
            cut(&stream);
            std::future::pending().await
        }
        "no-frames" => {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            stream
                .write_all(b"\xff\xff these are no frames")
                .await
                .unwrap();
            std::future::pending().await
        }
        "long-frame" | "half-frame" => {
            stream.write_all(&LONG_FRAME).await.unwrap();
            stream.write_all(&[b'x'; 500]).await.unwrap();
            if key == "half-frame" {
                std::future::pending::<()>().await;
            }
            going_on.wait_for(|go_on| *go_on).await.unwrap();
            stream.write_all(&[b'x'; 500]).await.unwrap();
        }
        "last-words" => {
            stream.read_u8().await.unwrap();
            stream
                .write_all(b"\x88\x0c\x10\xe1as told it")
                .await
                .unwrap();
            // With what its client says unread, so that it ends with a reset.
            return;
        }
        _ => {}
    }
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let flood = async |socket: &mut WebSocketStream<TcpStream>| {
        let message = Message::binary(vec![7; FLOOD_BYTES]);
        while socket.send(message.clone()).await.is_ok() {}
    };
    if key.starts_with("flood") {
        flood(&mut socket).await;
    }
    let note = |what: String| heard.lock().push((key.clone(), what));
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(Some(frame)))) => {
                note(format!("closed {}", u16::from(frame.code)));
            }
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                note(message.to_text().unwrap_or_default().to_owned());
                let _ = socket.send(message).await;
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => break,
        }
    }
    note("gone".to_owned());
}

/// What is answered instead of an upgrade.
fn refusal(key: &str) -> Option<String> {
    let switching =
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n";
    Some(match key {
        "refuses" => "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "overloaded" => "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "garbage" => "\0\x01\x02 what is this\r\n\r\n".to_owned(),
        "long-head" => format!("{switching}x-long: {}\r\n\r\n", "x".repeat(20_000)),
        "many-headers" => format!("{switching}{}\r\n", "x-one: more\r\n".repeat(100)),
        "half-head" => switching.to_owned(),
        "says-nothing" => String::new(),
        "never-final" => "HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000),
        _ => return None,
    })
}

/// How long a slow backend may take; nothing here is expected to take so long.
pub(super) const SLOWEST: Duration = Duration::from_secs(2);
