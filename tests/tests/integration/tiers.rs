//! Tiers: who goes at which, how many, and what runs after that (nothing).

use futures_util::future::join_all;
use wastegate_core::decision::{Class, Standing};
use wastegate_core::types::Tier::{Aggressive, Conservative, Force, Moderate};
use wastegate_tests::harness::{BUDGET, Client, Server, Setup, until};

/// Managers of a user by a letter and a number, one connection each.
pub(crate) async fn several(server: &Server, letter: char, count: usize) -> Vec<Client> {
    let keys: Vec<String> = (1..=count)
        .map(|number| format!("{letter}{number}"))
        .collect();
    join_all(keys.iter().map(|key| server.enter("ann", key))).await
}

/// Waits until a manager stands so.
pub(crate) async fn stands(server: &Server, key: &str, standing: Standing) {
    until(format!("{key} to be {standing:?}"), || {
        let manager = server.manager("ann", key).unwrap();
        manager.standing(server.now()) == standing
    })
    .await;
}

/// Managers that nobody is attached to any more, within the grace.
pub(crate) async fn inactive(server: &Server, count: usize) {
    join_all(
        several(server, 'i', count)
            .await
            .into_iter()
            .map(Client::vanish),
    )
    .await;
    for number in 1..=count {
        stands(server, &format!("i{number}"), Standing::Detached).await;
    }
}

/// Managers whose peers say nothing and keep their sockets open.
async fn zombies(server: &Server, count: usize) -> Vec<Client> {
    let clients = several(server, 'z', count).await;
    join_all(clients.iter().map(Client::silence)).await;
    clients
}

fn keys(letter: char, count: usize, more: &[&str]) -> Vec<String> {
    let mut keys: Vec<String> = (1..=count)
        .map(|number| format!("{letter}{number}"))
        .collect();
    keys.extend(more.iter().map(|&key| key.to_owned()));
    keys.sort_unstable();
    keys
}

