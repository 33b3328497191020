//! Backends' connections that are kept for clients that were lost: for the same client that asks for the
//! same.

use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use wastegate::tasks::Tasks;
use wastegate_tests::harness::{http, until, until_async, within};

use crate::echoing::{from, say, upgrade, values};
use crate::stage::Stage;

/// What the backend says to every connection when it is told to.
const SECRET: &[u8] = b"\x81\x06secret";

/// A backend that upgrades, counts, and says what it is told to; what a client says it echoes, since the
/// bystanders want to hear it.
struct Telling {
    url: String,
    say: broadcast::Sender<&'static [u8]>,
    heads: std::sync::Arc<parking_lot::Mutex<Vec<String>>>,
}

impl Telling {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let (say, _) = broadcast::channel(16);
        let heads = std::sync::Arc::<parking_lot::Mutex<Vec<String>>>::default();
        let (told, noted) = (say.clone(), heads.clone());
        Tasks::new().spawn("backend", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (told, noted) = (told.subscribe(), noted.clone());
                Tasks::new().spawn("backend", serve(stream, told, noted));
            }
        });
        Self { url, say, heads }
    }

    fn asked(&self, mark: &str) -> usize {
        self.heads
            .lock()
            .iter()
            .filter(|head| head.contains(mark))
            .count()
    }
}

async fn serve(
    mut stream: TcpStream,
    mut told: broadcast::Receiver<&'static [u8]>,
    heads: std::sync::Arc<parking_lot::Mutex<Vec<String>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let accept = derive_accept_key(values(&head, "sec-websocket-key")[0].as_bytes());
    let is_attacked = head.contains("room=");
    heads.lock().push(head);
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: {accept}\r\n\r\n"
    );
    if stream.write_all(answer.as_bytes()).await.is_err() {
        return;
    }
    if is_attacked {
        let (mut reader, mut writer) = stream.into_split();
        let mut rest = Vec::new();
        let read = reader.read_to_end(&mut rest);
        tokio::pin!(read);
        loop {
            tokio::select! {
                _ = &mut read => return,
                words = told.recv() => match words {
                    Ok(words) => drop(writer.write_all(words).await),
                    Err(_) => return,
                },
            }
        }
    }
    use futures_util::{SinkExt, StreamExt};
    let role = tokio_tungstenite::tungstenite::protocol::Role::Server;
    let mut socket = tokio_tungstenite::WebSocketStream::from_raw_socket(stream, role, None).await;
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() && socket.send(message).await.is_err() {
            return;
        }
    }
}

async fn enter(stage: &Stage, room: &str, lines: &str) -> (TcpStream, Vec<u8>) {
    let mut stream = from(2, stage.public).await;
    let target = format!("/ws?user=ann&key=k&device=d&room={room}");
    let head = say(&mut stream, upgrade(&target, "localhost", lines))
        .await
        .unwrap();
    assert_eq!(head.status, 101);
    (stream, head.rest.to_vec())
}

fn reset(stream: TcpStream) {
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(stream);
}

/// Waits until the gateway has noticed that the client is gone, and keeps its upstream connection.
async fn is_lost(stage: &Stage) {
    until_async("the loss", async || {
        let ann = http::ask(stage.admin, "GET", "/v1/users/ann", None).await;
        ann.status == 200 && ann.json()["managers"][0]["standing"] == "detached"
    })
    .await;
}

/// Reads until the words are there; what came before.
async fn hears(stream: &mut TcpStream, mut all: Vec<u8>) {
    within("the secret", async {
        while !all.windows(6).any(|it| it == b"secret") {
            assert_ne!(stream.read_buf(&mut all).await.unwrap(), 0);
        }
    })
    .await;
}

/// A connection of one room and session is lost, and the backend says a secret. Whoever comes back with
/// another room, session or token gets a new connection and not the secret; the client itself gets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s26_what_is_kept_is_for_who_asks_for_the_same() {
    let old = "cookie: session=OLD\r\norigin: http://localhost\r\n";
    let new = "cookie: session=NEW\r\norigin: http://localhost\r\n";
    let authorized = format!("{old}authorization: Bearer x\r\n");
    for (room, lines, is_same) in [
        ("1", old, true),
        ("2", old, false),
        ("1", new, false),
        ("1", &authorized, false),
    ] {
        let backend = Telling::start().await;
        let upstream = format!("--upstream={}", backend.url);
        let mut stage = Stage::with(&[&upstream, "--set=gateway.upstream_grace_ms=10000"]).await;
        let (lost, _) = enter(&stage, "1", old).await;
        until("the backend", || backend.asked("room=1") == 1).await;
        reset(lost);
        // What the backend says before that is written to a socket that is gone, and nobody's to have.
        is_lost(&stage).await;
        backend.say.send(SECRET).unwrap();
        let (mut back, came) = enter(&stage, room, lines).await;
        if is_same {
            hears(&mut back, came).await;
            assert_eq!(backend.asked("room="), 1);
        } else {
            until("a connection of its own", || backend.asked("room=") == 2).await;
            // What was said before it is nothing that it hears: the first is what is said from now on.
            backend.say.send(b"\x81\x02ok").unwrap();
            let mut heard = came;
            within("what is said now", async {
                while !heard.windows(2).any(|it| it == b"ok") {
                    assert_ne!(back.read_buf(&mut heard).await.unwrap(), 0);
                }
            })
            .await;
            assert!(
                !heard.windows(6).any(|it| it == b"secret"),
                "{room} {lines}"
            );
        }
        stage.unharmed().await;
    }
}
