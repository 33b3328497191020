//! Places: connections that never upgrade, many requests of one connection, pages beside WebSockets.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use wastegate_tests::harness::http::read_head;
use wastegate_tests::harness::scripted::Scripted;
use wastegate_tests::harness::{timed, within};

use crate::echoing::{Echoing, from, is_over, say, told, upgrade};
use crate::stage::Stage;

/// Nobody at this machine is a proxy, so that each of its addresses counts.
const STRANGERS: &str = "gateway.trusted_proxies=10.0.0.0/8";
/// Another attacker than the bystanders.
const ATTACKER: u8 = 2;

/// 300 connections of one address ask for something that there is not, and stay. Each is answered and
/// closed: none is held, and the next upgrade of that address is let in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_what_is_refused_holds_nothing() {
    let mut stage = Stage::with(&[
        "--set=limits.connections_total=300",
        "--set=gateway.caps.half_open_per_address_max=20",
        "--set",
        STRANGERS,
    ])
    .await;
    for _ in 0..300 {
        let mut stream = from(ATTACKER, stage.public).await;
        let answer = say(&mut stream, "GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 404);
        assert_eq!(answer.header("connection"), Some("close"));
        drop(within("the end", read_head(&mut stream)).await);
    }
    let good = upgrade("/ws?user=eve", "localhost", "");
    assert_eq!(told(ATTACKER, stage.public, good).await.status, 101);
    stage.unharmed().await;
}

/// Connections of one address that say nothing, or half of a head: 20 of them are there, the others are
/// turned away, and when their time is over all are gone, whatever they send.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_strangers_are_counted_and_have_a_lifetime() {
    let mut stage = Stage::with(&[
        "--set=gateway.caps.half_open_per_address_max=20",
        "--set=gateway.caps.half_open_lifetime_ms=700",
        "--set=gateway.header_timeout_ms=60000",
        "--set",
        STRANGERS,
    ])
    .await;
    let mut held = Vec::new();
    for _ in 0..20 {
        let mut stream = from(ATTACKER, stage.public).await;
        stream.write_all(b"GET /ws HTTP/1.1\r\n").await.unwrap();
        held.push(stream);
    }
    let one_more = told(ATTACKER, stage.public, "").await;
    assert_eq!(one_more.status, 429);
    stage.unharmed().await;
    let over = async {
        for mut stream in held {
            // A line now and then buys no time.
            let _ = stream.write_all(b"x: y\r\n").await;
            assert!(is_over(&mut stream).await);
        }
    };
    let ((), took) = timed(over).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    let good = upgrade("/ws?user=eve", "localhost", "");
    assert_eq!(told(ATTACKER, stage.public, good).await.status, 101);
    stage.unharmed().await;
}

/// All defaults, one address, 500 connections with a small request each, all left open: none is held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s11_with_all_defaults_an_address_holds_no_place_by_small_requests() {
    let mut stage = Stage::with(&[]).await;
    let mut streams = Vec::new();
    for _ in 0..500 {
        let mut stream = from(ATTACKER, stage.public).await;
        let request = "GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n";
        assert_eq!(say(&mut stream, request).await.unwrap().status, 404);
        streams.push(stream);
    }
    for stream in &mut streams {
        // The second request of each finds nobody.
        let again = say(stream, "GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        assert!(again.is_none());
    }
    stage.unharmed().await;
}

/// What a hook answers to who it does not know.
const UNKNOWN: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// What it answers to who it knows.
const KNOWN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 20\r\nconnection: close\r\n\r\n\
    {\"user\":\"bystander\"}";

/// 2,000 upgrades with guessed tokens, one behind the other on one connection: on a fresh one, and on one
/// that has fetched a page. The hook is asked as often as an address may knock, and no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s12_guesses_are_charged_each() {
    let mut hook = Scripted::answering(KNOWN).await;
    let backend = Echoing::start().await;
    let url = format!("--set=identity.hook.url=http://{}/", hook.address);
    let upstream = format!("--upstream={}", backend.url());
    let mut stage = Stage::with(&[
        "--set=identity.mode=hook",
        &url,
        &upstream,
        "--set=gateway.caps.per_address_per_s_max=5",
        "--set",
        STRANGERS,
    ])
    .await;
    hook.change(UNKNOWN);
    assert_eq!(hook.count(), 1, "the bystander");
    let mut guesses = String::new();
    for number in 0..2_000 {
        let guess = format!("authorization: Bearer guess-{number}\r\n");
        guesses.push_str(&upgrade("/ws", "localhost", &guess));
    }
    let mut fresh = from(ATTACKER, stage.public).await;
    let answer = say(&mut fresh, &guesses).await;
    assert!(answer.is_none_or(|head| head.status == 401));
    drop(fresh);

    let mut kept = from(ATTACKER, stage.public).await;
    let page = say(&mut kept, "GET /page HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(page.unwrap().status, 200);
    let (mut reader, mut writer) = kept.into_split();
    let sent = async {
        // It is not read to its end.
        let _ = writer.write_all(guesses.as_bytes()).await;
    };
    let heard = async {
        let mut all = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut all).await;
        String::from_utf8_lossy(&all).into_owned()
    };
    let ((), heard) = within("the end of it", async { tokio::join!(sent, heard) }).await;
    let asked = hook.count();
    assert!(
        (2..=40).contains(&asked),
        "the hook was asked {asked} times\n{heard}"
    );
    hook.change(KNOWN);
    stage.unharmed().await;
}

