//! What a policy proposes, and what becomes of proposals that are too short or made up.

use serde_json::json;
use wastegate_core::types::Tier::{Aggressive, Conservative, Force, Moderate};
use wastegate_tests::guests::guest;
use wastegate_tests::harness::{BUDGET, Setup};

use crate::tiers::{inactive, several, untouched};

/// T10: a policy that proposes nobody cannot lock anybody out; at force it is completed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t10_a_policy_that_gives_nothing_up_is_passed_over() {
    let server = Setup::new()
        .limit(20)
        .policy_bytes(guest("silent"))
        .start()
        .await;
    let mut clients = server.fill("ann", 20).await;
    let mut events = server.events();
    let (_, took) = server.dial("ann", "new").connect_timed().await.unwrap();
    assert!(took < BUDGET, "{took:?}");
    let happened = events.so_far();
    assert_eq!(
        happened.freed(),
        [
            (Conservative, 0),
            (Moderate, 0),
            (Aggressive, 0),
            (Force, 1)
        ]
    );
    assert_eq!(clients.remove(0).closed().await, 4501);
    untouched(&mut clients).await;
}

/// T10, promise 2: what a policy spares below the last tier goes at the last tier, also where the
/// operator did not enable `force`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t10_the_last_tier_is_completed_whichever_it_is() {
    let server = Setup::new()
        .limit(4)
        .without_force()
        .policy_bytes(guest("silent"))
        .start()
        .await;
    inactive(&server, 2).await;
    let mut clients = several(&server, 'h', 2).await;
    let mut events = server.events();
    clients.push(server.enter("ann", "new").await);
    assert_eq!(
        events.so_far().freed(),
        [(Conservative, 0), (Moderate, 0), (Aggressive, 1)],
        "what is needed, and nothing for the reserve"
    );
    untouched(&mut clients).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t10_a_refusal_names_each_tier_and_its_count() {
    let server = Setup::new().limit(2).without_force().start().await;
    let _clients = server.fill("ann", 2).await;
    let told = server.refused("ann", "k3").await.json();
    let tier = |tier: &str| json!({ "tier": tier, "eligible": 0, "freed": 0, "fault": false });
    assert_eq!(
        told["tiers"],
        json!([tier("conservative"), tier("moderate"), tier("aggressive")])
    );
}

/// T12: what a policy makes up is struck out and counted; the rest of its answer holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t12_invented_and_repeated_choices_are_struck_and_the_rest_holds() {
    let server = Setup::new()
        .limit(7)
        .policy_bytes(guest("sleeper"))
        .param("dream", 4.0)
        .start()
        .await;
    let mut clients = server.fill("ann", 7).await;
    let mut bystander = server.enter("bob", "k1").await;
    let mut events = server.events();
    let mut new = server.enter("ann", "new").await;
    let decided = events.decided().await;
    let [victim] = decided.plan.victims() else {
        panic!("{:?}", decided.plan);
    };
    assert_eq!(
        (victim.key.as_str(), victim.rank),
        ("k1", Some(2)),
        "its first honest choice"
    );
    let struck = |why: &str| format!(r#"wastegate_cleanup_struck_total{{why="{why}"}}"#);
    assert_eq!(server.metric(&struck("no-such-row")).await, 2.0);
    assert_eq!(server.metric(&struck("repeated")).await, 1.0);
    assert_eq!(clients.remove(0).closed().await, 4501);
    untouched(&mut clients).await;
    new.echo("in").await;
    bystander.echo("not concerned").await;
}
