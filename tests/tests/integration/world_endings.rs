//! W30 to W35: what one end said before its end reaches the other, however slowly that takes it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use wastegate::manager::{Application, Manager, Message, NoApplication, Peer};
use wastegate_core::types::CloseReason;
use wastegate_tests::harness::{Server, Setup, until, within};

use crate::knock::knock;
use crate::world_backend::{backend, close, frame};

/// A gateway with short patience: what used to be cut off would be cut off within a test.
async fn in_front(upstream: SocketAddr) -> Server {
    let upstream = format!("ws://{upstream}");
    Setup::new()
        .application(NoApplication)
        .with(|config| {
            config.gateway.upstream = vec![upstream.parse().unwrap()];
            config.connection.close_deadline = Duration::from_millis(200);
            config.connection.stall_max = Duration::from_millis(1_500);
            config.connection.backend_close = Duration::from_secs(3);
            config.health.stalled_after = Duration::from_millis(400);
            config.health.dead_after = Duration::from_millis(1_500);
            config.health.ping_interval = Duration::from_secs(1);
            config.health.pong_deadline = Duration::from_millis(500);
        })
        .start()
        .await
}

/// A backend that says so many frames of a thousand bytes, a Close, and nothing more.
async fn says(frames: usize) -> SocketAddr {
    backend(move |mut stream, _| async move {
        let message = frame(0x82, &[b'x'; 1_000]);
        for _ in 0..frames {
            if stream.write_all(&message).await.is_err() {
                return;
            }
        }
        let _ = stream.write_all(&close(1_000, "all said")).await;
        let mut rest = [0; 1_024];
        while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    })
    .await
}

