//! Clients at their worst.

use futures_util::SinkExt;
use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;
use wastegate_tests::harness::{until, within};

use super::backend::cut;
use super::{Scene, raw};
use crate::gateway::{close, connect, text};

/// The limit of `connection::relay`.
const FRAGMENTS_MAX: usize = 4_096;

/// A message of one letter a frame, as a client sends it; the mask is nothing.
fn in_pieces(letters: usize) -> Vec<u8> {
    let frame = |at: usize| {
        let opcode = u8::from(at == 0);
        let last = if at + 1 == letters { 0x80 } else { 0 };
        [last | opcode, 0x81, 0, 0, 0, 0, b'x']
    };
    (0..letters).flat_map(frame).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_in_as_many_pieces_as_may_be_passes_and_one_more_does_not() {
    let mut scene = Scene::start().await;
    let mut client = connect(&scene.server, "pieces").await;
    let pieces = in_pieces(FRAGMENTS_MAX);
    client.get_mut().write_all(&pieces).await.unwrap();
    assert_eq!(text(&mut client).await, "x".repeat(FRAGMENTS_MAX));
    scene.undisturbed().await;

    let pieces = in_pieces(FRAGMENTS_MAX + 1);
    client.get_mut().write_all(&pieces).await.unwrap();
    assert_eq!(close(&mut client).await.0, 1_008);
    scene.ended("policy-violation", 1.0).await;
    scene.comes_back().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_pings_is_ended() {
    let mut scene = Scene::start().await;
    let mut client = connect(&scene.server, "pings").await;
    let pings = [0x89, 0x80, 0, 0, 0, 0].repeat(500);
    // It may be told before all of them are sent.
    let _ = client.get_mut().write_all(&pings).await;
    assert_eq!(close(&mut client).await.0, 1_008);
    scene.ended("policy-violation", 1.0).await;
    scene.undisturbed().await;
    scene.comes_back().await;
}

/// It answers no ping from inside of its frame, so it is who goes when room is needed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_frame_for_ever_goes_when_room_is_needed() {
    let mut scene = Scene::start().await;
    let server = &scene.server;
    let mut healthy = server.enter("ann", "healthy").await;
    healthy.echo("first").await;
    let mut half = connect(server, "half").await;
    half.get_mut()
        .write_all(b"\x81\xfe\x01\x00abcdhalf")
        .await
        .unwrap();
    // The 101 is sent before the connection is attached.
    let missed = || {
        let ports = server.manager("ann", "half").unwrap().ports();
        ports.first().map_or(0, |port| port.vitals.missed())
    };
    until("some of its silence", || missed() >= 2).await;
    let mut third = server.enter("ann", "third").await;
    assert_eq!(close(&mut half).await.0, 4_001);
    healthy.echo("still").await;
    third.echo("in").await;
    drop(half);
    healthy.leave().await;
    third.leave().await;
    scene.undisturbed().await;
    scene.comes_back().await;
}

/// What it is sent does not pile up here: its backend is slowed down until it is given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_takes_nothing_is_given_up() {
    let mut scene = Scene::start().await;
    let client = connect(&scene.server, "flood").await;
    let ended = || scene.backend.heard("flood", "gone");
    until("its backend to be told", ended).await;
    scene.ended("slow-consumer", 1.0).await;
    drop(client);
    scene.undisturbed().await;
    scene.comes_back().await;
}

/// No FIN and no reset, as from a phone without a network: nothing is ever acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_vanishes_without_a_word_is_noticed() {
    let mut scene = Scene::start().await;
    let mut client = connect(&scene.server, "vanishes").await;
    client.send(Message::text("here")).await.unwrap();
    assert_eq!(text(&mut client).await, "here");
    cut(client.get_ref());
    let told = || scene.backend.heard("vanishes", "closed 1001");
    until("its backend to be told that it went away", told).await;
    scene.server.holds("ann", 0).await;
    scene.ended("client-gone", 1.0).await;
    // It never heard of it.
    let heard = client.get_ref().try_read(&mut [0]);
    assert!(heard.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    scene.undisturbed().await;
    drop(client);
    scene.comes_back().await;
}

/// All of them at once, over and over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_them_at_once_leave_nothing() {
    const WORST: [&str; 6] = [
        "hung",
        "flood",
        "vanished",
        "half-frame",
        "no-frames",
        "last-words",
    ];
    let mut scene = Scene::start().await;
    for _ in 0..3 {
        let server = &scene.server;
        let clients = join_all(WORST.map(async |key| {
            let mut stream = raw(server, key, key).await;
            // An empty text.
            stream.write_all(b"\x81\x80\0\0\0\0").await.unwrap();
            stream
        }));
        let clients = within("all to be in", clients).await;
        scene.undisturbed().await;
        let server = &scene.server;
        drop(clients);
        until("all to be gone", || server.registry.total() == 1).await;
    }
    scene.comes_back().await;
}
