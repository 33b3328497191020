//! Health: quiet is not dead, dead is found, and what cannot be known is not held against anyone.

use std::time::Duration;

use futures_util::future::join_all;
use wastegate::registry::Entrance;
use wastegate_core::decision::Class;
use wastegate_core::types::Tier::{Aggressive, Conservative, Moderate};
use wastegate_core::types::{ManagerKey, UserId};
use wastegate_tests::harness::{BUDGET, Client, Server, Setup, timed, until_async};

/// Waits until the stats count so many managers of a health.
async fn counted(server: &Server, health: &str, count: u64) {
    until_async(format!("{count} to be {health}"), async || {
        server.count_of(health).await == count
    })
    .await;
}

/// One manager as operators see it.
async fn view(server: &Server, key: &str) -> serde_json::Value {
    let user = server.get("/v1/users/ann").await.json();
    let managers = user["managers"].as_array().unwrap();
    managers
        .iter()
        .find(|manager| manager["key"] == key)
        .unwrap()
        .clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z1_managers_whose_sockets_are_closed_are_not_healthy() {
    let server = Setup::new().start().await;
    let mut clients = server.fill("ann", 5).await;
    clients.extend(
        join_all((1..=5).map(|n| server.dial("ann", &format!("k{n}")).connect()))
            .await
            .into_iter()
            .map(Result::unwrap),
    );
    until_async("ten connections", async || {
        server.stats().await["connections"] == 10
    })
    .await;
    assert_eq!(server.count_of("alive").await, 5);
    join_all(clients.into_iter().map(Client::vanish)).await;
    until_async("no connections", async || {
        server.stats().await["connections"] == 0
    })
    .await;
    assert_eq!(server.count_of("alive").await, 0);
    for number in 1..=5 {
        let view = view(&server, &format!("k{number}")).await;
        assert_eq!(
            (&view["standing"], &view["class"]),
            (&"detached".into(), &"detached".into())
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z4_the_silent_are_evicted_and_the_others_kept() {
    let server = Setup::new()
        .limit(10)
        .short_goodbyes()
        .only(&[Aggressive], 5)
        .start()
        .await;
    let mut clients = server.fill("ann", 10).await;
    let silent = clients.split_off(4);
    join_all(silent.iter().map(Client::silence)).await;
    let mut new = server.enter("ann", "new").await;
    assert_eq!(server.keys("ann"), ["k1", "k2", "k3", "k4", "new"]);
    join_all(clients.iter_mut().map(|client| client.echo("kept"))).await;
    new.echo("in").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z5_heartbeats_find_every_hung_manager_and_no_other() {
    let server = Setup::new().impatient().start().await;
    let first = server.fill("ann", 10).await;
    let second = join_all((1..=10).map(|n| server.dial("ann", &format!("k{n}")).connect())).await;
    let second: Vec<Client> = second.into_iter().map(Result::unwrap).collect();
    until_async("twenty connections", async || {
        server.stats().await["connections"] == 20
    })
    .await;
    for client in first.iter().take(6).chain(second.iter().take(6)) {
        client.silence().await;
    }
    until_async("six zombies", async || server.stats().await["zombies"] == 6).await;
    assert_eq!(server.count_of("alive").await, 4);
    for number in 7..=10 {
        assert_eq!(
            view(&server, &format!("k{number}")).await["health"],
            "alive"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z6_a_quiet_peer_that_answers_pings_is_kept() {
    let server = Setup::new()
        .limit(3)
        .impatient()
        .without_force()
        .start()
        .await;
    let mut clients = server.fill("ann", 3).await;
    // Twice as long as it takes for a silent peer to count as dead.
    until_async("three seconds without traffic", async || {
        view(&server, "k3").await["signals"]["idle-ms"]
            .as_f64()
            .unwrap()
            > 3_000.0
    })
    .await;
    assert_eq!(server.count_of("alive").await, 3);
    let refusal = server.refused("ann", "k4").await;
    assert_eq!(refusal.kind().0, 429);
    join_all(clients.iter_mut().map(|client| client.echo("still there"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z8_a_peer_that_never_reads_is_stalled_and_goes_before_the_idle() {
    let server = Setup::new()
        .limit(3)
        .short_goodbyes()
        .with(|config| {
            config.health.stalled_after = Duration::from_millis(300);
            config.connection.outbox_bytes_max = 64 << 20;
        })
        .start()
        .await;
    let mut clients = server.fill("ann", 2).await;
    let stalled = server
        .attach(server.dial("ann", "stalled").receive_buffer(4_096))
        .await;
    stalled.silence().await;
    stalled.say("/push 400 65536").await;
    counted(&server, "stalled", 1).await;
    let mut events = server.events();
    clients.push(server.enter("ann", "new").await);
    let decided = events.decided().await;
    assert_eq!(decided.question.tier, Aggressive);
    let [victim] = decided.plan.victims() else {
        panic!("{:?}", decided.plan);
    };
    assert_eq!(
        (victim.key.as_str(), victim.class),
        ("stalled", Class::Stalled)
    );
    join_all(clients.iter_mut().map(|client| client.echo("still there"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z9_known_dead_peers_are_not_probed_again() {
    let server = Setup::new().impatient().start().await;
    let clients = server.fill("ann", 20).await;
    join_all(clients.iter().map(Client::silence)).await;
    counted(&server, "dead", 20).await;
    let mut events = server.events();
    let (_, took) = server.dial("ann", "new").connect_timed().await.unwrap();
    assert!(took < BUDGET, "{took:?}");
    let happened = events.so_far();
    assert_eq!(
        happened.freed(),
        [(Conservative, 2)],
        "one that is needed, one in reserve"
    );
    assert!(
        happened.tiers.iter().all(|(_, round)| round.is_none()),
        "nobody was asked"
    );
}

/// Z9, promise 6: twenty peers that say nothing cost one round, not twenty.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z9_twenty_silent_peers_cost_one_round() {
    let server = Setup::new().short_goodbyes().start().await;
    let clients = server.fill("ann", 20).await;
    join_all(clients.iter().map(Client::silence)).await;
    let mut events = server.events();
    let (answer, took) = timed(server.dial("ann", "new").connect()).await;
    assert!(answer.is_ok());
    assert!(took < BUDGET, "{took:?}");
    let happened = events.so_far();
    assert_eq!(
        happened.freed(),
        [(Conservative, 0), (Moderate, 0), (Aggressive, 2)]
    );
    let round = happened.tiers.last().unwrap().1.unwrap();
    assert_eq!((round.asked, round.answered), (20, 0));
}

/// Z10: whoever we do not read cannot be heard. A full mailbox is our own doing, so its silence
/// says nothing about the peer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z10_a_peer_that_we_do_not_read_is_unknown_and_kept() {
    let server = Setup::new()
        .limit(2)
        .without_force()
        .impatient()
        .with(|config| {
            config.manager.mailbox_messages_max = 4;
            config.manager.stuck_after = Duration::from_secs(3_600);
        })
        .start()
        .await;
    let unread = server.enter("ann", "unread").await;
    unread.say("/busy 600000").await;
    for _ in 0..16 {
        unread.say("waits").await;
    }
    counted(&server, "unknown", 1).await;
    let mut other = server.enter("ann", "other").await;
    other.echo("here").await;
    let refusal = server.refused("ann", "new").await;
    assert!(refusal.took < BUDGET, "{:?}", refusal.took);
    assert_eq!(refusal.json()["tiers"][2]["eligible"], 0);
    assert_eq!(view(&server, "unread").await["health"], "unknown");
    assert!(unread.is_open());
}

/// A manager whose first connection is on its way.
fn newborn(server: &Server, key: &str) -> wastegate::registry::Permit {
    let (user, key) = (UserId::new("ann").unwrap(), ManagerKey::new(key).unwrap());
    match server.registry.enter(&user, &key, server.now()) {
        Entrance::Open(permit) => permit,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z11_a_manager_whose_first_socket_is_on_its_way_is_kept() {
    let server = Setup::new().limit(3).short_goodbyes().start().await;
    let mut clients = server.fill("ann", 2).await;
    let permit = newborn(&server, "newborn");
    let mut new = server.enter("ann", "new").await;
    let newborn = server.manager("ann", "newborn").expect("it is kept");
    assert_eq!(newborn.id, permit.manager().unwrap().id);
    assert_eq!(
        clients.remove(0).closed().await,
        4501,
        "one that had its time went"
    );
    new.echo("in").await;
}

/// Z11: where only newborns are left there is nobody to take, so it is waited for what becomes of
/// them: one that does not come after all is a free place at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z11_a_newborn_that_fails_makes_room_for_who_waits() {
    let server = Setup::new().limit(1).start().await;
    let permit = newborn(&server, "newborn");
    let dial = server.dial("ann", "new");
    let mut events = server.events();
    let (answer, ()) = tokio::join!(dial.connect(), async {
        // The tiers have looked, and there was nobody.
        while events.tier().await.0.tier != wastegate_core::types::Tier::Force {}
        drop(permit);
    });
    answer.unwrap().echo("in").await;
    assert_eq!(server.keys("ann"), ["new"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z12_a_newborn_that_never_attaches_goes_at_the_first_tier() {
    let server = Setup::new()
        .limit(1)
        .with(|config| config.manager.attach_grace = Duration::from_millis(100))
        .start()
        .await;
    let _never = newborn(&server, "never");
    wastegate_tests::harness::until("the grace to end", || {
        let manager = server.manager("ann", "never").unwrap();
        manager.standing(server.now()) == wastegate_core::decision::Standing::NeverAttached
    })
    .await;
    let mut events = server.events();
    let mut new = server.enter("ann", "new").await;
    assert_eq!(events.so_far().freed(), [(Conservative, 1)]);
    new.echo("in").await;
}

/// Z12, promise 2: a grace that ends while somebody waits for it lets them in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z12_a_grace_that_ends_within_the_budget_is_not_missed() {
    let server = Setup::new()
        .limit(1)
        .with(|config| config.manager.attach_grace = Duration::from_millis(700))
        .start()
        .await;
    let _never = newborn(&server, "never");
    let (mut new, took) = server.dial("ann", "new").connect_timed().await.unwrap();
    assert!(took < BUDGET, "{took:?}");
    new.echo("in").await;
}
