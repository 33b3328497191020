//! Z: from observations to verdicts.

use std::time::Duration;

use super::*;
use crate::manager::Message;
use wastegate_core::types::CloseReason;

fn alone() -> (World, Client) {
    let world = Setup::default().build();
    let client = world.connect("ann", 0, Peer::Silent);
    (world, client)
}

/// Z14: none or one miss is healthy, two or three are suspect, more are half-open; one byte clears
/// them all.
#[tokio::test(start_paused = true)]
async fn z14_misses_and_their_verdicts() {
    let (world, client) = alone();
    world.pass(20).await;
    let expected = [
        Health::Alive,
        Health::Alive,
        Health::Suspect,
        Health::Suspect,
        Health::HalfOpen,
    ];
    for (misses, expected) in expected.into_iter().enumerate() {
        assert_eq!(world.judged(&client).health, expected, "{misses} misses");
        client.miss(1, world.clock.now());
    }
    client.port.vitals.hear(world.clock.now());
    assert_eq!(world.judged(&client).health, Health::Alive);
}

/// A verdict that rests on misses is as old as the last of them.
#[tokio::test(start_paused = true)]
async fn evidence_has_an_age() {
    let (world, client) = alone();
    client.miss(2, world.clock.now());
    let missed_at = world.clock.now();
    world.pass(7).await;
    let evidence = world.judged(&client);
    assert_eq!((evidence.health, evidence.at), (Health::Suspect, missed_at));
    client.port.vitals.probe_failed(world.clock.now());
    let evidence = world.judged(&client);
    assert_eq!(
        (evidence.health, evidence.at),
        (Health::HalfOpen, world.clock.now())
    );
}

#[tokio::test(start_paused = true)]
async fn a_minute_of_silence_makes_half_open_dead() {
    let (world, client) = alone();
    client.miss(4, world.clock.now());
    world.pass(59).await;
    assert_eq!(world.judged(&client).health, Health::HalfOpen);
    world.pass(1).await;
    assert_eq!(world.judged(&client).health, Health::Dead);
}

/// Silence that nobody asked about is not death.
#[tokio::test(start_paused = true)]
async fn z10_silence_without_a_question_is_unknown() {
    let (world, client) = alone();
    world.pass(24 * 3_600).await;
    let evidence = world.judged(&client);
    assert_eq!(
        (evidence.health, evidence.source),
        (Health::Unknown, EvidenceSource::None)
    );
}

/// B11: one that was heard when its pong was overdue answers no ping, so that more of them say nothing;
/// until then, and once it has answered, it is judged as everybody.
#[tokio::test(start_paused = true)]
async fn b11_who_ignores_pings_is_judged_by_its_traffic() {
    let (world, client) = alone();
    let vitals = &client.port.vitals;
    vitals.ping_sent(world.clock.now());
    client.miss(4, world.clock.now());
    world.pass(8).await;
    assert_eq!(world.judged(&client).health, Health::HalfOpen);
    vitals.hear(world.clock.now());
    let ignoring = |vitals: &crate::manager::Vitals| {
        client.miss(4, world.clock.now());
        vitals.probe_failed(world.clock.now());
        let evidence = world.judged(&client);
        (evidence.health, evidence.source)
    };
    let traffic = EvidenceSource::Traffic;
    world.pass(33).await;
    assert_eq!(ignoring(vitals), (Health::Alive, traffic));
    world.pass(600).await;
    assert_eq!(ignoring(vitals), (Health::Unknown, traffic));
    vitals.pong(world.clock.now());
    assert_eq!(ignoring(vitals), (Health::Dead, EvidenceSource::Ping));
}

