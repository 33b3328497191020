//! Backpressure in both directions: a slow manager, a slow client.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::*;
use crate::health::judge;
use crate::manager::Peer;
use wastegate_core::types::Health;

/// Handles a message whenever it is let.
struct Turnstile {
    turns: Semaphore,
    handled: AtomicUsize,
}

struct Slow(Arc<Turnstile>);

impl Application for Slow {
    async fn message(&self, _: &Arc<Manager>, _: Peer, _: Message) {
        self.0.turns.acquire().await.unwrap().forget();
        self.0.handled.fetch_add(1, Ordering::Relaxed);
    }
}

fn slow() -> (Arc<Turnstile>, Wiring) {
    let turnstile = Arc::new(Turnstile {
        turns: Semaphore::new(0),
        handled: AtomicUsize::new(0),
    });
    let mut wiring = Wiring::with_application(Slow(turnstile.clone()));
    wiring.setup.manager.mailbox_messages_max = 4;
    wiring.pipe_bytes = 1_024;
    (turnstile, wiring)
}

/// At the mailbox's limit nothing more is read; the client's silence is then our own doing, and
/// says nothing about it. Nothing is lost.
#[tokio::test(start_paused = true)]
async fn a_full_mailbox_pauses_reading_and_is_unknown() {
    let (turnstile, wiring) = slow();
    let (line, mut socket) = wiring.open().await;
    // One is handled, four wait, one is held back, and the pipe takes a few more.
    let sending = line.world.tasks.spawn("client", async move {
        for _ in 0..100 {
            socket.send(Frame::binary(vec![0; 100])).await.unwrap();
        }
        socket
    });
    line.world.pass(200).await;
    assert!(!sending.is_finished(), "the client has to wait");
    assert_eq!(line.manager.mailbox.bytes(), 400);
    let verdict = || judge(&line.port, &line.session.health, line.world.clock.now()).health;
    assert!(line.port.vitals.read_paused());
    assert_eq!((verdict(), line.port.vitals.missed()), (Health::Unknown, 0));
    turnstile.turns.add_permits(100);
    let mut socket = sending.await.unwrap();
    settle().await;
    assert_eq!(turnstile.handled.load(Ordering::Relaxed), 100);
    assert_eq!(
        (line.port.vitals.read_paused(), verdict()),
        (false, Health::Alive)
    );
    assert_eq!(line.manager.totals().0, 10_000);
    socket.close(None).await.unwrap();
    assert_eq!(line.end().await.reason, CloseReason::ClientClosed);
}

/// A connection that is held back can still be closed.
#[tokio::test(start_paused = true)]
async fn a_held_back_connection_closes_in_time() {
    let (_turnstile, wiring) = slow();
    let (line, mut socket) = wiring.open().await;
    for _ in 0..8 {
        socket.send(Frame::binary(vec![0; 10])).await.unwrap();
    }
    line.world.pass(1).await;
    assert!(line.port.vitals.read_paused());
    line.manager.close(CloseReason::Shutdown);
    let (report, close) = tokio::join!(line.end(), async {
        let close = read_to_close(&mut socket).await.0;
        let _ = socket.flush().await;
        close
    });
    assert_eq!(
        (report.reason, close.unwrap().0),
        (CloseReason::Shutdown, 1_012)
    );
    assert!(report.echoed_after.is_some());
}

/// A pipe that is full and a client that does not read.
fn unread() -> (Line, DuplexStream) {
    let wiring = Wiring {
        pipe_bytes: 256,
        config: Config {
            outbox_bytes_max: 10_000,
            ..Config::default()
        },
        ..Wiring::default()
    };
    wiring.bare()
}

/// By the stall time: the head of the outbox waits too long. Z8: on the way it is stalled.
#[tokio::test(start_paused = true)]
async fn z8_a_client_that_does_not_read_is_stalled_then_closed() {
    let (line, _far) = unread();
    let push = || {
        line.port.send(
            line.world.clock.now(),
            Message::Binary(vec![0; 1_000].into()),
        )
    };
    push().unwrap();
    line.world.pass(5).await;
    let evidence = judge(&line.port, &line.session.health, line.world.clock.now());
    assert_eq!(evidence.health, Health::Stalled);
    push().unwrap();
    line.world.pass(54).await;
    assert!(!line.port.is_closing());
    let start = line.world.clock.now();
    let clock = line.world.clock.clone();
    let report = line.port.ended().await;
    assert_eq!(
        (report.reason, report.aborted),
        (CloseReason::SlowConsumer, true)
    );
    assert_eq!(
        clock.now().since(start),
        Duration::from_secs(1 + 2),
        "60 s, and the close deadline"
    );
}

/// By bytes: at once, also while the connection's task hangs in a write.
#[tokio::test(start_paused = true)]
async fn a_client_that_takes_too_much_is_closed_at_once() {
    let (line, _far) = unread();
    let push = || {
        line.port.send(
            line.world.clock.now(),
            Message::Binary(vec![0; 1_000].into()),
        )
    };
    push().unwrap();
    line.world.pass(1).await;
    for _ in 0..9 {
        push().unwrap();
    }
    let start = line.world.clock.now();
    assert!(push().is_err());
    let clock = line.world.clock.clone();
    let report = line.port.ended().await;
    assert_eq!(
        (report.reason, report.aborted),
        (CloseReason::SlowConsumer, true)
    );
    assert_eq!(clock.now().since(start), line.session.config.close_deadline);
    assert_eq!(
        line.port.outbox.queued().bytes,
        0,
        "what waited is forgotten"
    );
}

/// R7: one of three does not read, two get everything, nobody waits. R6: a send to one that ends
/// ends too.
#[tokio::test(start_paused = true)]
async fn r6_r7_one_broken_of_three_costs_the_others_nothing() {
    let (line, mut peer_socket) = unread();
    let mut readers = Vec::new();
    for device in ["one", "two"] {
        let (near, peer_socket) = tokio::io::duplex(64 * 1_024);
        let permit = line.world.permit("ann", 0);
        connect(
            &line.world,
            &line.session,
            permit,
            device,
            near,
            false,
            Bytes::new(),
        );
        readers.push(Socket::from_raw_socket(peer_socket, Role::Client, None).await);
    }
    let message = Message::Text("x".repeat(900).into());
    let start = line.world.clock.now();
    let mut taken = Vec::new();
    for _ in 0..13 {
        taken.push(line.manager.broadcast(&message, None));
        settle().await;
    }
    assert_eq!((taken[0], taken[12]), (3, 2), "{taken:?}");
    assert_eq!(line.world.clock.now(), start, "nobody waited");
    for reader in &mut readers {
        for _ in 0..13 {
            assert_eq!(reader.next().await.unwrap().unwrap().len(), 900);
        }
    }
    line.port.ended().await;
    settle().await;
    assert_eq!(
        (
            line.manager.ports().len(),
            line.manager.broadcast(&message, None)
        ),
        (2, 2)
    );
    assert!(line.manager.send(line.port.id, message).is_err());
    drop(tokio::io::AsyncWriteExt::shutdown(&mut peer_socket).await);
}
