//! W05: the places of the node. Whoever is gone gives its own up, at once; whoever is there keeps it.

use wastegate_tests::harness::{BUDGET, Client, Server, Setup, until_async};

/// Places of the node.
const PLACES: usize = 10;

async fn full() -> (Server, Vec<Client>) {
    let server = Setup::new()
        .impatient()
        .with(|config| config.limits.connections_total = PLACES)
        .start()
        .await;
    let mut clients = Vec::new();
    for number in 0..PLACES {
        clients.push(server.enter(&format!("u{number}"), "k").await);
    }
    (server, clients)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w05_dead_sockets_of_others_make_room_for_a_new_user() {
    let (server, clients) = full().await;
    for client in &clients {
        client.silence().await;
    }
    until_async("all to be dead", async || {
        server.count_of("dead").await == PLACES as u64
    })
    .await;
    let admitted = server.dial("eleventh", "k").connect_timed().await;
    let (mut client, took) = admitted.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert!(took < BUDGET, "{took:?}");
    client.echo("in").await;
    // And as many again as there are places, without waiting for the sockets of the dead.
    for number in 1..PLACES {
        let mut client = server.enter(&format!("new{number}"), "k").await;
        client.echo("in").await;
    }
}

/// They are found dead by the round of probes, before any heartbeat has missed them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w05_sockets_that_fell_silent_a_moment_ago_are_found_out() {
    let (server, clients) = full().await;
    let (silent, mut live) = {
        let mut clients = clients.into_iter();
        let silent: Vec<_> = clients.by_ref().take(PLACES / 2).collect();
        (silent, clients.collect::<Vec<_>>())
    };
    for client in &silent {
        client.silence().await;
    }
    until_async("the silent to be missed", async || {
        let zombies = server.stats().await["zombies"].as_u64();
        zombies >= Some(PLACES as u64 / 2)
    })
    .await;
    for number in 0..PLACES / 2 {
        let mut client = server.enter(&format!("new{number}"), "k").await;
        client.echo("in").await;
        live.push(client);
    }
    for client in &mut live {
        client.echo("still here").await;
    }
}

/// Nobody who answers goes for a socket of which nothing is known yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w05_live_sockets_keep_their_places() {
    let (server, mut clients) = full().await;
    let refusal = server.refused("eleventh", "k").await;
    assert_eq!(refusal.kind(), (503, "connection-limit".to_owned()));
    assert!(refusal.reply.header("retry-after").is_some());
    assert!(refusal.took < BUDGET, "{:?}", refusal.took);
    for client in &mut clients {
        client.echo("still here").await;
    }
    // One that leaves is enough.
    clients.pop().unwrap().leave().await;
    until_async("the place to be free", async || {
        server.dial("eleventh", "k").connect().await.is_ok()
    })
    .await;
}