/// B11: a failed probe says little of a client whose answers take longer, until they are overdue by its
/// own measure.
#[tokio::test(start_paused = true)]
async fn b11_a_probe_that_was_too_short_is_weak_evidence() {
    let (world, client) = alone();
    let vitals = &client.port.vitals;
    for _ in 0..3 {
        vitals.ping_sent(world.clock.now());
        world.pass(4).await;
        vitals.hear(world.clock.now());
        vitals.pong(world.clock.now());
    }
    world.pass(5).await;
    vitals.ping_sent(world.clock.now());
    for (seconds, expected) in [
        (1, Health::Unknown),
        (5, Health::Unknown),
        (1, Health::Suspect),
    ] {
        world.pass(seconds).await;
        vitals.probe_failed(world.clock.now());
        // However often it is asked again meanwhile.
        vitals.ping_sent(world.clock.now());
        assert_eq!(world.judged(&client).health, expected);
    }
    vitals.hear(world.clock.now());
    assert_eq!(world.judged(&client).health, Health::Alive);
}

/// Z8: a client that does not read is stalled within the limit, whatever else it answers.
#[tokio::test(start_paused = true)]
async fn z8_an_old_head_of_the_outbox_is_stalled() {
    let (world, client) = alone();
    client
        .port
        .send(world.clock.now(), Message::Text("x".into()))
        .unwrap();
    for (seconds, expected) in [(4, Health::Alive), (1, Health::Stalled)] {
        world.pass(seconds).await;
        client.port.vitals.hear(world.clock.now());
        assert_eq!(world.judged(&client).health, expected);
    }
    client.port.outbox.take();
    client.port.outbox.written();
    assert_eq!(world.judged(&client).health, Health::Alive);
}

/// Z1: connections that have ended speak for nobody.
#[tokio::test(start_paused = true)]
async fn z1_ended_connections_are_dead() {
    let (world, client) = alone();
    client.port.report_end(crate::manager::EndReport {
        reason: CloseReason::ClientGone,
        echoed_after: None,
        aborted: false,
        undecided: false,
    });
    let assessment = assess(&client.manager, &world.health, world.clock.now());
    assert_eq!(assessment.evidence.health, Health::Dead);
    assert_eq!(
        (assessment.connections, assessment.connections_alive),
        (1, 0)
    );
}

/// The best connection speaks for its manager.
#[tokio::test(start_paused = true)]
async fn the_best_connection_speaks() {
    let (world, bad) = alone();
    let good = world.attach_as("second", world.permit("ann", 0), Peer::Silent);
    bad.miss(4, world.clock.now());
    let assess = || assess(&bad.manager, &world.health, world.clock.now());
    assert_eq!(assess().evidence.health, Health::Alive);
    assert_eq!((assess().connections, assess().connections_alive), (2, 1));
    good.miss(2, world.clock.now());
    assert_eq!(assess().evidence.health, Health::Suspect);
}

/// Suspicion never falls while the silence lasts: not after a miss, and not when the next ping goes
/// out.
#[tokio::test(start_paused = true)]
async fn phi_grows_with_the_silence() {
    let (world, client) = alone();
    let vitals = &client.port.vitals;
    for _ in 0..10 {
        vitals.ping_sent(world.clock.now());
        tokio::time::sleep(Duration::from_millis(100)).await;
        vitals.hear(world.clock.now());
        vitals.pong(world.clock.now());
    }
    let mut last = 0.0;
    for second in 0..40 {
        match second {
            0 | 25 => vitals.ping_sent(world.clock.now()),
            8 | 33 => vitals.miss(world.clock.now()),
            _ => {}
        }
        let phi = assess(&client.manager, &world.health, world.clock.now())
            .phi
            .unwrap();
        assert!(phi >= last, "{phi} after {last} at {second} s");
        last = phi;
        world.pass(1).await;
    }
    assert!(last > 8.0, "{last}");
}

/// Z14: slow answers are degraded from 200 ms on and poor from 500 ms on.
#[test]
fn z14_slow_answers_have_a_quality() {
    let quality = |rtt_ms| LinkQuality::of(rtt_ms, &Config::default());
    let qualities = [None, Some(199.9), Some(200.0), Some(499.9), Some(500.0)].map(quality);
    use LinkQuality::{Degraded, Good, Poor};
    assert_eq!(qualities, [Good, Good, Degraded, Degraded, Poor]);
}
