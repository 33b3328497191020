//! W01, W02: clients that take nothing are seen for what they are, and go before anybody who answers.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{Stream, StreamExt};
use socket2::{SockFilter, SockRef};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message as Frame};
use wastegate::manager::{Message, NoApplication};
use wastegate::tasks::Tasks;
use wastegate_core::types::UserId;
use wastegate_tests::harness::program::script;
use wastegate_tests::harness::{BUDGET, Program, Server, Setup, timed, until, until_async, within};

use crate::knock::over;
use crate::tls::{Authority, encrypted};
use crate::world_backend::{backend, frame};

const LIMIT: u32 = 20;
const STOPPED: usize = 14;
const LIVE: usize = 6;
/// What is sent to each, over and over.
const FRAME_BYTES: usize = 32 * 1_024;
const PAUSE: Duration = Duration::from_millis(40);
/// `BPF_RET | BPF_K` with nothing to keep: bpf(2), of the classic kind.
const DROP_ALL: u16 = 0x06;

/// A backend that sends all the time and drops what it is sent.
async fn chatty() -> SocketAddr {
    backend(|mut stream, compresses| async move {
        let first = if compresses { 0xc2 } else { 0x82 };
        let message = frame(first, &[0x55; FRAME_BYTES]);
        let (mut reads, mut writes) = stream.split();
        let talking = async {
            while writes.write_all(&message).await.is_ok() {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let hearing = async {
            let mut bytes = vec![0; 4_096];
            while reads.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
        };
        tokio::select! {
            () = talking => {}
            () = hearing => {}
        }
    })
    .await
}

fn setup() -> Setup {
    Setup::new().limit(LIMIT).with(|config| {
        config.health.stalled_after = Duration::from_millis(600);
        config.connection.close_deadline = Duration::from_millis(300);
        config.cleanup.close_deadline = Duration::from_millis(300);
        // The built-in application's messages may wait for as long as the test lasts.
        config.connection.outbox_bytes_max = 64 * 1_024 * 1_024;
    })
}

async fn in_front(upstream: SocketAddr) -> Setup {
    let upstream = format!("ws://{upstream}");
    setup()
        .application(NoApplication)
        .with(|config| config.gateway.upstream = vec![upstream.parse().unwrap()])
}

/// A client that reads all the time, and so answers pings.
struct Tab(Arc<AtomicBool>);

impl Tab {
    fn open<S>(mut socket: S) -> Self
    where
        S: Stream<Item = Result<Frame, Error>> + Unpin + Send + 'static,
    {
        let open = Arc::new(AtomicBool::new(true));
        let state = open.clone();
        Tasks::new().spawn("tab", async move {
            while let Some(Ok(frame)) = socket.next().await {
                if frame.is_close() {
                    break;
                }
            }
            state.store(false, Relaxed);
        });
        Self(open)
    }

    fn is_open(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// How a client of a key comes in.
type Enter<'a> = dyn Fn(String) -> Pin<Box<dyn Future<Output = Tab> + 'a>> + 'a;

async fn enter_plain(server: &Server, key: String) -> Tab {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let target = format!("/ws?user=ann&key={key}&device={key}");
    Tab::open(over(stream, "test", &target, &[]).await.unwrap())
}

/// The six that are idle longer, then whoever will take nothing.
async fn live(server: &Server, enter: &Enter<'_>) -> Vec<Tab> {
    let tabs = join_all((0..LIVE).map(|number| enter(format!("live-{number}")))).await;
    server.holds("ann", LIVE as u32).await;
    tabs
}

async fn readers(server: &Server, how: &[&str]) -> Program {
    let (host, port) = (
        server.address.ip().to_string(),
        server.address.port().to_string(),
    );
    let (script, count) = (script("readers.py"), STOPPED.to_string());
    let mut arguments = vec![script.to_str().unwrap(), &host, &port, &count, "ann"];
    arguments.extend(how);
    let mut program = Program::start("python3", &arguments);
    assert_eq!(program.line().await, "ready");
    server.holds("ann", LIMIT).await;
    program
}

/// Six new tabs come in within the budget, and nobody who answers pays for it.
async fn newcomers(server: &Server, live: &[Tab], enter: &Enter<'_>) {
    let entering = (0..LIVE).map(|number| timed(enter(format!("new-{number}"))));
    let entered = join_all(entering).await;
    for (tab, took) in &entered {
        assert!(*took < BUDGET, "{took:?}");
        assert!(tab.is_open());
    }
    let keys = server.keys("ann");
    for number in 0..LIVE {
        for kind in ["live", "new"] {
            let key = format!("{kind}-{number}");
            assert!(keys.contains(&key), "{key} of {keys:?}");
        }
    }
    assert!(
        live.iter().all(Tab::is_open),
        "nobody who answers is closed"
    );
    assert!(keys.len() <= LIMIT as usize, "{keys:?}");
}

async fn stalled(server: &Server) {
    until_async("all that take nothing to be seen", async || {
        server.count_of("stalled").await == STOPPED as u64
    })
    .await;
}

async fn a_stopped_process_goes(server: &Server, how: &[&str], enter: &Enter<'_>) {
    let tabs = live(server, enter).await;
    let program = readers(server, how).await;
    program.signal("STOP");
    stalled(server).await;
    newcomers(server, &tabs, enter).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w01_a_stopped_process_goes_before_live_tabs() {
    let server = in_front(chatty().await).await.start().await;
    let enter = |key| -> Pin<Box<dyn Future<Output = Tab>>> { Box::pin(enter_plain(&server, key)) };
    a_stopped_process_goes(&server, &[], &enter).await;
}

/// Before anything had the time to age: a round of probes finds out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w01_right_after_the_stop_one_round_finds_out() {
    let server = in_front(chatty().await)
        .await
        .with(|config| config.health.stalled_after = Duration::from_secs(5))
        .start()
        .await;
    let enter = |key| -> Pin<Box<dyn Future<Output = Tab>>> { Box::pin(enter_plain(&server, key)) };
    let tabs = live(&server, &enter).await;
    let program = readers(&server, &[]).await;
    program.signal("STOP");
    newcomers(&server, &tabs, &enter).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w01_with_permessage_deflate() {
    let server = in_front(chatty().await).await.start().await;
    let enter = |key| -> Pin<Box<dyn Future<Output = Tab>>> { Box::pin(enter_plain(&server, key)) };
    a_stopped_process_goes(&server, &["deflate"], &enter).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w01_over_tls() {
    wastegate::cryptography::provide();
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    authority.write(folder.path(), 1);
    let files = |name: &str| Some(folder.path().join(name));
    let server = in_front(chatty().await)
        .await
        .with(|config| {
            config.gateway.tls.certificate = files("cert.pem");
            config.gateway.tls.key = files("key.pem");
        })
        .start()
        .await;
    let enter = |key: String| -> Pin<Box<dyn Future<Output = Tab>>> {
        Box::pin(async {
            let key = key;
            let stream = encrypted(&authority, server.address).await;
            let target = format!("/ws?user=ann&key={key}&device={key}");
            Tab::open(over(stream, "localhost", &target, &[]).await.unwrap())
        })
    };
    a_stopped_process_goes(&server, &["tls"], &enter).await;
}

/// Sends to every manager of the user, over and over, until the test is over.
fn chat(server: &Server) -> Tasks {
    let (registry, tasks) = (server.registry.clone(), Tasks::new());
    let stop = tasks.stopping();
    tasks.spawn("chat", async move {
        let message = Message::Binary(vec![7; FRAME_BYTES].into());
        while !stop.is_cancelled() {
            for manager in registry.of(&UserId::new("ann").unwrap()) {
                manager.broadcast(&message, None);
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    tasks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w01_with_the_built_in_application() {
    let server = setup().start().await;
    let chat = chat(&server);
    let enter = |key| -> Pin<Box<dyn Future<Output = Tab>>> { Box::pin(enter_plain(&server, key)) };
    a_stopped_process_goes(&server, &[], &enter).await;
    chat.stop();
}

/// Nothing that is sent to them is acknowledged, and nothing is refused either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w02_clients_whose_packets_are_dropped_go_before_live_tabs() {
    let server = in_front(chatty().await).await.start().await;
    let enter = |key| -> Pin<Box<dyn Future<Output = Tab>>> { Box::pin(enter_plain(&server, key)) };
    let tabs = live(&server, &enter).await;
    let mut vanishing = Vec::new();
    for number in 0..STOPPED {
        let key = format!("gone-{number}");
        let dial = server.dial("ann", &key);
        let mut stream = dial.tcp().await;
        stream.write_all(dial.request().as_bytes()).await.unwrap();
        stream.write_all(b"\x81\x82\0\0\0\0hi").await.unwrap();
        let mut bytes = vec![0; 2 * FRAME_BYTES];
        within("some frames", stream.read_exact(&mut bytes))
            .await
            .unwrap();
        vanishing.push(stream);
    }
    server.holds("ann", LIMIT).await;
    let nothing = [SockFilter::new(DROP_ALL, 0, 0, 0)];
    for stream in &vanishing {
        SockRef::from(stream).attach_filter(&nothing).unwrap();
    }
    stalled(&server).await;
    newcomers(&server, &tabs, &enter).await;
}

/// What a stall is worth is its age: it is counted from its beginning, whoever looks when.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w01_the_age_of_a_stall_grows_from_its_beginning() {
    let server = in_front(chatty().await).await.start().await;
    let mut stream = server.dial("ann", "one").receive_buffer(4_096).tcp().await;
    let request = server.dial("ann", "one").request();
    stream.write_all(request.as_bytes()).await.unwrap();
    within("the answer", stream.read_u8()).await.unwrap();
    let assess = || {
        let manager = server.manager("ann", "one")?;
        let config = wastegate::health::Config {
            stalled_after: Duration::from_millis(600),
            ..wastegate::health::Config::default()
        };
        Some(wastegate::health::assess(&manager, &config, server.now()).evidence)
    };
    let mut first = None;
    until("it to be stalled", || {
        first = assess().filter(|found| found.health == wastegate_core::types::Health::Stalled);
        first.is_some()
    })
    .await;
    let since = first.unwrap().at;
    until("some more of it", || {
        server.now().since(since) > Duration::from_secs(2)
    })
    .await;
    assert_eq!(assess().unwrap().at, since);
}
