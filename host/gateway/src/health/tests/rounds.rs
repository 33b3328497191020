//! Rounds of probes: parallel, under one deadline, and without a trace.

use std::time::Duration;

use super::*;

async fn round(world: &World) -> Round {
    probe_round(&world.registry.all(), &world.clock, &world.health).await
}

/// Z5: six of ten hang; all of them are found, and nobody else.
#[tokio::test(start_paused = true)]
async fn z5_every_hanging_peer_is_found_and_no_other() {
    let world = Setup::default().build();
    let answers = Peer::Answers(Duration::from_millis(40));
    let mut clients = Vec::new();
    for number in 0..10 {
        let peer = if number < 6 { Peer::Silent } else { answers };
        for device in ["one", "two"] {
            clients.push((
                number < 6,
                world.attach_as(device, world.permit("ann", number), peer),
            ));
        }
    }
    for (_, client) in &clients {
        client.miss(2, world.clock.now());
    }
    world.pass(10).await;
    let start = world.clock.now();
    let round = round(&world).await;
    assert_eq!((round.asked, round.answered), (20, 8));
    assert_eq!(
        world.clock.now().since(start),
        world.health.probe_deadline,
        "in parallel"
    );
    for (hangs, client) in &clients {
        let expected = if *hangs {
            Health::HalfOpen
        } else {
            Health::Alive
        };
        assert_eq!(world.judged(client).health, expected);
    }
}

/// As soon as everybody has answered it is over.
#[tokio::test(start_paused = true)]
async fn a_round_takes_one_round_trip() {
    let world = Setup::default().build();
    world.fill("ann", 0..20, Peer::Answers(Duration::from_millis(40)));
    world.pass(1).await;
    let start = world.clock.now();
    assert_eq!(round(&world).await.answered, 20);
    assert_eq!(world.clock.now().since(start), Duration::from_millis(40));
}

/// A round is bounded: who is left out keeps what is known of it.
#[tokio::test(start_paused = true)]
async fn a_round_asks_no_more_than_it_may() {
    let mut setup = Setup::default();
    setup.health.probe_connections_max = 3;
    let world = setup.build();
    let clients = world.fill("ann", 0..5, Peer::Silent);
    world.pass(1).await;
    let round = round(&world).await;
    assert_eq!((round.asked, round.left_out), (3, 2));
    let unasked = clients
        .iter()
        .filter(|client| world.judged(client).health == Health::Alive);
    assert_eq!(unasked.count(), 2);
}

/// An answer that comes while we do not read is none, and its absence says nothing.
#[tokio::test(start_paused = true)]
async fn who_is_held_back_is_not_blamed() {
    let world = Setup::default().build();
    let client = world.connect("ann", 0, Peer::Silent);
    client.port.vitals.set_read_paused(true);
    world.pass(1).await;
    assert_eq!(round(&world).await.answered, 0);
    assert_eq!(client.port.vitals.probe_failed_at(), None);
    assert_eq!(world.judged(&client).health, Health::Unknown);
}

/// An answer in the very instant of the question is an answer.
#[tokio::test(start_paused = true)]
async fn an_answer_in_the_same_instant_counts() {
    let world = Setup::default().build();
    let client = world.connect("ann", 0, Peer::Answers(Duration::ZERO));
    world.pass(60).await;
    settle().await;
    client.port.vitals.hear(world.clock.now());
    let start = world.clock.now();
    assert_eq!(round(&world).await.answered, 1);
    assert_eq!(world.clock.now(), start);
}

/// Failure mode 24: asking is no activity, and moves nothing but the evidence.
#[tokio::test(start_paused = true)]
async fn a_round_touches_no_activity() {
    let world = Setup::default().build();
    let client = world.connect("ann", 0, Peer::Answers(Duration::from_millis(5)));
    world.pass(60).await;
    let before = client.manager.activity();
    for _ in 0..5 {
        round(&world).await;
    }
    assert_eq!(client.manager.activity(), before);
    assert_eq!(client.manager.totals(), (0, 0, 0));
}
