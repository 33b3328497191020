//! S32: a client that would fill the log.

use futures_util::future::join_all;
use wastegate_tests::harness::until;

use crate::command::{request, settings, status};
use crate::stage::{Stage, ask};

/// How many refusals the lines of a kind stand for, and how many lines there are.
fn told(log: &str, of: &[&str]) -> (u64, usize) {
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| of.iter().any(|of| line.contains(of)))
        .collect();
    let count = |line: &&str| {
        let left_out = line.split("left_out=").nth(1);
        let left_out = left_out.and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
        let itself = u64::from(!line.contains("clients were refused"));
        left_out.unwrap_or_default() + itself
    };
    (lines.iter().map(count).sum(), lines.len())
}

/// 300 requests that are refused, as fast as one client can: a few lines, which count them all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s32_refused_requests_are_a_few_lines_with_counts() {
    let mut stage = Stage::with(&[]).await;
    let public = stage.public;
    let refused = b"GET /ws?key=k HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, close\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut first = String::new();
    for _ in 0..30 {
        let answers = (0..10).map(|_| ask(public, refused));
        for answer in join_all(answers).await {
            assert!(matches!(status(&answer), 400 | 401), "{answer}");
            first = answer;
        }
    }
    let kinds = ["a client is refused", "clients were refused"];
    until("all to be told", || told(&stage.log(), &kinds).0 >= 300).await;
    let (refusals, lines) = told(&stage.log(), &kinds);
    assert_eq!(refusals, 300, "{first}\n{}", stage.log());
    assert!(lines <= 30, "{lines} lines:\n{}", stage.log());
    stage.unharmed().await;
}

/// The same at the operators' listener, by somebody who guesses at the token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s32_guesses_at_the_token_are_a_few_lines() {
    let (folder, file) = settings("[admin]\ntoken = \"a token of some length\"\n");
    let mut stage = Stage::within(folder, &["--config", &file]).await;
    for number in 0..300 {
        let guess = format!("host: localhost\r\nauthorization: Bearer guess-{number}\r\n");
        let answer = request(stage.admin, "GET /v1/stats", &guess, b"").await;
        assert_eq!(status(&answer), 401);
    }
    let log = stage.log();
    assert!(
        log.matches("an operator's request is refused").count() <= 2,
        "{log}"
    );
    assert!(!log.contains("guess-"), "{log}");
    stage.unharmed().await;
}

/// A kind of line that nobody throttles at its place: clients that throw each other out at the limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s32_whatever_is_logged_is_bounded() {
    let mut stage = Stage::with(&[
        "--set",
        "limits.managers_per_user=1",
        "--set",
        "limits.temporary_slots.count=0",
        "--set",
        "cleanup.force_per_user_max=0",
        "--set",
        "cleanup.displaced_hold_ms=0",
        "--set",
        "admission.rate_max=0",
        "--set",
        "observe.log.repeats_per_s_max=2",
    ])
    .await;
    let mut held = Vec::new();
    for number in 0..40 {
        let dial = wastegate_tests::harness::Dial::to(stage.public, "loud", &format!("k{number}"));
        held.push(dial.connect().await);
    }
    let in_all = held.iter().filter(|client| client.is_ok()).count();
    assert!(in_all > 20, "{in_all}\n{}", stage.log());
    let lines = |log: &str| {
        log.lines()
            .filter(|line| line.contains(" evicted "))
            .count()
    };
    until("the rest to be told", || {
        let log = stage.log();
        log.contains("like_it_left_out=") || log.contains("log lines of one kind were left out")
    })
    .await;
    assert!(lines(&stage.log()) < in_all, "{}", stage.log());
    stage.unharmed().await;
}
