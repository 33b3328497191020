//! Guests that pass the kit and misbehave when they are asked in earnest: the built-in ranking
//! completes the decision within the same budget, nobody else notices, and the breaker opens.

use futures_util::future::join_all;
use wastegate_core::decision::{Fault, RejectReason};
use wastegate_core::types::Tier::Force;
use wastegate_tests::guests::guest;
use wastegate_tests::harness::{BUDGET, Client, Events, Server, Setup};

/// The guests that load, all of them used here or in `proposals`.
pub(crate) const ACCEPTED: [&str; 6] = [
    "flaky",
    "lazy",
    "log-flood",
    "reversed",
    "silent",
    "sleeper",
];

/// At this limit the sleeper is awake at `force`, where it sees all of a user's managers.
pub(crate) const AWAKE: usize = 7;

pub(crate) fn asleep(dream: f64) -> Setup {
    Setup::new()
        .limit(7)
        .policy_bytes(guest("sleeper"))
        .param("dream", dream)
}

/// One more than the limit: let in within the budget, at the cost of exactly one manager.
pub(crate) async fn one_more(
    server: &Server,
    events: &mut Events,
    key: &str,
) -> (Client, Option<Fault>) {
    let (client, took) = server.dial("ann", key).connect_timed().await.unwrap();
    assert!(took < BUDGET, "{took:?}");
    server.attached(&client).await;
    let decided = events.decided().await;
    assert_eq!(
        (decided.question.tier, decided.plan.victims().len()),
        (Force, 1)
    );
    assert_eq!(server.held("ann"), 7);
    (client, decided.answer.outcome.clone().err())
}

