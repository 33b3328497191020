//! Recovery: what frees places, what a failing part does to others, and how it all ends.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use wastegate::manager::{Application, Manager, ManagerEnd, Message, Peer};
use wastegate_core::decision::{Fault, Standing};
use wastegate_core::types::Tier::{Conservative, Force};
use wastegate_tests::guests::guest;
use wastegate_tests::harness::{Client, Server, Setup, until};

/// Managers held by the sum over users, and in all.
async fn sums(server: &Server) -> (u64, u64) {
    let stats = server.stats().await;
    let users = stats["per_user"].as_object().unwrap();
    let sum = users
        .values()
        .map(|user| user["managers"].as_u64().unwrap())
        .sum();
    (sum, stats["managers"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d1_the_inactive_make_room_at_the_first_tier() {
    let server = Setup::new()
        .limit(8)
        .with(|config| config.manager.reconnect_grace = Duration::from_millis(50))
        .start()
        .await;
    let mut clients = server.fill("ann", 8).await;
    join_all(clients.drain(..4).map(Client::vanish)).await;
    until("four graces to end", || {
        (1..=4).all(|number| {
            let manager = server.manager("ann", &format!("k{number}")).unwrap();
            manager.standing(server.now()) == Standing::Expired
        })
    })
    .await;
    let mut events = server.events();
    clients.push(server.enter("ann", "new").await);
    assert_eq!(
        events.so_far().freed(),
        [(Conservative, 2)],
        "one needed, one in reserve"
    );
    assert_eq!(sums(&server).await, (7, 7));
    join_all(clients.iter_mut().map(|client| client.echo("here"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_ten_that_leave_make_room_for_five() {
    let server = Setup::new().without_force().start().await;
    let mut clients = server.fill("ann", 20).await;
    join_all(clients.drain(..10).map(Client::leave)).await;
    server.holds("ann", 10).await;
    let keys = ["a", "b", "c", "d", "e"];
    clients.extend(join_all(keys.map(|key| server.enter("ann", key))).await);
    assert_eq!(server.held("ann"), 15);
    assert_eq!(sums(&server).await, (15, 15));
    join_all(clients.iter_mut().map(|client| client.echo("here"))).await;
}

/// D7: a policy that fails for one user, until it is quarantined, fails nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d7_a_policy_that_fails_fails_nobody() {
    let server = Setup::new()
        .limit(7)
        .policy_bytes(guest("sleeper"))
        .param("dream", 1.0)
        .start()
        .await;
    let _ann = server.fill("ann", 7).await;
    let mut bob = server.fill("bob", 6).await;
    let mut events = server.events();
    let (mut faults, mut new) = (Vec::new(), Vec::new());
    for number in 0..5 {
        let mut client = server.enter("ann", &format!("new{number}")).await;
        client.echo("in").await;
        new.push(client);
        faults.push(events.decided().await.answer.outcome.clone().unwrap_err());
    }
    assert!(
        matches!(
            faults[..3],
            [Fault::Trap(_), Fault::Trap(_), Fault::Trap(_)]
        ),
        "{faults:?}"
    );
    assert_eq!(faults[3..], [Fault::Quarantined, Fault::Quarantined]);
    bob.push(server.enter("bob", "seventh").await);
    join_all(bob.iter_mut().map(|client| client.echo("unaffected"))).await;
    bob.push(server.enter("bob", "eighth").await);
    let decided = events.decided().await;
    assert_eq!(
        (decided.question.tier, decided.plan.victims().len()),
        (Force, 1)
    );
    assert_eq!((server.held("ann"), server.held("bob")), (7, 7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d13_other_users_sessions_survive_everybody_elses_pressure() {
    let server = Setup::new().limit(3).short_goodbyes().start().await;
    let users: Vec<String> = (0..10).map(|number| format!("active{number}")).collect();
    let mut active: Vec<Client> = join_all(users.iter().map(|user| server.fill(user, 2)))
        .await
        .into_iter()
        .flatten()
        .collect();
    let users: Vec<String> = (0..30).map(|number| format!("pressed{number}")).collect();
    let silent = join_all(users.iter().map(|user| server.fill(user, 3))).await;
    join_all(silent.iter().flatten().map(Client::silence)).await;
    let answers = join_all(
        users
            .iter()
            .map(|user| server.dial(user, "new").connect_timed()),
    )
    .await;
    for answer in answers {
        let (_, took) = answer.unwrap();
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
    join_all(active.iter_mut().map(|client| client.echo("kept"))).await;
    for user in &users {
        assert!(server.held(user) <= 3);
        assert!(server.manager(user, "new").is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d14_the_nodes_pressure_spares_the_premium() {
    let server = Setup::new()
        .with(|config| {
            config.limits.managers_total = 25;
            config.cleanup.node_last_tier = Force;
        })
        .start()
        .await;
    let premium: Vec<String> = (0..5).map(|number| format!("premium{number}")).collect();
    let dials = premium
        .iter()
        .map(|user| server.attach(server.dial(user, "a").premium()));
    let mut premium = join_all(dials).await;
    let ordinary: Vec<String> = (0..20).map(|number| format!("ordinary{number}")).collect();
    let ordinary = join_all(ordinary.iter().map(|user| server.enter(user, "a"))).await;
    let mut new = Vec::new();
    for number in 0..5 {
        new.push(server.enter(&format!("new{number}"), "a").await);
    }
    assert!(server.registry.total() <= 25);
    join_all(premium.iter_mut().map(|client| client.echo("kept"))).await;
    let there = |client: &&Client| server.manager(&client.user, &client.key).is_some();
    let kept = ordinary.iter().filter(there).count();
    assert!(kept >= 10, "{kept} of 20 ordinary ones");
}

/// An application that holds something for every manager.
#[derive(Default)]
struct Sessions {
    open: Mutex<HashSet<String>>,
    released: Mutex<Vec<String>>,
}

impl Application for Sessions {
    fn attached(&self, manager: &Arc<Manager>, _: &Peer) {
        self.open.lock().unwrap().insert(manager.key.to_string());
    }

    async fn message(&self, manager: &Arc<Manager>, from: Peer, message: Message) {
        // A client that is gone hears nothing.
        let _ = manager.send(from.connection, message);
    }

    fn ended(&self, manager: &Arc<Manager>, _: ManagerEnd) {
        let key = manager.key.to_string();
        assert!(
            self.open.lock().unwrap().remove(&key),
            "{key} was released twice"
        );
        self.released.lock().unwrap().push(key);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d16_what_was_tied_to_evicted_managers_is_released() {
    let sessions = Arc::new(Sessions::default());
    let server = Setup::new()
        .limit(10)
        .application(sessions.clone())
        .start()
        .await;
    let mut old = server.fill("ann", 10).await;
    assert_eq!(sessions.open.lock().unwrap().len(), 10);
    let keys: Vec<String> = (0..10).map(|number| format!("new{number}")).collect();
    let mut new = Vec::new();
    for key in &keys {
        let mut client = server.enter("ann", key).await;
        client.echo("in").await;
        new.push(client);
    }
    for client in &mut old {
        assert_eq!(client.closed().await, 4501);
    }
    until("ten releases", || {
        sessions.released.lock().unwrap().len() == 10
    })
    .await;
    let mut released = sessions.released.lock().unwrap().clone();
    released.sort_unstable();
    let mut expected: Vec<String> = (1..=10).map(|number| format!("k{number}")).collect();
    expected.sort_unstable();
    assert_eq!(released, expected);
    let mut open: Vec<String> = sessions.open.lock().unwrap().iter().cloned().collect();
    open.sort_unstable();
    assert_eq!(open, keys);
    drop(new);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d17_a_stop_tells_everyone_and_leaves_nothing() {
    let server = Setup::new().start().await;
    let mut clients = server.fill("ann", 3).await;
    let (registry, tasks) = (server.registry.clone(), server.tasks.clone());
    let stopped = server.stop().await;
    assert!(stopped.drained);
    for client in &mut clients {
        assert_eq!(client.closed().await, 1012);
    }
    assert_eq!(
        (registry.total(), registry.users().len(), tasks.running()),
        (0, 0, 0)
    );
}