/// An upgraded client that is nothing but its bytes.
async fn raw(server: &Server, receive_buffer: Option<usize>) -> TcpStream {
    let mut dial = server.dial("ann", "slow");
    if let Some(bytes) = receive_buffer {
        dial = dial.receive_buffer(bytes);
    }
    let mut stream = dial.tcp().await;
    stream.write_all(dial.request().as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within("the answer", stream.read_u8()).await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    stream
}

/// Reads at its own pace, to the end or until it has so many bytes: what came, and whether the end
/// was a FIN.
async fn read_slowly(
    stream: &mut TcpStream,
    bytes: usize,
    pause: Duration,
    most: usize,
) -> (Vec<u8>, bool) {
    let (mut all, mut some) = (Vec::new(), vec![0; bytes]);
    let reading = async {
        while all.len() < most {
            match stream.read(&mut some).await {
                Ok(0) => return true,
                Ok(read) => all.extend_from_slice(&some[..read]),
                Err(_) => return false,
            }
            tokio::time::sleep(pause).await;
        }
        true
    };
    let fin = within("all of it", reading).await;
    (all, fin)
}

/// The frames of a server: how many of each first byte, and the payload of the last.
fn frames(mut bytes: &[u8]) -> (usize, Option<(u8, Vec<u8>)>) {
    let (mut data, mut last) = (0, None);
    while let [first, length, rest @ ..] = bytes {
        let (length, rest) = match length {
            126 => (
                usize::from(u16::from_be_bytes([rest[0], rest[1]])),
                &rest[2..],
            ),
            short => (usize::from(*short), rest),
        };
        let (payload, rest) = rest.split_at(length);
        data += usize::from(*first == 0x82 || *first == 0x81);
        // Our pings are between them.
        if *first != 0x89 {
            last = Some((*first, payload.to_vec()));
        }
        bytes = rest;
    }
    (data, last)
}

fn all_said() -> (u8, Vec<u8>) {
    (0x88, close(1_000, "all said")[2..].to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w30_a_client_that_works_on_each_message_gets_all_of_them_and_the_close() {
    let address = backend(|mut stream, _| async move {
        let message = frame(0x81, &[b'x'; 3_000]);
        for _ in 0..100 {
            stream.write_all(&message).await.unwrap();
        }
        stream.write_all(&close(1_000, "all said")).await.unwrap();
        let mut rest = [0; 1_024];
        while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    let server = in_front(address).await;
    let mut client = knock(server.address, "/ws?user=ann&key=a", &[])
        .await
        .unwrap();
    let small = SockRef::from(client.get_ref()).set_recv_buffer_size(8_192);
    small.unwrap();
    let mut texts = 0;
    loop {
        match within("a message", client.next()).await.unwrap().unwrap() {
            Frame::Text(_) => {
                texts += 1;
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
            Frame::Close(told) => {
                let told = told.unwrap();
                let told = (u16::from(told.code), told.reason.to_string());
                assert_eq!((texts, told), (100, (1_000, "all said".to_owned())));
                break;
            }
            _ => {}
        }
    }
    // Its answer, and the end of the socket without an error.
    assert!(within("the end", client.next()).await.is_none());
    server.holds("ann", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w31_a_reader_with_a_small_buffer_gets_all_and_a_fin() {
    let server = in_front(says(200).await).await;
    let mut stream = raw(&server, Some(4_096)).await;
    let pause = Duration::from_millis(20);
    let (all, fin) = read_slowly(&mut stream, 2_000, pause, usize::MAX).await;
    assert_eq!((frames(&all), fin), ((200, Some(all_said())), true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w32_three_megabytes_at_half_a_megabyte_a_second() {
    let server = in_front(says(3_000).await).await;
    let mut stream = raw(&server, Some(65_536)).await;
    let pause = Duration::from_millis(25);
    let (all, fin) = read_slowly(&mut stream, 25_000, pause, usize::MAX).await;
    assert_eq!((frames(&all), fin), ((3_000, Some(all_said())), true));
}

/// The same while the client talks: what it sends into our end does not turn that into a reset.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w32_a_client_that_talks_on_loses_nothing() {
    let server = in_front(says(1_000).await).await;
    let stream = raw(&server, Some(16_384)).await;
    let (mut reads, mut writes) = stream.into_split();
    let talking = async {
        // A text of two letters, under a mask of zeros.
        while writes.write_all(b"\x81\x82\0\0\0\0hi").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::future::pending().await
    };
    let reading = async {
        let (mut all, mut some) = (Vec::new(), vec![0; 5_000]);
        loop {
            match reads.read(&mut some).await {
                Ok(0) => return (all, true),
                Ok(read) => all.extend_from_slice(&some[..read]),
                Err(_) => return (all, false),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let both = async {
        tokio::select! {
            read = reading => read,
            never = talking => never,
        }
    };
    let (all, fin) = within("all of it", both).await;
    assert_eq!((frames(&all), fin), ((1_000, Some(all_said())), true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w33_a_late_answer_to_the_clients_close_is_delivered() {
    let address = backend(|mut stream, _| async move {
        let mut bytes = [0; 64];
        // The client's Close.
        assert!(stream.read(&mut bytes).await.unwrap() > 0);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let last = [frame(0x81, b"saved"), close(1_000, "ok")].concat();
        stream.write_all(&last).await.unwrap();
    })
    .await;
    let server = in_front(address).await;
    let mut stream = raw(&server, None).await;
    stream.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
    let (all, fin) = read_slowly(&mut stream, 1_024, Duration::ZERO, usize::MAX).await;
    let expected = [frame(0x81, b"saved"), close(1_000, "ok")].concat();
    assert_eq!((all, fin), (expected, true));
    server.holds("ann", 0).await;
}

/// A backend that never answers is waited for that long, and its client is answered without it; its
/// place is free for whoever needs it meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w33_a_close_that_no_backend_answers_is_answered_and_holds_no_place() {
    let address = backend(|mut stream, _| async move {
        let mut bytes = [0; 64];
        while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    let upstream = format!("ws://{address}");
    let server = Setup::new()
        .limit(1)
        .application(NoApplication)
        .with(|config| {
            config.gateway.upstream = vec![upstream.parse().unwrap()];
            config.connection.backend_close = Duration::from_secs(2);
            config.health.probe_deadline = Duration::from_millis(200);
        })
        .start()
        .await;
    let mut stream = raw(&server, None).await;
    stream.write_all(b"\x88\x82\0\0\0\0\x0f\xa1").await.unwrap();
    let manager = server.manager("ann", "slow").unwrap();
    until("its Close to be read", || {
        manager.ports().iter().all(|port| port.has_left())
    })
    .await;
    let newcomer = server.enter("ann", "newcomer").await;
    let (all, fin) = read_slowly(&mut stream, 1_024, Duration::ZERO, usize::MAX).await;
    assert_eq!((all, fin), (close(4_001, ""), true), "with its own code");
    assert!(newcomer.is_open());
}

/// Takes a little all the time, for much longer than anybody may take nothing.
async fn stays(server: &Server, stream: &mut TcpStream, bytes: usize, pause: Duration) {
    let most = 1_200_000;
    let (all, open) = read_slowly(stream, bytes, pause, most).await;
    assert!(open && all.len() >= most, "{} bytes", all.len());
    assert_eq!(server.held("ann"), 1);
    let ports = server.manager("ann", "slow").unwrap().ports();
    assert!(ports.iter().all(|port| !port.is_closing()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w34_a_steady_slow_reader_stays() {
    let server = in_front(says(9_000).await).await;
    let mut stream = raw(&server, Some(4_096)).await;
    stays(&server, &mut stream, 1_250, Duration::from_millis(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w35_a_steady_slow_reader_with_default_buffers_stays() {
    let server = in_front(says(9_000).await).await;
    let mut stream = raw(&server, None).await;
    stays(&server, &mut stream, 2_500, Duration::from_millis(10)).await;
}

/// One that stops taking is given up after that time, as a slow consumer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w34_a_reader_that_stops_is_given_up() {
    let server = in_front(says(9_000).await).await;
    // Not a smaller buffer: a kernel fills the last bytes of that one by one, with pauses that double.
    let mut stream = raw(&server, None).await;
    let (_, open) = read_slowly(&mut stream, 2_500, Duration::from_millis(5), 50_000).await;
    assert!(open);
    server.holds("ann", 0).await;
    let series = "wastegate_gateway_closed_total{reason=\"slow-consumer\"}";
    wastegate_tests::harness::until_async("its end to be counted", async || {
        server.metric(series).await >= 1.0
    })
    .await;
}

/// The other direction: a client that says a lot and leaves, and a backend that takes its time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b6_a_slow_backend_gets_all_that_its_client_sent() {
    const MESSAGES: usize = 300;
    let taken = Arc::new(Mutex::new(Vec::new()));
    let to = taken.clone();
    let address = backend(move |mut stream, _| {
        let to = to.clone();
        async move {
            SockRef::from(&stream).set_recv_buffer_size(65_536).unwrap();
            let mut some = vec![0; 16_384];
            while let Ok(read @ 1..) = stream.read(&mut some).await {
                to.lock().extend_from_slice(&some[..read]);
                tokio::time::sleep(Duration::from_millis(4)).await;
            }
            to.lock().push(0);
        }
    })
    .await;
    let server = in_front(address).await;
    let mut client = knock(server.address, "/ws?user=ann&key=a", &[])
        .await
        .unwrap();
    for _ in 0..MESSAGES {
        client.send(Frame::binary(vec![7; 10_000])).await.unwrap();
    }
    // Its process ends with everything sent.
    drop(client);
    let message = 10_000 + 8;
    let close = 8;
    until("the backend to come to the end", || {
        taken.lock().last() == Some(&0) && taken.lock().len() >= MESSAGES * message
    })
    .await;
    assert_eq!(taken.lock().len(), MESSAGES * message + close + 1);
    server.holds("ann", 0).await;
}

/// Says a lot and closes.
struct Talker;

impl Application for Talker {
    async fn message(&self, manager: &Arc<Manager>, from: Peer, _: Message) {
        for _ in 0..100 {
            let message = Message::Binary(vec![7; 3_000].into());
            manager.send(from.connection, message).unwrap();
        }
        for port in manager.ports() {
            port.close(CloseReason::ApplicationClosed);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b6_what_the_built_in_application_sent_comes_before_its_close() {
    let server = Setup::new()
        .application(Talker)
        .with(|config| {
            config.connection.close_deadline = Duration::from_millis(200);
            config.connection.stall_max = Duration::from_millis(1_500);
            config.health.stalled_after = Duration::from_millis(400);
        })
        .start()
        .await;
    let mut stream = raw(&server, Some(4_096)).await;
    stream.write_all(b"\x81\x82\0\0\0\0hi").await.unwrap();
    let pause = Duration::from_millis(10);
    let (all, fin) = read_slowly(&mut stream, 2_000, pause, usize::MAX).await;
    let (data, last) = frames(&all);
    assert_eq!(
        (data, last.map(|(first, _)| first), fin),
        (100, Some(0x88), true)
    );
}
