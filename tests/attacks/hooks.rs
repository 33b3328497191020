//! Those who vouch for clients: a hook, and a publisher of keys, that hang, forget or say nonsense.

use std::time::Duration;

use serde_json::{Value, json};
use wastegate::tasks::Tasks;
use wastegate_core::types::Clock;
use wastegate_tests::harness::scripted::Scripted;
use wastegate_tests::harness::{Dial, Issuer, timed, until, until_async};

use crate::echoing::{Echoing, told, upgrade};
use crate::stage::{Enter, Stage};

/// What a token whose key is known waits at most while the publisher hangs. The promise is 50 ms; a busy
/// machine may add some.
const KNOWN_KEY_WAITS: Duration = Duration::from_millis(500);

fn answer(body: &Value) -> String {
    let body = body.to_string();
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn bearer(issuer: &Issuer, user: &str) -> String {
    format!(
        "authorization: Bearer {}\r\n",
        issuer.token(&json!({ "sub": user }), 600.0)
    )
}

fn enter(issuer: &Issuer) -> Enter {
    let token = format!(
        "Bearer {}",
        issuer.token(&json!({ "sub": "bystander" }), 600.0)
    );
    Box::new(move |dial: Dial| dial.header("authorization", &token))
}

async fn checking(publisher: &Scripted, issuer: &Issuer) -> Stage {
    let url = format!("--set=identity.jwt.keys_url=http://{}/", publisher.address);
    let arguments = [
        "--set=identity.mode=jwt",
        &url,
        "--set=identity.jwt.keys_refresh_ms=1000",
        "--set=identity.jwt.keys_retry_ms=100",
        "--set=identity.jwt.keys_timeout_ms=2000",
    ];
    Stage::entering(tempfile::tempdir().unwrap(), &arguments, enter(issuer)).await
}

/// The publisher gave a good set and hangs from then on. Tokens whose key is in it do not wait, one with an
/// unknown key waits alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s27_a_publisher_that_hangs_delays_no_known_key() {
    let (issuer, stranger) = (Issuer::new("one"), Issuer::new("two"));
    let mut publisher = Scripted::answering(answer(&json!({ "keys": [issuer.public()] }))).await;
    let mut stage = checking(&publisher, &issuer).await;
    publisher.hang();
    publisher.count();
    let begun = Clock::system();
    let since = begun.now();
    let mut asked = 0;
    let mut most = Duration::ZERO;
    // Until the set is old and is being read.
    while begun.now().since(since) < Duration::from_millis(1_800) {
        let request = upgrade("/ws?key=k", "localhost", &bearer(&issuer, "ann"));
        let (reply, took) = timed(told(2, stage.public, request)).await;
        assert!(matches!(reply.status, 101 | 429), "{}", reply.body);
        most = most.max(took);
        asked += publisher.count();
    }
    assert!(most < KNOWN_KEY_WAITS, "{most:?}");
    assert_eq!(asked, 1, "one flight");
    let unknown = upgrade("/ws", "localhost", &bearer(&stranger, "eve"));
    let waits = Tasks::new().spawn("stranger", told(3, stage.public, unknown));
    let request = upgrade("/ws?key=k", "localhost", &bearer(&issuer, "bob"));
    let (reply, took) = timed(told(2, stage.public, request)).await;
    assert!(
        reply.status == 101 && took < KNOWN_KEY_WAITS,
        "{took:?} {}",
        reply.body
    );
    assert_eq!(waits.await.unwrap().status, 401);
    stage.unharmed().await;
}

/// An answer of the hook that expired long ago lets nobody in, and nobody is evicted for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s28_an_expired_answer_is_a_no() {
    let hook = Scripted::answering(answer(&json!({ "user": "ann" }))).await;
    let backend = Echoing::start().await;
    let url = format!("--set=identity.hook.url=http://{}/", hook.address);
    let upstream = format!("--upstream={}", backend.url());
    let arguments = [
        "--set=identity.mode=hook",
        &url,
        &upstream,
        "--set=limits.managers_per_user=1",
        "--set=limits.temporary_slots.count=0",
        "--set=identity.hook.cache_ms=600000",
    ];
    let bystander = Box::new(|dial: Dial| dial.device("d").header("authorization", "Bearer ann"));
    let mut stage = Stage::entering(tempfile::tempdir().unwrap(), &arguments, bystander).await;
    for expires in [json!(1), json!(0), json!(1.5), json!(-5)] {
        hook.change(answer(&json!({ "user": "ann", "expires_unix_s": expires })));
        let lines = format!("authorization: Bearer {expires}\r\n");
        let request = upgrade("/s28?key=other", "localhost", &lines);
        let reply = told(2, stage.public, request).await;
        assert_eq!(reply.status, 401, "{expires}: {}", reply.body);
    }
    hook.change(answer(&json!({ "user": "ann", "expires_unix_s": "soon" })));
    let odd = upgrade(
        "/s28?key=other",
        "localhost",
        "authorization: Bearer odd\r\n",
    );
    assert_eq!(told(2, stage.public, odd).await.status, 503);
    assert_eq!(backend.asked("/s28"), 0);
    // The bystander is ann, who holds her one place; the arrival joins it.
    hook.change(answer(&json!({ "user": "ann" })));
    stage.unharmed().await;
}

/// An empty set means that no key is good any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s36_an_empty_set_takes_every_key_back() {
    let issuer = Issuer::new("one");
    let keys = json!({ "keys": [issuer.public()] });
    let publisher = Scripted::answering(answer(&keys)).await;
    let mut stage = checking(&publisher, &issuer).await;
    publisher.change(answer(&json!({ "keys": [] })));
    let (at, ann) = (stage.public, bearer(&issuer, "ann"));
    let mut key = 0;
    until_async("the keys to be taken back", async || {
        key += 1;
        let request = upgrade(&format!("/ws?key=k{key}"), "localhost", &ann);
        told(2, at, request).await.status == 401
    })
    .await;
    // And given again.
    publisher.change(answer(&keys));
    until_async("the keys to be good again", async || {
        let request = upgrade("/ws?key=k", "localhost", &ann);
        told(2, at, request).await.status == 101
    })
    .await;
    stage.unharmed().await;
}

/// A set of 301 keys is not taken over in part: what was known stays, and the log names the bound.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s36_a_set_of_too_many_keys_is_told() {
    let issuer = Issuer::new("last");
    let publisher = Scripted::answering(answer(&json!({ "keys": [issuer.public()] }))).await;
    let mut stage = checking(&publisher, &issuer).await;
    let mut keys: Vec<Value> = (0..300)
        .map(|at| Issuer::new(&format!("k{at}")).public())
        .collect();
    let new = Issuer::new("new");
    keys.push(new.public());
    publisher.change(answer(&json!({ "keys": keys })));
    let request = upgrade("/ws", "localhost", &bearer(&new, "ann"));
    let at = stage.public;
    until_async("the set to be asked for", async || {
        let status = told(2, at, &request).await.status;
        assert_eq!(status, 401);
        stage.log().contains("identity.jwt.keys_max")
    })
    .await;
    let log = stage.log();
    assert!(log.contains("301 keys") && log.contains("(64)"), "{log}");
    until("the log", || {
        stage.log().contains("those that were read before stay")
    })
    .await;
    stage.unharmed().await;
}