/// Promise 5, for each way to fail: the same user is served as if nothing were wrong, by the
/// built-in ranking, which takes who was idle longest; after three faults nobody asks any more.
async fn hurts_nobody(dream: f64, kind: &str) {
    let server = asleep(dream).start().await;
    let mut old = server.fill("ann", AWAKE).await;
    let mut bystanders = server.fill("bob", 3).await;
    let mut events = server.events();
    let (mut new, mut faults) = (Vec::new(), Vec::new());
    for number in 0..5 {
        let (client, fault) = one_more(&server, &mut events, &format!("new{number}")).await;
        faults.push(fault.expect("it was awake"));
        new.push(client);
    }
    let names: Vec<&str> = faults.iter().map(Fault::name).collect();
    assert_eq!(
        names,
        [kind, kind, kind, "quarantined", "quarantined"],
        "{faults:?}"
    );
    for client in old.iter_mut().take(5) {
        assert_eq!(client.closed().await, 4501, "{client:?}");
    }
    let left = old
        .iter_mut()
        .skip(5)
        .chain(&mut new)
        .chain(&mut bystanders);
    join_all(left.map(|client| client.echo("unaffected"))).await;
    for (fault, times) in [(kind, 3.0), ("quarantined", 2.0)] {
        let series = format!(r#"wastegate_policy_faults_total{{fault="{fault}"}}"#);
        assert_eq!(server.metric(&series).await, times, "{series}");
    }
    assert_eq!(server.stats().await["limit_hits"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_hurts_nobody() {
    hurts_nobody(1.0, "trap").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_hurts_nobody() {
    hurts_nobody(2.0, "out-of-fuel").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memory_bomb_hurts_nobody() {
    hurts_nobody(3.0, "memory").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_hurts_nobody() {
    hurts_nobody(6.0, "refused").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_recursion_hurts_nobody() {
    hurts_nobody(7.0, "trap").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_end_hurts_nobody() {
    hurts_nobody(8.0, "output-too-large").await;
}

/// Scores that are no numbers are struck out, all of them, and the built-in ranking decides. (What
/// is made up or repeated: T12 in `proposals`.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scores_that_are_no_numbers_are_struck_out() {
    let server = asleep(5.0).start().await;
    let mut old = server.fill("ann", AWAKE).await;
    let mut events = server.events();
    let mut new = server.enter("ann", "new").await;
    let decided = events.decided().await;
    assert_eq!(
        decided.answer.outcome.as_ref().err(),
        None,
        "an answer it was"
    );
    let struck = decided.plan.refusals();
    assert_eq!(struck.len(), AWAKE);
    assert!(
        struck
            .iter()
            .all(|refusal| refusal.why == RejectReason::ScoreNotANumber),
        "{struck:?}"
    );
    assert_eq!(
        decided.plan.victims()[0].rank,
        None,
        "chosen by the built-in ranking"
    );
    assert_eq!(old.remove(0).closed().await, 4501);
    join_all(old.iter_mut().map(|client| client.echo("kept"))).await;
    new.echo("in").await;
}

/// T10: proposes nobody below force, and is not asked twice for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lazy_policy_costs_nobody_a_place() {
    let server = Setup::new()
        .limit(3)
        .policy_bytes(guest("lazy"))
        .start()
        .await;
    let mut old = server.fill("ann", 3).await;
    let mut events = server.events();
    let mut new = server.enter("ann", "new").await;
    let decided = events.decided().await;
    assert_eq!(
        (decided.question.tier, decided.plan.victims()[0].rank),
        (Force, Some(0))
    );
    assert_eq!(old.remove(0).closed().await, 4501);
    new.echo("in").await;
}

/// A policy may be as bad as it likes: it still takes exactly one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reversed_policy_is_obeyed_and_takes_only_what_is_needed() {
    let server = Setup::new()
        .limit(5)
        .policy_bytes(guest("reversed"))
        .start()
        .await;
    let mut old = server.fill("ann", 5).await;
    let mut new = server.enter("ann", "new").await;
    assert_eq!(
        old.pop().unwrap().closed().await,
        4501,
        "the most recently active"
    );
    join_all(old.iter_mut().map(|client| client.echo("kept"))).await;
    new.echo("in").await;
}

/// A thousand lines of 4 KiB: sixteen are kept, the rest is counted, and the answer stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_log_lines_is_capped() {
    let server = Setup::new()
        .limit(3)
        .policy_bytes(guest("log-flood"))
        .start()
        .await;
    let _old = server.fill("ann", 3).await;
    let mut events = server.events();
    let _new = server.enter("ann", "new").await;
    let decided = events.decided().await;
    assert_eq!(decided.answer.outcome.as_ref().err(), None);
    let dropped = server
        .metric(r#"wastegate_policy_log_lines_dropped_total{cap="call"}"#)
        .await;
    assert_eq!(dropped, 1_000.0 - 16.0);
}

/// Armed it is refused, always or on some seeds; unarmed it serves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_traps_now_and_then_is_found_out_by_the_kit() {
    let server = Setup::new()
        .limit(1)
        .policy_bytes(guest("flaky"))
        .with(|config| config.policy.breaker.consecutive_faults = 1_000)
        .start()
        .await;
    let armed = wastegate_engine::policy::Params::from([("armed".to_owned(), 2.0)]);
    let pick = wastegate_engine::policy::Pick::Bytes(guest("flaky").into());
    let refused = server.catalog.activate_async(pick.clone(), armed).await;
    assert!(refused.is_err(), "always armed, the kit finds out");
    let armed = wastegate_engine::policy::Params::from([("armed".to_owned(), 1.0)]);
    let sometimes = server.catalog.activate_async(pick, armed).await;
    assert!(
        sometimes.is_err(),
        "sometimes armed, the kit finds out too: {sometimes:?}"
    );
    let mut client = server.enter("ann", "k0").await;
    for number in 1..5 {
        let next = server.enter("ann", &format!("k{number}")).await;
        assert_eq!(client.closed().await, 4501);
        client = next;
    }
    assert_eq!(
        server
            .metric(r#"wastegate_policy_faults_total{fault="trap"}"#)
            .await,
        0.0
    );
}
