//! Z5, Z6, Z14: what the heartbeat finds out, and when.

use tokio::io::AsyncReadExt;

use super::*;
use crate::health::{judge, probe_round};
use crate::testing::key;
use crate::testing::user;
use wastegate_core::types::Health;

fn health(line: &Line) -> Health {
    judge(&line.port, &line.session.health, line.world.clock.now()).health
}

/// Z6: a peer that answers is alive however long it says nothing.
#[tokio::test(start_paused = true)]
async fn z6_who_answers_is_alive_however_quiet() {
    let (line, mut socket) = Wiring::default().open().await;
    let reading = line.world.tasks.spawn("client", async move {
        while socket.next().await.is_some_and(|frame| frame.is_ok()) {}
    });
    for _ in 0..20 {
        line.world.pass(121).await;
        assert_eq!(health(&line), Health::Alive);
        assert_eq!(line.port.vitals.missed(), 0);
    }
    assert!(line.port.vitals.pong_stats().samples > 90, "one every 25 s");
    assert_eq!(line.manager.activity().count(), 0, "a pong is no activity");
    assert!(!reading.is_finished());
}

/// Z14: pings at 25, 50, 75 and 100 s; each is missed 8 s later. None or one miss is healthy, two
/// or three are suspect, with four it is gone for good.
#[tokio::test(start_paused = true)]
async fn z14_misses_make_a_verdict() {
    let (line, _far) = Wiring::default().bare();
    let timeline = [
        (30, 0, Health::Alive),
        (34, 1, Health::Unknown),
        (57, 1, Health::Unknown),
        (59, 2, Health::Suspect),
        (84, 3, Health::Suspect),
        (107, 3, Health::Suspect),
        (109, 4, Health::Dead),
    ];
    let mut now = 0;
    for (at, missed, verdict) in timeline {
        line.world.pass(at - now).await;
        now = at;
        assert_eq!(
            (line.port.vitals.missed(), health(&line)),
            (missed, verdict),
            "at {at} s"
        );
    }
}

/// Two misses and a failed probe are half-open at once; a minute of silence is dead.
#[tokio::test(start_paused = true)]
async fn z5_a_probe_settles_a_doubt() {
    let (line, _far) = Wiring::default().bare();
    let manager = line.world.registry.get(&user("ann"), &key(0)).unwrap();
    tokio::time::sleep(Duration::from_millis(58_100)).await;
    assert_eq!(health(&line), Health::Suspect);
    // The miss is a moment old, which counts as asked; not for us.
    let config = crate::health::Config {
        evidence_age: Duration::ZERO,
        ..line.session.health.clone()
    };
    let round = probe_round(&[manager], &line.world.clock, &config).await;
    assert_eq!((round.asked, round.answered), (1, 0));
    assert_eq!(health(&line), Health::HalfOpen);
    line.world.pass(2).await;
    assert_eq!(health(&line), Health::Dead);
}

/// A ping that was answered with other bytes was not answered; they are a sign of life all the
/// same, but no round trip.
#[tokio::test(start_paused = true)]
async fn a_forged_pong_is_no_answer() {
    use tokio::io::AsyncWriteExt;

    let (line, mut peer_socket) = Wiring::default().bare();
    line.world.pass(25).await;
    let mut ping = vec![0; 10];
    peer_socket.read_exact(&mut ping).await.unwrap();
    assert_eq!((ping[0], ping[1]), (0x89, 8), "a nonce of eight bytes");
    peer_socket
        .write_all(&raw_frame(0x8a, b"forgery!"))
        .await
        .unwrap();
    settle().await;
    let vitals = &line.port.vitals;
    assert_eq!((vitals.pong_at(), vitals.rtt_ms()), (None, None));
    assert_eq!(vitals.received_at(), line.world.clock.now());
    tokio::time::sleep(Duration::from_millis(30)).await;
    peer_socket
        .write_all(&raw_frame(0x8a, &ping[2..]))
        .await
        .unwrap();
    settle().await;
    assert_eq!(vitals.rtt_ms(), Some(30.0));
    peer_socket
        .write_all(&raw_frame(0x8a, &ping[2..]))
        .await
        .unwrap();
    settle().await;
    assert_eq!(vitals.pong_stats().samples, 1, "a nonce counts once");
}

/// A ping in the middle of somebody's message: half a frame is a sign of life.
#[tokio::test(start_paused = true)]
async fn half_a_frame_is_a_sign_of_life() {
    use tokio::io::AsyncWriteExt;

    let (line, mut peer_socket) = Wiring::default().bare();
    line.world.pass(20).await;
    peer_socket
        .write_all(&raw_frame(0x81, b"whole")[..3])
        .await
        .unwrap();
    settle().await;
    assert_eq!(line.port.vitals.received_at(), line.world.clock.now());
    assert_eq!(line.manager.activity().count(), 0);
}

/// A probe is sent at once, between heartbeats, and answered within a round trip.
#[tokio::test(start_paused = true)]
async fn a_probe_does_not_wait_for_the_heartbeat() {
    let (line, mut socket) = Wiring::default().open().await;
    let _reading = line.world.tasks.spawn("client", async move {
        while socket.next().await.is_some_and(|frame| frame.is_ok()) {}
    });
    line.world.pass(1).await;
    let start = line.world.clock.now();
    let managers = line.world.registry.all();
    let round = probe_round(&managers, &line.world.clock, &line.session.health).await;
    assert_eq!((round.asked, round.answered), (1, 1));
    assert_eq!(
        (line.world.clock.now(), health(&line)),
        (start, Health::Alive)
    );
}
