//! Clients that were lost and come back to the backend's connection that they had.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use wastegate::manager::NoApplication;
use wastegate::tasks::Tasks;
use wastegate_tests::harness::{Server, Setup, until, within};

use crate::knock::{closed, knock};

/// A backend that numbers its connections, says what it is told to all of them, and keeps how they
/// ended.
struct Backend {
    address: SocketAddr,
    say: broadcast::Sender<String>,
    ends: Arc<Mutex<Vec<(u32, u16)>>>,
}

impl Backend {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (say, _) = broadcast::channel(1_024);
        let ends = Arc::new(Mutex::new(Vec::new()));
        let (told, noted) = (say.clone(), ends.clone());
        Tasks::new().spawn("backend", async move {
            for number in 1.. {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                let connection = serve(number, stream, told.subscribe(), noted.clone());
                Tasks::new().spawn("backend", connection);
            }
        });
        Self { address, say, ends }
    }

    fn ended(&self, number: u32) -> Option<u16> {
        let ends = self.ends.lock();
        let end = ends.iter().find(|(other, _)| *other == number);
        end.map(|(_, code)| *code)
    }
}

async fn serve(
    number: u32,
    stream: TcpStream,
    mut told: broadcast::Receiver<String>,
    ends: Arc<Mutex<Vec<(u32, u16)>>>,
) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
        return;
    };
    let code = loop {
        tokio::select! {
            text = told.recv() => {
                let _ = socket.send(Message::text(text.unwrap())).await;
            }
            heard = socket.next() => match heard {
                Some(Ok(Message::Text(text))) => {
                    let _ = socket.send(Message::text(format!("{number} {text}"))).await;
                }
                Some(Ok(Message::Close(frame))) => {
                    break frame.map_or(1_005, |frame| frame.code.into());
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break 1_006,
            },
        }
    };
    ends.lock().push((number, code));
}

async fn in_front_of(backend: &Backend, grace: Duration) -> Server {
    let upstream = format!("ws://{}", backend.address).parse().unwrap();
    Setup::new()
        .short_goodbyes()
        .application(NoApplication)
        .with(|config| {
            config.gateway.upstream = vec![upstream];
            config.gateway.upstream_grace = grace;
            config.gateway.upstream_held_bytes_max = 2_048;
        })
        .start()
        .await
}

type Client = WebSocketStream<TcpStream>;

async fn connect(server: &Server, device: &str) -> Client {
    let target = format!("/ws?user=ann&key=k&device={device}");
    knock(server.address, &target, &[]).await.unwrap()
}

async fn hear(client: &mut Client) -> String {
    loop {
        match within("a message", client.next()).await.unwrap().unwrap() {
            Message::Text(text) => return text.to_string(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn ask(client: &mut Client, text: &str) -> String {
    client.send(Message::text(text)).await.unwrap();
    hear(client).await
}

/// Gone with a reset; returns once the gateway has seen it.
async fn lose(server: &Server, client: Client) {
    SockRef::from(client.get_ref())
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    let manager = server.manager("ann", "k").unwrap();
    until("the loss to be seen", || manager.detached_since().is_some()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_backend_sent_meanwhile_reaches_a_returning_client_first() {
    let backend = Backend::new().await;
    let server = in_front_of(&backend, Duration::from_secs(600)).await;
    let mut client = connect(&server, "phone").await;
    assert_eq!(ask(&mut client, "one").await, "1 one");
    lose(&server, client).await;
    backend.say.send("while you were away".to_owned()).unwrap();
    let mut again = connect(&server, "phone").await;
    assert_eq!(hear(&mut again).await, "while you were away");
    assert_eq!(ask(&mut again, "two").await, "1 two", "the same connection");
    assert_eq!(server.held("ann"), 1);

    // Another device of the same manager has a connection of its own, and so has who leaves politely.
    let mut other = connect(&server, "laptop").await;
    assert_eq!(ask(&mut other, "three").await, "2 three");
    again.close(None).await.unwrap();
    until("the backend to hear it", || backend.ended(1) == Some(1_005)).await;
    let mut anew = connect(&server, "phone").await;
    assert_eq!(ask(&mut anew, "four").await, "3 four");
}

/// A client that lost its network comes back before we know that it is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_while_its_old_connection_is_there_goes_on_with_it() {
    let backend = Backend::new().await;
    let server = in_front_of(&backend, Duration::from_secs(600)).await;
    let mut old = connect(&server, "phone").await;
    assert_eq!(ask(&mut old, "one").await, "1 one");
    let mut new = connect(&server, "phone").await;
    assert_eq!(closed(&mut old).await, 4_500);
    assert_eq!(ask(&mut new, "two").await, "1 two");
}

/// In the middle of a message of its own it cannot go on; nor for ever; nor whatever the backend says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_kept_is_told_to_the_backend() {
    use tokio::io::AsyncWriteExt;

    let backend = Backend::new().await;
    let server = in_front_of(&backend, Duration::from_secs(600)).await;
    let mut client = connect(&server, "phone").await;
    assert_eq!(ask(&mut client, "one").await, "1 one");
    let half = b"\x81\xfe\x01\x00abcdhalf";
    client.get_mut().write_all(half).await.unwrap();
    let manager = server.manager("ann", "k").unwrap();
    until("half a frame to arrive", || manager.totals().0 > 15).await;
    SockRef::from(client.get_ref())
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    until("the backend to be told", || backend.ended(1).is_some()).await;
    server.holds("ann", 0).await;

    let mut client = connect(&server, "phone").await;
    assert_eq!(ask(&mut client, "two").await, "2 two");
    lose(&server, client).await;
    for _ in 0..4 {
        backend.say.send("x".repeat(1_000)).unwrap();
    }
    until("the backend to be told", || backend.ended(2) == Some(1_001)).await;
    let mut client = connect(&server, "phone").await;
    assert_eq!(ask(&mut client, "three").await, "3 three");

    let backend = Backend::new().await;
    let server = in_front_of(&backend, Duration::from_millis(200)).await;
    let mut client = connect(&server, "phone").await;
    assert_eq!(ask(&mut client, "one").await, "1 one");
    lose(&server, client).await;
    until("the grace to be over", || backend.ended(1) == Some(1_001)).await;
    // The proactive pass, or whoever needs the room, takes the slot.
    let mut client = connect(&server, "phone").await;
    assert_eq!(ask(&mut client, "two").await, "2 two");
}

/// Why a client has to go is between it and us: its backend hears what every library takes for an
/// ordinary end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_is_not_told_why_its_client_had_to_go() {
    let backend = Backend::new().await;
    let server = in_front_of(&backend, Duration::ZERO).await;
    let mut client = connect(&server, "phone").await;
    assert_eq!(ask(&mut client, "one").await, "1 one");
    let nothing = serde_json::json!({});
    let path = "/v1/users/ann/managers/k/evict";
    assert_eq!(server.post(path, &nothing).await.status, 200);
    assert_eq!(closed(&mut client).await, 4_003);
    until("the backend to be told", || backend.ended(1) == Some(1_001)).await;
}
