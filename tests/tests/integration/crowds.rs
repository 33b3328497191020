//! Crowds: much at once about the same few managers, for longer than one decision.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use wastegate::cleanup::Pass;
use wastegate_core::decision::VictimOutcome;
use wastegate_core::types::UserId;
use wastegate_tests::harness::{Client, Server, Setup, until};

async fn make_room(server: &Server, user: &UserId) {
    for pass in [Pass::BelowForce, Pass::Force] {
        server.cleaner.make_room(user, pass).await;
    }
}

async fn make_room_on_node(server: &Server) {
    for pass in [Pass::BelowForce, Pass::Force] {
        server.cleaner.make_room_on_node(pass).await;
    }
}

/// R9: cleanups for the user, for the node and in the background at once take nobody twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r9_whatever_runs_at_once_each_manager_goes_once() {
    let server = Setup::new()
        .limit(10)
        .short_goodbyes()
        .proactive(0.1, Duration::from_millis(10))
        .with(|config| {
            config.limits.managers_total = 10;
            config.cleanup.node_last_tier = wastegate_core::types::Tier::Force;
            config.manager.reconnect_grace = Duration::from_millis(20);
        })
        .start()
        .await;
    let mut events = server.events();
    // The node is full with the tenth, so some may have gone again by the time they could speak.
    let keys: Vec<String> = (0..10).map(|number| format!("k{number}")).collect();
    let answers = join_all(keys.iter().map(|key| server.dial("ann", key).connect())).await;
    let mut clients: Vec<Client> = answers.into_iter().map(Result::unwrap).collect();
    join_all(clients.drain(..4).map(Client::vanish)).await;
    clients[0].silence().await;
    let ann = UserId::new("ann").unwrap();
    let users = join_all((0..6).map(|_| make_room(&server, &ann)));
    let nodes = join_all((0..3).map(|_| make_room_on_node(&server)));
    let sweeps = join_all((0..3).map(|_| server.cleaner.sweep()));
    tokio::join!(users, nodes, sweeps);
    until("cleanups to end", || server.cleaner.running() == 0).await;
    until("goodbyes to be said", || {
        server
            .registry
            .all()
            .iter()
            .all(|manager| manager.ports().iter().all(|port| !port.is_closing()))
    })
    .await;
    let happened = events.so_far();
    let mut gone = Vec::new();
    for decided in &happened.decided {
        let ends = decided.plan.victims().iter().zip(&decided.outcomes);
        gone.extend(
            ends.filter(|(_, end)| **end != VictimOutcome::Spared)
                .map(|(victim, _)| victim.manager),
        );
    }
    let once: HashSet<_> = gone.iter().collect();
    assert_eq!(once.len(), gone.len(), "{gone:?}");
    let there: Vec<_> = server
        .registry
        .all()
        .iter()
        .map(|manager| manager.id)
        .collect();
    assert!(!once.is_empty(), "somebody went");
    assert!(
        there.iter().all(|id| !once.contains(id)),
        "whoever went is not there"
    );
    assert_eq!(server.registry.total() as usize, there.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_sockets_that_come_and_go_at_once_add_up() {
    let server = Setup::new()
        .with(|config| config.manager.connections_max = 16)
        .start()
        .await;
    let mut first: Vec<Client> = join_all((0..5).map(|_| server.enter("ann", "a"))).await;
    let leave = first.split_off(2);
    let (second, _) = tokio::join!(
        join_all((0..5).map(|_| server.enter("ann", "a"))),
        join_all(leave.into_iter().map(Client::leave))
    );
    let manager = server.manager("ann", "a").unwrap();
    until("seven to be left", || manager.ports().len() == 7).await;
    let there: HashSet<String> = manager
        .ports()
        .iter()
        .map(|port| port.device.as_str().to_owned())
        .collect();
    let expected: HashSet<String> = first
        .iter()
        .chain(&second)
        .map(|client| client.device.clone())
        .collect();
    assert_eq!(there, expected);
    assert_eq!(server.registry.created().0, 1);
}

/// R12: a user whose peers say nothing waits for its probes; nobody else does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_one_users_slow_probes_keep_nobody_else_waiting() {
    let server = Setup::new()
        .limit(10)
        .short_goodbyes()
        .with(|config| config.health.probe_deadline = Duration::from_millis(1_600))
        .start()
        .await;
    let silent = server.fill("ann", 10).await;
    join_all(silent.iter().map(Client::silence)).await;
    let mut bob = server.fill("bob", 8).await;
    let ann = server.dial("ann", "new").connect();
    let others = async {
        until("ann's cleanup to run", || server.cleaner.running() == 1).await;
        // Two that need no cleanup, and one that does.
        for key in ["a", "b", "c"] {
            bob.push(server.enter("bob", key).await);
        }
        // Bob's own may still be at its end.
        until("only ann to wait", || server.cleaner.running() == 1).await;
    };
    let (ann, ()) = tokio::join!(ann, others);
    ann.unwrap().echo("in").await;
}

/// R16: silent managers come in as fast as they can, and the background pass keeps up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_silent_managers_do_not_pile_up() {
    let server = Setup::new()
        .impatient()
        .proactive(0.5, Duration::from_millis(50))
        .start()
        .await;
    let mut clients = Vec::new();
    for number in 0..20 {
        let client = server.enter("ann", &format!("k{number}")).await;
        client.silence().await;
        clients.push(client);
    }
    let ann = UserId::new("ann").unwrap();
    until("at least half to be freed", || {
        server.registry.held(&ann) <= 10
    })
    .await;
    assert_eq!(server.registry.created().0, 20, "without a single refusal");
}
