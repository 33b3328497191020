//! The queue and the notices: what a client that waits is told, and what those are told who hold
//! what it waits for.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use wastegate::observe::PressureThresholds;
use wastegate_tests::harness::{Client, End, Server, Setup, until};

/// One place, and a queue for two.
fn one_place() -> Setup {
    Setup::new().limit(1).without_force().with(|config| {
        config.admission.queue_length_max = 2;
    })
}

/// A client that waits in the queue, at that place.
async fn queued(server: &Server, key: &str, position: usize) -> Client {
    let mut client = server.dial("ann", key).notices().connect().await.unwrap();
    let told = client.hear_json().await;
    assert_eq!(told, json!({ "wastegate": "queued", "position": position }));
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d9_places_are_told_and_move_up_first_come_first_served() {
    let server = one_place().start().await;
    let holder = server.enter("ann", "holder").await;
    let mut first = queued(&server, "first", 1).await;
    let mut second = queued(&server, "second", 2).await;
    assert_eq!(server.stats().await["queued"], 2);
    let full = server.refused("ann", "third").await;
    assert_eq!(full.kind(), (429, "queue-full".to_owned()));

    holder.leave().await;
    assert_eq!(first.hear_json().await, json!({ "wastegate": "admitted" }));
    assert_eq!(
        second.hear_json().await,
        json!({ "wastegate": "queued", "position": 1 })
    );
    first.echo("in").await;
    assert_eq!(server.keys("ann"), ["first"]);

    first.leave().await;
    assert_eq!(second.hear_json().await, json!({ "wastegate": "admitted" }));
    second.echo("in").await;
    assert_eq!(server.keys("ann"), ["second"]);
    assert_eq!(server.admission.queued(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d9_queues_are_one_per_user() {
    let server = one_place().start().await;
    let _ann = server.enter("ann", "holder").await;
    let _waits = queued(&server, "waits", 1).await;
    let mut bob = server.enter("bob", "holder").await;
    bob.echo("did not wait").await;
    let mut again = server.enter("ann", "holder").await;
    again
        .echo("a thread that has its manager needs no place")
        .await;
}

/// A client that does not know our notices just waits for its answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d9_a_plain_client_waits_for_its_answer() {
    let server = one_place().start().await;
    let holder = server.enter("ann", "holder").await;
    let (answer, ()) = tokio::join!(server.dial("ann", "waits").connect(), async {
        until("it to queue", || server.admission.queued() == 1).await;
        holder.leave().await;
    });
    answer.unwrap().echo("in").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d9_waiting_too_long_is_told_with_a_code() {
    let server = one_place()
        .with(|config| config.admission.queue_wait = Duration::from_millis(300))
        .start()
        .await;
    let mut holder = server.enter("ann", "holder").await;
    let mut told = queued(&server, "told", 1).await;
    let closed = End::Closed {
        code: 4432,
        reason: "waited too long in the queue".to_owned(),
    };
    assert_eq!(told.ended().await, closed);
    let refused = server.refused("ann", "plain").await;
    assert_eq!(refused.kind(), (429, "queue-timeout".to_owned()));
    holder.echo("untouched").await;
    assert_eq!(server.admission.queued(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d11_who_leaves_the_queue_frees_the_place_and_spends_no_slot() {
    let server = one_place().start().await;
    let holder = server.enter("ann", "holder").await;
    let gone = queued(&server, "gone", 1).await;
    let mut stays = queued(&server, "stays", 2).await;
    gone.vanish().await;
    assert_eq!(
        stays.hear_json().await,
        json!({ "wastegate": "queued", "position": 1 })
    );

    // One whose answer is still outstanding hangs up too.
    let mut plain = server.dial("ann", "plain").tcp().await;
    plain
        .write_all(server.dial("ann", "plain").request().as_bytes())
        .await
        .unwrap();
    until("it to queue", || server.admission.queued() == 2).await;
    drop(plain);
    until("it to leave", || server.admission.queued() == 1).await;

    assert_eq!(
        server.registry.created().0,
        1,
        "nobody who left was given a manager"
    );
    holder.leave().await;
    assert_eq!(stays.hear_json().await, json!({ "wastegate": "admitted" }));
    stays.echo("in").await;
}

/// A refusal that a browser's script can read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_can_be_told_by_closing() {
    let server = Setup::new()
        .limit(1)
        .without_force()
        .with(|config| config.gateway.refusal = wastegate::gateway::RefusalStyle::Close)
        .start()
        .await;
    let _holder = server.enter("ann", "holder").await;
    let mut refused = server.dial("ann", "k2").connect().await.unwrap();
    let closed = End::Closed {
        code: 4429,
        reason: "user limit reached".to_owned(),
    };
    assert_eq!(refused.ended().await, closed);
    assert_eq!(server.held("ann"), 1);
}

/// D10, D12: one notice when pressure begins and one when it has been over for a while, however
/// many are refused in between; nothing for those who did not ask for notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d10_one_notice_when_pressure_begins_and_one_when_it_ends() {
    let stabilise = Duration::from_millis(300);
    let levels = [0.9, 0.91, 0.92, 0.93];
    let server = Setup::new()
        .limit(2)
        .without_force()
        .with(|config| {
            config.observe.alerts.pressure =
                PressureThresholds::new(levels, 0.05, stabilise).unwrap();
            config.cleanup.sweep_interval = Duration::from_millis(20);
        })
        .start()
        .await;
    let mut told = server.attach(server.dial("ann", "k1").notices()).await;
    let other = server.enter("ann", "k2").await;
    let pressure = |level: &str, held: u32| json!({ "wastegate": "pressure", "level": level, "held": held, "limit": 2 });
    assert_eq!(told.hear_json().await, pressure("emergency", 2));
    join_all((0..5).map(async |_| server.refused("ann", "one-more").await)).await;
    let mut plain = server.enter("ann", "k1").await;
    other.leave().await;
    let left = server.now();
    assert_eq!(told.hear_json().await, pressure("normal", 1));
    assert!(
        server.now().since(left) >= stabilise,
        "it stayed good for a while first"
    );
    told.echo("no third notice").await;
    assert_eq!(
        plain.hear_text().await,
        "no third notice",
        "and no notice at all"
    );
}

/// Whoever understands notices is told why before it is closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_eviction_is_announced_to_who_understands_it() {
    let server = Setup::new().limit(1).start().await;
    let mut told = server.attach(server.dial("ann", "k1").notices()).await;
    let _new = server.enter("ann", "k2").await;
    assert_eq!(
        told.hear_json().await,
        json!({ "wastegate": "evicting", "cause": "force" })
    );
    assert_eq!(told.closed().await, 4501);
}
