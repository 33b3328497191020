//! Backends at their worst.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::{Error, Message};
use wastegate_core::decision::VictimOutcome;
use wastegate_tests::harness::program::{python, script};
use wastegate_tests::harness::{Program, until, within};

use super::{Scene, raw};
use crate::gateway::{close, connect, in_front_of, text, try_connect};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_does_not_upgrade_is_a_status() {
    let mut scene = Scene::start().await;
    for (how, status) in [
        ("refuses", 403),
        ("overloaded", 503),
        ("garbage", 502),
        // More than 16 KiB of head, and more than 64 headers.
        ("long-head", 502),
        ("many-headers", 502),
        ("never-final", 504),
        ("half-head", 504),
        ("says-nothing", 504),
    ] {
        let (answer, ()) = tokio::join!(try_connect(&scene.server, how, ""), async {
            scene.bystander.echo("meanwhile").await
        });
        match answer {
            Err(Error::Http(response)) => assert_eq!(response.status(), status, "{how}"),
            other => panic!("{how}: {other:?}"),
        }
    }
    scene.undisturbed().await;
    scene.comes_back().await;
}

/// Late, but within its deadline: its client waits, and is let in like any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_backend_is_waited_for() {
    let mut scene = Scene::start().await;
    let server = &scene.server;
    let late = async {
        // It holds its slot while it waits.
        server.holds("ann", 1).await;
        scene.bystander.echo("meanwhile").await;
        scene.backend.go_on();
    };
    let (mut client, ()) = tokio::join!(connect(server, "slow"), late);
    client.send(Message::text("at last")).await.unwrap();
    assert_eq!(text(&mut client).await, "at last");
    drop(client);
    scene.comes_back().await;
}

/// A process that is killed, and one that comes back at its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_killed_ends_its_clients_and_may_come_back() {
    let start = async |port: u16| {
        let arguments = [
            script("echo_backend.py").into_os_string(),
            port.to_string().into(),
        ];
        let mut backend = Program::start(python(), &arguments);
        let address = backend.line().await.parse().unwrap();
        (backend, address)
    };
    let (mut backend, address): (_, std::net::SocketAddr) = start(0).await;
    let server = in_front_of(address, 4).await;
    drop(connect(&server, "warm-up").await);
    server.holds("ann", 0).await;
    // Listeners and background workers; what lingers of the warm-up may be counted.
    let tasks = server.tasks.running();
    let mut clients = [connect(&server, "a").await, connect(&server, "b").await];
    for client in &mut clients {
        client.send(Message::text("here")).await.unwrap();
        assert_eq!(text(client).await, "here");
    }
    backend.kill();
    for client in &mut clients {
        assert_eq!(close(client).await.0, 1_011);
    }
    server.holds("ann", 0).await;
    let refused = try_connect(&server, "c", "").await.unwrap_err();
    assert!(matches!(refused, Error::Http(response) if response.status() == 502));

    let (_backend, again) = start(address.port()).await;
    assert_eq!(again, address);
    let mut client = connect(&server, "d").await;
    client.send(Message::text("back")).await.unwrap();
    assert_eq!(text(&mut client).await, "back");
    drop((client, clients));
    server.holds("ann", 0).await;
    until("tasks to end", || server.tasks.running() <= tasks).await;
}

/// It was upgraded and reads nothing: its client is slowed down, and after a while told why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hung_backend_slows_its_client_down_and_is_given_up() {
    let mut scene = Scene::start().await;
    let client = connect(&scene.server, "hung").await;
    let (mut says, mut hears) = client.split();
    let message = Message::binary(vec![7; 32 * 1_024]);
    let saying = async {
        let mut said = 0;
        while says.send(message.clone()).await.is_ok() {
            said += message.len();
        }
        said
    };
    let hearing = async {
        loop {
            match hears.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return u16::from(frame.code),
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    let (said, code, ()) = within("the end", async {
        tokio::join!(saying, hearing, async {
            scene.bystander.echo("meanwhile").await;
        })
    })
    .await;
    assert_eq!(code, 1_011);
    // What four kernel buffers take, and not what a client can say in a second.
    assert!(said < 32 * 1_024 * 1_024, "{said}");
    scene.ended("upstream-gone", 1.0).await;
    drop((says, hears));
    scene.undisturbed().await;
    scene.comes_back().await;
}

/// A client that is there is known to be, although its backend does not let it finish.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hung_backend_does_not_make_its_client_look_dead() {
    let mut scene = Scene::of(1).await;
    let mut events = scene.server.events();
    let client = connect(&scene.server, "hung").await;
    let (mut says, mut hears) = client.split();
    let message = Message::binary(vec![7; 32 * 1_024]);
    let saying = async { while says.send(message.clone()).await.is_ok() {} };
    let hearing = async { while let Some(Ok(_)) = hears.next().await {} };
    let paused = || {
        let manager = scene.server.manager("ann", "hung");
        manager.is_some_and(|m| m.ports().iter().all(|port| port.vitals.read_paused()))
    };
    let entering = async {
        until("the client to be slowed down", paused).await;
        let mut newcomer = scene.server.enter("ann", "newcomer").await;
        newcomer.echo("in").await;
        let decided = events.decided().await;
        newcomer.leave().await;
        decided
    };
    let ((), (), decided) = tokio::join!(saying, hearing, entering);
    let victims = decided.plan.victims();
    assert_eq!(victims[0].key.as_str(), "hung");
    assert!(
        matches!(decided.outcomes[..], [VictimOutcome::Echoed { .. }]),
        "{:?} of {victims:?}",
        decided.outcomes
    );
    drop((says, hears));
    scene.undisturbed().await;
    scene.comes_back().await;
}

