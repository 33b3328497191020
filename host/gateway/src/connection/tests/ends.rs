//! Every way to end: one reason, one report, within the close deadline.

use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::*;
use crate::manager::Peer;
use crate::registry::Permit;
use crate::testing::{key, user};
use wastegate_core::types::{EvictionCause, Tier, Timestamp};

#[tokio::test(start_paused = true)]
async fn a_client_that_says_goodbye_is_answered() {
    let (line, mut socket) = Wiring::default().open().await;
    socket.close(None).await.unwrap();
    let (close, _) = read_to_close(&mut socket).await;
    assert_eq!(close, None, "the answer to a Close without a code has none");
    assert_eq!(line.end().await.reason, CloseReason::ClientClosed);
}

/// A page that is reloaded comes back: its manager waits for it.
#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_may_come_back() {
    let (line, mut socket) = Wiring::default().open().await;
    let frame = CloseFrame {
        code: CloseCode::Away,
        reason: "".into(),
    };
    socket.close(Some(frame)).await.unwrap();
    let registry = line.world.registry.clone();
    assert_eq!(line.end().await.reason, CloseReason::ClientLeft);
    assert_eq!(registry.total(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_cut_off_is_gone() {
    let (line, socket) = Wiring::default().open().await;
    drop(socket);
    let (registry, report) = (line.world.registry.clone(), line.end().await);
    assert_eq!(
        (report.reason, report.aborted),
        (CloseReason::ClientGone, false)
    );
    assert_eq!(registry.total(), 1, "for the grace");
}

async fn evicted(
    notices: bool,
    answers_after: Duration,
) -> (EndReport, Option<(u16, String)>, Vec<String>) {
    let wiring = Wiring {
        notices,
        ..Wiring::default()
    };
    let (line, mut socket) = wiring.open().await;
    settle().await;
    let cause = EvictionCause::Cleanup(Tier::Force);
    let (ann, key) = (user("ann"), key(0));
    line.world
        .registry
        .evict(&ann, &key, line.manager.id, cause, |_| true)
        .unwrap();
    let reading = async {
        let read = read_to_close(&mut socket).await;
        tokio::time::sleep(answers_after).await;
        // Sends the answer to the Close.
        let _ = socket.flush().await;
        while socket.next().await.is_some_and(|frame| frame.is_ok()) {}
        read
    };
    let reference = line.session.refs.of(line.port.id);
    let (report, (close, texts)) = tokio::join!(line.end(), reading);
    // Each is told the reference of its connection.
    let said = close.map(|(code, text)| {
        let sentence = text.strip_suffix(&format!(" (why {reference})"));
        (
            code,
            sentence.unwrap_or_else(|| panic!("{text}")).to_owned(),
        )
    });
    (report, said, texts)
}

/// Notices are for those who asked for them; a foreign protocol hears its Close and nothing else.
#[tokio::test(start_paused = true)]
async fn an_evicted_client_is_told_and_its_answer_is_seen() {
    let shown = Some((4_001, "evicted: room was needed".to_owned()));
    let reason = CloseReason::Evicted(EvictionCause::Cleanup(Tier::Force));
    let soon = Duration::from_millis(40);
    let (report, close, texts) = evicted(true, soon).await;
    assert_eq!(
        (report.reason, &close, report.aborted),
        (reason, &shown, false)
    );
    assert!(report.echoed_after.is_some());
    assert_eq!(texts, ["{\"wastegate\":\"evicting\",\"cause\":\"force\"}"]);
    let (report, close, texts) = evicted(false, soon).await;
    assert_eq!((report.reason, close, texts.len()), (reason, shown, 0));
}

/// J08: an answer that takes longer than the close deadline is an answer.
#[tokio::test(start_paused = true)]
async fn j08_an_evicted_client_that_answers_late_was_alive() {
    let late = Duration::from_millis(2_500);
    let (report, ..) = evicted(false, late).await;
    assert_eq!(
        (report.echoed_after, report.aborted, report.undecided),
        (Some(late), false, false)
    );
}

/// How a connection ends whose client is evicted and does not answer, behind a path of this round trip.
async fn evicted_and_silent(round_trip_ms: u64) -> EndReport {
    let (line, _far) = Wiring::default().bare();
    settle().await;
    let came = Timestamp::from_millis(round_trip_ms);
    line.port.vitals.pong_to(Timestamp::ZERO, came);
    let cause = EvictionCause::Cleanup(Tier::Force);
    let (ann, key) = (user("ann"), key(0));
    let registry = line.world.registry.clone();
    registry
        .evict(&ann, &key, line.manager.id, cause, |_| true)
        .unwrap();
    assert_eq!(registry.total(), 0, "its slot is free at once");
    line.end().await
}

/// J08: probe and Close measure the same path, so silence on a slow one shows nothing.
#[tokio::test(start_paused = true)]
async fn j08_silence_is_death_on_a_fast_path_and_undecided_on_a_slow_one() {
    let fast = evicted_and_silent(20).await;
    assert_eq!((fast.aborted, fast.undecided), (true, false));
    let slow = evicted_and_silent(3_500).await;
    assert_eq!((slow.aborted, slow.undecided), (true, true));
}

/// Failure mode 14b: a peer that does not answer is cut off at the deadline.
#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_answer_is_cut_off() {
    let (line, _far) = Wiring::default().bare();
    settle().await;
    line.port.close(CloseReason::Shutdown);
    let start = line.world.clock.now();
    let (clock, deadline) = (line.world.clock.clone(), line.session.config.close_deadline);
    line.port.ended().await;
    assert_eq!(clock.now().since(start), deadline);
    let report = line.end().await;
    assert_eq!(
        (report.reason, report.echoed_after, report.aborted),
        (CloseReason::Shutdown, None, true)
    );
}

/// The first reason stands, whoever comes second.
#[tokio::test(start_paused = true)]
async fn the_first_reason_stands() {
    let (line, mut socket) = Wiring::default().open().await;
    settle().await;
    line.port.close(CloseReason::ApplicationClosed);
    line.port.close(CloseReason::Shutdown);
    line.manager.close(CloseReason::ManagerClosed);
    let (close, _) = read_to_close(&mut socket).await;
    assert_eq!(close, Some((1_000, "closed by the application".to_owned())));
    drop(socket);
    assert_eq!(line.end().await.reason, CloseReason::ApplicationClosed);
}

fn join(line: &Line) -> Permit {
    line.world.permit("ann", 0)
}

#[tokio::test(start_paused = true)]
async fn a_newer_connection_of_the_device_takes_over() {
    let (line, mut socket) = Wiring::default().open().await;
    settle().await;
    let (near, peer_socket) = tokio::io::duplex(1_024);
    let permit = join(&line);
    let (newer, _) = connect(
        &line.world,
        &line.session,
        permit,
        "device",
        near,
        false,
        Bytes::new(),
    );
    let (close, _) = read_to_close(&mut socket).await;
    assert_eq!(close.unwrap().0, 4_500);
    drop(socket);
    let report = line.port.ended().await;
    assert_eq!((report.reason, newer.end()), (CloseReason::TakenOver, None));
    assert_eq!(line.manager.ports().len(), 1);
    drop(peer_socket);
}

struct Panics;

impl Application for Panics {
    async fn message(&self, _: &Arc<Manager>, _: Peer, _: Message) {
        panic!("as it was told to")
    }
}

#[tokio::test(start_paused = true)]
async fn a_panicking_handler_ends_in_1011() {
    let (line, mut socket) = Wiring::with_application(Panics).open().await;
    socket.send(Frame::text("boom")).await.unwrap();
    let (close, _) = read_to_close(&mut socket).await;
    assert_eq!(close, Some((1_011, "internal error".to_owned())));
    drop(socket);
    assert_eq!(line.end().await.reason, CloseReason::HandlerPanicked);
}

/// What the client sent right behind its request head is the first thing that is read.
#[tokio::test(start_paused = true)]
async fn bytes_behind_the_request_head_are_read() {
    let leftover = raw_frame(0x81, b"early").into();
    let (line, mut peer_socket) = Wiring {
        leftover,
        ..Wiring::default()
    }
    .bare();
    peer_socket.write_all(&raw_frame(0x88, &[])).await.unwrap();
    let manager = line.manager.clone();
    assert_eq!(line.end().await.reason, CloseReason::ClientClosed);
    assert_eq!((manager.activity().count(), manager.totals().0), (1, 5));
}