/// The same through a trusted proxy, which brings each guess over a connection of its own: it is the client
/// that the proxy names whose guesses are counted, and the proxy's other clients guess on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s12_guesses_through_a_proxy_are_charged_to_their_client() {
    let mut hook = Scripted::answering(KNOWN).await;
    let backend = Echoing::start().await;
    let url = format!("--set=identity.hook.url=http://{}/", hook.address);
    let upstream = format!("--upstream={}", backend.url());
    let mut stage = Stage::with(&[
        "--set=identity.mode=hook",
        &url,
        &upstream,
        "--set=gateway.caps.per_address_per_s_max=5",
    ])
    .await;
    hook.change(UNKNOWN);
    assert_eq!(hook.count(), 1, "the bystander");
    let guess = |client: &str, number: usize| {
        let lines =
            format!("x-forwarded-for: {client}\r\nauthorization: Bearer guess-{number}\r\n");
        upgrade("/ws", "localhost", &lines)
    };
    let mut turned_away = 0;
    for number in 0..200 {
        let reply = told(ATTACKER, stage.public, guess("203.0.113.9", number)).await;
        assert!(matches!(reply.status, 401 | 429), "{reply:?}");
        turned_away += u32::from(reply.status == 429);
    }
    let asked = hook.count();
    assert!(
        (2..=60).contains(&asked),
        "the hook was asked {asked} times"
    );
    assert!(turned_away >= 140, "{turned_away}");
    let other = told(ATTACKER, stage.public, guess("203.0.113.10", 0)).await;
    assert_eq!(other.status, 401, "{other:?}");
    hook.change(KNOWN);
    stage.unharmed().await;
}

/// Pages that are held open take no place of a WebSocket, have a cap for each address, and end when they
/// rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_pages_take_no_place_of_a_websocket() {
    let backend = Echoing::start().await;
    let upstream = format!("--upstream={}", backend.url());
    let mut stage = Stage::with(&[
        &upstream,
        "--set=limits.connections_total=3",
        "--set=gateway.http_connections_per_address_max=8",
        "--set=gateway.http_rest_ms=1500",
        "--set",
        STRANGERS,
    ])
    .await;
    let page = "GET /page HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut pages = Vec::new();
    for _ in 0..8 {
        let mut stream = from(ATTACKER, stage.public).await;
        assert_eq!(say(&mut stream, page).await.unwrap().status, 200);
        pages.push(stream);
    }
    let mut ninth = from(ATTACKER, stage.public).await;
    let refused = say(&mut ninth, page).await.unwrap();
    assert_eq!(
        (refused.status, refused.header("connection")),
        (429, Some("close"))
    );
    assert_eq!(
        told(
            3,
            stage.public,
            page.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")
        )
        .await
        .status,
        200
    );
    stage.unharmed().await;
    // One of them becomes a WebSocket after all: it takes a place then.
    let upgraded = upgrade("/ws?user=eve", "localhost", "");
    let first = pages.first_mut().unwrap();
    assert_eq!(say(first, &upgraded).await.unwrap().status, 101);
    for stream in pages.iter_mut().skip(1) {
        let mut rest = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(stream, &mut rest);
        let _ = within("a page that rests to be closed", read).await;
    }
    stage.unharmed().await;
}

/// Requests for pages have a rate of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_pages_have_a_rate() {
    let backend = Echoing::start().await;
    let upstream = format!("--upstream={}", backend.url());
    let mut stage = Stage::with(&[
        &upstream,
        "--set=gateway.http_requests_per_address_per_s_max=2",
        "--set",
        STRANGERS,
    ])
    .await;
    let mut stream = from(ATTACKER, stage.public).await;
    let mut served = 0;
    let refused = loop {
        let head = say(
            &mut stream,
            "GET /flood HTTP/1.1\r\nhost: localhost\r\n\r\n",
        )
        .await;
        let head = head.expect("an answer");
        if head.status != 200 {
            break head;
        }
        served += 1;
        assert!(served < 100, "nobody counts");
    };
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    assert!((10..30).contains(&served), "{served}");
    assert_eq!(backend.asked("/flood"), served);
    stage.unharmed().await;
}
