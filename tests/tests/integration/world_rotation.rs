//! Rotation ends on the server, however many clients connect again and however fast: promise 5.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use wastegate_core::decision::Hold;
use wastegate_tests::harness::{Client, Dial, Setup, within};

use crate::moody::Backend;

const EVICTED_ALIVE: &str = "wastegate_cleanup_forced_responsive_total";

/// The rules that end rotation, as the product has them.
fn as_shipped(setup: Setup) -> Setup {
    setup.with(|config| {
        config.cleanup.force_per_user_max = 20;
        config.cleanup.displaced = Hold {
            first: Duration::from_secs(60),
            max: Duration::from_secs(600),
        };
        config.admission.takeovers_max = 5;
    })
}

/// Clients that connect again after a pause whatever they are told, until it is over. How often each was
/// let in. The pause between two attempts is what these clients are like.
async fn hasty(dials: Vec<Dial>, pause: Duration, lasting: Duration) -> Vec<u32> {
    let run = |dial: Dial| async move {
        let let_in = AtomicU32::new(0);
        let reconnecting = async {
            loop {
                if let Ok(mut client) = dial.clone().connect().await {
                    let_in.fetch_add(1, Ordering::SeqCst);
                    client.ended().await;
                }
                tokio::time::sleep(pause).await;
            }
        };
        let _ = tokio::time::timeout(lasting, reconnecting).await;
        let_in.load(Ordering::SeqCst)
    };
    join_all(dials.into_iter().map(run)).await
}

/// Six live clients on five places, each of which comes back whatever it is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w09_w10_one_tab_too_many_does_not_rotate_the_others() {
    let server = as_shipped(Setup::new().limit(5).short_goodbyes())
        .start()
        .await;
    let dials = (0..6).map(|number| server.dial("ann", &format!("k{number}")));
    let (pause, lasting) = (Duration::from_millis(50), Duration::from_secs(4));
    let let_in = hasty(dials.collect(), pause, lasting).await;
    assert!(let_in.iter().sum::<u32>() <= 6, "{let_in:?}");
    assert!(server.metric(EVICTED_ALIVE).await <= 1.0);
}

/// What was displaced is told so, in a code that says not to come back by itself, and by when.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w09_the_sixth_is_told_why() {
    let server = as_shipped(Setup::new().limit(5).short_goodbyes())
        .start()
        .await;
    let mut clients = server.fill("ann", 5).await;
    let _sixth = server.enter("ann", "k6").await;
    assert_eq!(clients.remove(0).closed().await, 4_501);
    let mut waits = Vec::new();
    for _ in 0..3 {
        let refusal = server.refused("ann", "k1").await;
        assert_eq!(refusal.kind(), (429, "displaced".to_owned()));
        waits.push(refusal.json()["retry_after_ms"].as_u64().unwrap());
    }
    assert_eq!(waits, [5_000, 10_000, 20_000]);
    // A free slot is anybody's.
    clients.remove(0).leave().await;
    server.holds("ann", 4).await;
    server.enter("ann", "k1").await;
}

/// Twenty-one with all defaults: what is lent for a while is lent before anybody goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w10_temporary_slots_come_before_force() {
    let setup = as_shipped(Setup::new()).with(|config| config.limits.temporary_slots = 25);
    let server = setup.start().await;
    let mut clients = server.fill("ann", 21).await;
    for client in &mut clients {
        client.echo("here").await;
    }
    assert_eq!(server.held("ann"), 21);
    assert!(server.metric(EVICTED_ALIVE).await < 1.0);
}

/// Three tabs on two places that come back at once: the server ends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w11_tabs_that_come_back_at_once_are_bounded_by_the_server() {
    let server = as_shipped(Setup::new().limit(2).short_goodbyes())
        .start()
        .await;
    let dials = (0..3).map(|number| server.dial("ann", &format!("k{number}")));
    let let_in = hasty(
        dials.collect(),
        Duration::from_millis(1),
        Duration::from_secs(3),
    )
    .await;
    assert!(let_in.iter().sum::<u32>() <= 4, "{let_in:?}");
}

/// The same with a new name at each attempt: the ration of the user ends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w11_new_names_are_rationed() {
    let setup = as_shipped(Setup::new().limit(2).short_goodbyes());
    let server = setup
        .with(|config| config.cleanup.force_per_user_max = 4)
        .start()
        .await;
    let mut inside: Vec<Client> = Vec::new();
    let mut refused = 0;
    for number in 0..20 {
        match server.dial("ann", &format!("new-{number}")).connect().await {
            Ok(client) => inside.push(client),
            Err(refusal) => {
                assert_eq!(refusal.kind(), (429, "user-limit".to_owned()));
                let wait = refusal.json()["retry_after_ms"].as_u64().unwrap();
                assert!(wait > 60_000, "until the ration is there again: {wait}");
                refused += 1;
            }
        }
    }
    assert_eq!((inside.len(), refused), (6, 14));
}

/// Two clients of one device, each of which takes the place of the other: damped by the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w12_a_fight_for_one_device_is_damped() {
    let backend = Backend::start().await;
    let server = as_shipped(backend.in_front()).start().await;
    let dial = || server.dial("ann", "k1").device("phone");
    let dials = vec![dial(), dial()];
    let (pause, lasting) = (Duration::from_millis(1), Duration::from_secs(3));
    let since = server.now();
    let let_in = hasty(dials, pause, lasting).await;
    // One that was there, five that are free, and one after each wait of 1 s, 2 s, 4 s, as many as there
    // was time for: on a busy machine this takes longer than it was to last.
    let took = server.now().since(since);
    let ends = [1, 3, 7, 15, 31, 63].map(Duration::from_secs);
    let waits = ends.iter().filter(|end| took >= **end).count();
    let most = u32::try_from(6 + waits).unwrap();
    assert!(let_in.iter().sum::<u32>() <= most, "{let_in:?}");
    assert!(backend.asked() <= 6 + waits, "{}", backend.asked());
    // The one that is there is taken over once more at the most before the next wait.
    let mut there = Vec::new();
    let refusal = within("a refusal", async {
        loop {
            match dial().connect().await {
                Ok(client) => there.push(client),
                Err(refusal) => return refusal,
            }
        }
    });
    assert_eq!(refusal.await.kind(), (429, "device-contested".to_owned()));
}