/// Bytes that are no frames, and the end of a connection in the middle of one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_sends_no_frames_is_given_up() {
    let mut scene = Scene::start().await;
    let mut client = connect(&scene.server, "no-frames").await;
    client.send(Message::text("well?")).await.unwrap();
    assert_eq!(close(&mut client).await.0, 1_011);
    scene.ended("upstream-gone", 1.0).await;
    scene.undisturbed().await;
    scene.comes_back().await;
}

/// There is no place for our ping inside of a frame, so who receives a long one is not taken for dead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_in_the_middle_of_a_long_frame_is_not_judged() {
    let backend = super::Backend::start().await;
    let server = super::setup(&backend)
        .with(|config| config.connection.stall_max = Duration::from_secs(30))
        .start()
        .await;
    let mut client = raw(&server, "ann", "long-frame").await;
    let mut inside = [0; 504];
    client.read_exact(&mut inside).await.unwrap();
    let ports = server.manager("ann", "long-frame").unwrap().ports();
    let vitals = &ports[0].vitals;
    let dead_after = Duration::from_millis(1_500);
    until("longer than a dead one may be silent", || {
        server.now().since(vitals.received_at()) > 2 * dead_after
    })
    .await;
    assert_eq!(vitals.missed(), 0);
    for verdict in ["suspect", "half-open", "dead"] {
        assert_eq!(server.count_of(verdict).await, 0, "{verdict}");
    }
    let before = vitals.received_at();
    backend.go_on();
    // Our ping comes right behind the frame.
    let mut rest = [0; 500 + 10];
    client.read_exact(&mut rest).await.unwrap();
    let (end, ping) = rest.split_at(500);
    assert_eq!((end, &ping[..2]), (&[b'x'; 500][..], &[0x89, 8][..]));
    let pong = [&[0x8a, 0x88, 0, 0, 0, 0], &ping[2..]].concat();
    client.write_all(&pong).await.unwrap();
    until("the pong", || vitals.received_at() > before).await;
    assert!(vitals.rtt_ms().unwrap() < 1_000.0, "{:?}", vitals.rtt_ms());
}

/// Nobody can be asked anything while a frame does not end, so the backend that began it has to go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_never_ends_its_frame_is_given_up() {
    let mut scene = Scene::start().await;
    let mut client = raw(&scene.server, "ann", "half-frame").await;
    let mut all = Vec::new();
    let reading = client.read_to_end(&mut all);
    within("the end", reading).await.unwrap();
    // Inside of a frame nothing can be said.
    assert_eq!(all.len(), 504);
    scene.ended("upstream-gone", 1.0).await;
    scene.undisturbed().await;
    scene.comes_back().await;
}

/// Its machine is gone, and nothing ever comes of it again: not even while nobody says anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_vanishes_without_a_word_is_noticed() {
    let mut scene = Scene::start().await;
    let mut client = connect(&scene.server, "vanished").await;
    let told = within("the end", close(&mut client)).await;
    assert_eq!(told.0, 1_011);
    scene.ended("upstream-gone", 1.0).await;
    scene.undisturbed().await;
    scene.comes_back().await;
}

/// A backend that says why and hangs up at once, in the middle of what its client says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_words_of_a_backend_are_handed_on() {
    let mut scene = Scene::start().await;
    for _ in 0..20 {
        let client = connect(&scene.server, "last-words").await;
        let (mut says, mut hears) = client.split();
        let message = Message::binary(vec![7; 32 * 1_024]);
        let saying = async { while says.send(message.clone()).await.is_ok() {} };
        let hearing = async {
            let mut told = None;
            while let Some(Ok(message)) = hears.next().await {
                if let Message::Close(Some(frame)) = message {
                    told = Some((u16::from(frame.code), frame.reason.to_string()));
                }
            }
            told
        };
        let ((), told) = within("the end", async { tokio::join!(saying, hearing) }).await;
        assert_eq!(told, Some((4_321, "as told it".to_owned())));
        scene.server.holds("ann", 0).await;
    }
    scene.undisturbed().await;
    scene.ended("upstream-closed", 20.0).await;
    scene.comes_back().await;
}
