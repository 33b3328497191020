//! Isolation: one user's pressure, names, messages and evictions are nobody else's.

use std::collections::HashSet;

use futures_util::future::join_all;
use wastegate::manager::{Message, SendError};
use wastegate_core::decision::Question;
use wastegate_core::types::Tier;
use wastegate_tests::harness::{Client, Server, Setup, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u2_u3_everybody_goes_over_the_limit_and_everybody_is_served() {
    let server = Setup::new().limit(4).short_goodbyes().start().await;
    let users: Vec<String> = (0..5).map(|number| format!("u{number}")).collect();
    let over = |user: String| {
        let server = &server;
        async move {
            let mut clients = server.fill(&user, 4).await;
            for number in 0..3 {
                let mut client = server.enter(&user, &format!("over{number}")).await;
                client.echo("in").await;
                clients.push(client);
            }
            clients
        }
    };
    let mut clients = join_all(users.iter().cloned().map(over)).await;
    for user in &users {
        assert_eq!(server.held(user), 4, "{user}");
    }
    // U3: the first gives three back and comes again.
    let mine = clients.remove(0);
    until("the evicted to hear of it", || {
        mine.iter().filter(|client| client.is_open()).count() == 4
    })
    .await;
    let mut open: Vec<Client> = mine.into_iter().filter(Client::is_open).collect();
    join_all(open.drain(..3).map(Client::leave)).await;
    server.holds("u0", 1).await;
    join_all(["a", "b", "c"].map(|key| server.enter("u0", key))).await;
    assert_eq!(server.stats().await["limit_hits"], 0);
}

/// U4: a user cannot reach another's manager: its name for it is a name of its own. There is no
/// request that could be refused as a violation, which is where design and scenario differ.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u4_anothers_key_is_a_key_of_ones_own() {
    let server = Setup::new().start().await;
    let mut ann = server.enter("ann", "diary").await;
    let before = server.manager("ann", "diary").unwrap();
    let mut bob = server.enter("bob", "diary").await;
    bob.echo("hello?").await;
    assert_eq!(
        bob.ask("/who").await,
        "user bob manager diary with 1 connection(s)"
    );
    assert_eq!(
        ann.ask("/who").await,
        "user ann manager diary with 1 connection(s)"
    );
    assert_ne!(server.manager("bob", "diary").unwrap().id, before.id);
    assert_eq!(server.manager("ann", "diary").unwrap().id, before.id);
    assert_eq!(ann.unread(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u5_each_of_ten_users_gets_exactly_its_fifty() {
    let server = Setup::new().start().await;
    let talk = |number: usize| {
        let server = &server;
        async move {
            let user = format!("u{number}");
            let sender = server.enter(&user, "k").await;
            let mut reader = server.enter(&user, "k").await;
            let said: Vec<String> = (0..50).map(|n| format!("{user} says {n}")).collect();
            for text in &said {
                sender.say(text).await;
            }
            for text in &said {
                assert_eq!(reader.hear_text().await, *text);
            }
            sender.leave().await;
            assert_eq!(reader.unread(), [], "and not one more");
        }
    };
    join_all((0..10).map(talk)).await;
}

fn users_of(question: &Question) -> HashSet<&str> {
    question.rows.iter().map(|row| row.user.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u6_a_policy_sees_only_the_managers_of_the_user_in_question() {
    let server = Setup::new().limit(3).journal().start().await;
    let _clients = join_all(["ann", "bob", "cid"].map(|user| server.fill(user, 3))).await;
    let mut events = server.events();
    let mut new = Vec::new();
    for user in ["ann", "bob", "cid"] {
        new.push(server.enter(user, "new").await);
        let decided = events.decided().await;
        assert_eq!(users_of(&decided.question), HashSet::from([user]));
        assert_eq!(decided.question.rows.len(), 3);
    }
    let records = server.stop().await.decisions;
    let users: HashSet<&str> = records
        .iter()
        .filter_map(|record| record["user"].as_str())
        .collect();
    assert_eq!((records.len(), users.len()), (3, 3));
    assert!(
        records
            .iter()
            .all(|record| record["rows"].as_array().unwrap().len() == 3)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u8_two_with_priority_are_let_in_after_eighteen_in_the_background() {
    let server = Setup::new()
        .with(|config| {
            config.limits.managers_per_user = 18;
            config.limits.managers_total = 18;
            config.cleanup.node_last_tier = Tier::Force;
        })
        .start()
        .await;
    let users: Vec<String> = (0..18)
        .map(|number| format!("background{number}"))
        .collect();
    let background = join_all(users.iter().map(|user| server.enter(user, "k"))).await;
    for client in &background {
        client.say("/priority -1").await;
    }
    let mut priority = Vec::new();
    for user in ["vip1", "vip2"] {
        let client = server.attach(server.dial(user, "k").premium()).await;
        client.say("/priority 9").await;
        priority.push(client);
    }
    for client in &mut priority {
        assert_eq!(client.hear_text().await, "ok");
        client.echo("in").await;
    }
    assert!(server.registry.total() <= 18);
}

/// What was evicted can neither be written to nor heard from, and its key is free at once.
async fn sealed(server: &Server) {
    let mut client = server.enter("ann", "k").await;
    let (old, port) = {
        let manager = server.manager("ann", "k").unwrap();
        let port = manager.ports().remove(0);
        (manager, port)
    };
    let evict = server
        .post("/v1/users/ann/managers/k/evict", &serde_json::json!({}))
        .await;
    assert_eq!(evict.json()["evicted"], true);
    let message = Message::Text("late".into());
    assert_eq!(old.send(port.id, message.clone()), Err(SendError::Closed));
    assert_eq!(old.broadcast(&message, None), 0);
    assert!(!old.expect_connection(), "nobody joins it any more");
    assert_eq!(client.closed().await, 4003);
    assert_eq!(client.unread(), []);
    until("its socket to go", || old.ports().is_empty()).await;
    let mut again = server.enter("ann", "k").await;
    again.echo("a new life").await;
    assert_ne!(server.manager("ann", "k").unwrap().id, old.id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u9_nothing_reaches_a_manager_that_was_evicted() {
    let server = Setup::new().start().await;
    sealed(&server).await;
    assert_eq!(
        server.stats().await["returned"],
        1,
        "whoever comes back is counted"
    );
}