pub(crate) async fn untouched(clients: &mut [Client]) {
    join_all(clients.iter_mut().map(|client| client.echo("still there"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t2_conservative_takes_the_two_that_are_over_and_counts_one_run() {
    let server = Setup::new()
        .limit(6)
        .with(|config| config.manager.reconnect_grace = std::time::Duration::from_millis(50))
        .start()
        .await;
    let mut healthy = several(&server, 'h', 4).await;
    join_all(
        several(&server, 'i', 2)
            .await
            .into_iter()
            .map(Client::vanish),
    )
    .await;
    for key in ["i1", "i2"] {
        stands(&server, key, Standing::Expired).await;
    }
    healthy.push(server.enter("ann", "new").await);
    assert_eq!(server.keys("ann"), keys('h', 4, &["new"]));
    let runs = r#"wastegate_cleanup_tier_runs_total{tier="conservative",result="freed"}"#;
    assert_eq!(server.metric(runs).await, 1.0);
    assert_eq!(
        server
            .metric(r#"wastegate_cleanup_freed_total{tier="conservative"}"#)
            .await,
        2.0
    );
    untouched(&mut healthy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t3_aggressive_takes_everyone_who_does_not_answer_and_nobody_who_does() {
    let server = Setup::new()
        .limit(15)
        .short_goodbyes()
        .only(&[Aggressive], 9)
        .start()
        .await;
    inactive(&server, 5).await;
    let _zombies = zombies(&server, 5).await;
    let mut healthy = several(&server, 'h', 5).await;
    healthy.extend(several(&server, 'h', 5).await);
    let mut events = server.events();
    let (_, took) = server.dial("ann", "new").connect_timed().await.unwrap();
    assert!(took < BUDGET, "{took:?}");
    assert_eq!(events.so_far().freed(), [(Aggressive, 10)]);
    assert_eq!(server.keys("ann"), keys('h', 5, &["new"]));
    untouched(&mut healthy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t4_three_more_are_let_in_at_the_cost_of_the_bad_ones_only() {
    let server = Setup::new()
        .short_goodbyes()
        .only(&[Aggressive], 7)
        .start()
        .await;
    inactive(&server, 2).await;
    let _zombies = zombies(&server, 6).await;
    let mut healthy = several(&server, 'h', 10).await;
    healthy.extend(several(&server, 'n', 3).await);
    let mut left = keys('h', 10, &[]);
    left.extend(keys('n', 3, &[]));
    assert_eq!(server.keys("ann"), left);
    untouched(&mut healthy).await;
}

/// T4 by the product's own table: it frees what is needed and one more (promise 3), where the
/// scenario would have all bad ones gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t4_by_default_no_more_than_needed_and_the_reserve() {
    let server = Setup::new().short_goodbyes().start().await;
    inactive(&server, 2).await;
    let _zombies = zombies(&server, 6).await;
    let mut healthy = several(&server, 'h', 10).await;
    let mut events = server.events();
    healthy.extend(several(&server, 'n', 3).await);
    assert_eq!(events.so_far().freed(), [(Conservative, 0), (Moderate, 2)]);
    assert_eq!(server.held("ann"), 19);
    untouched(&mut healthy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t6_the_inactive_are_gone_before_force_and_force_takes_nobody() {
    let server = Setup::new().limit(18).tiers(11, |_, _| {}).start().await;
    inactive(&server, 12).await;
    let mut healthy = several(&server, 'h', 6).await;
    let mut events = server.events();
    healthy.push(server.enter("ann", "new").await);
    assert_eq!(events.so_far().freed(), [(Conservative, 0), (Moderate, 12)]);
    assert_eq!(server.keys("ann"), keys('h', 6, &["new"]));
    untouched(&mut healthy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t7_force_takes_exactly_one_the_one_idle_longest() {
    let server = Setup::new().start().await;
    let mut clients = server.fill("ann", 20).await;
    let mut events = server.events();
    let (mut new, took) = server.dial("ann", "new").connect_timed().await.unwrap();
    assert!(took < BUDGET, "{took:?}");
    let decided = events.decided().await;
    let [victim] = decided.plan.victims() else {
        panic!("{:?}", decided.plan);
    };
    assert_eq!(
        (victim.key.as_str(), victim.class),
        ("k1", Class::Responsive)
    );
    assert_eq!(clients.remove(0).closed().await, 4501);
    assert_eq!(server.held("ann"), 20);
    untouched(&mut clients).await;
    new.echo("me too").await;
    assert_eq!(
        server
            .metric("wastegate_cleanup_forced_responsive_total")
            .await,
        1.0
    );
    for tier in ["conservative", "moderate", "aggressive"] {
        let runs = format!(r#"wastegate_cleanup_tier_runs_total{{tier="{tier}",result="empty"}}"#);
        assert_eq!(server.metric(&runs).await, 1.0, "{tier}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t9_later_tiers_do_not_run_where_the_first_one_suffices() {
    let server = Setup::new()
        .with(|config| config.manager.reconnect_grace = std::time::Duration::from_millis(50))
        .start()
        .await;
    let mut clients = server.fill("ann", 20).await;
    clients.remove(2).vanish().await;
    stands(&server, "k3", Standing::Expired).await;
    let mut events = server.events();
    clients.push(server.enter("ann", "new").await);
    assert_eq!(events.so_far().freed(), [(Conservative, 1)]);
    untouched(&mut clients).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t14_protected_managers_are_skipped_until_only_they_are_left() {
    let server = Setup::new().limit(8).start().await;
    let dial = |key: &str| server.dial("ann", key).premium();
    let mut clients = Vec::new();
    for number in 1..=8 {
        let mut client = server.attach(dial(&format!("k{number}"))).await;
        client.echo("first").await;
        clients.push(client);
    }
    clients.remove(7).vanish().await;
    stands(&server, "k8", Standing::Detached).await;
    let mut events = server.events();
    clients.push(server.attach(dial("new")).await);
    assert_eq!(
        events.so_far().freed(),
        [
            (Conservative, 0),
            (Moderate, 0),
            (Aggressive, 0),
            (Force, 1)
        ],
        "nobody below force touches the protected"
    );
    assert!(
        server.manager("ann", "k8").is_none(),
        "the one nobody is attached to goes first"
    );
    // Now only responsive ones are left, all protected.
    let mut last = server.attach(dial("newest")).await;
    assert_eq!(clients.remove(0).closed().await, 4501);
    untouched(&mut clients).await;
    last.echo("in").await;
    assert_eq!(server.held("ann"), 8);
}
