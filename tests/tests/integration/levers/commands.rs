//! The verbs for users and levers, by the real program against a running server.

use serde_json::Value;
use wastegate_tests::harness::{Server, Setup};

use super::audit;
use crate::cli::{operate, run};

/// What a verb prints that has to work.
async fn done(server: &Server, line: &[&str]) -> String {
    let (code, out, err) = operate(server, "olga", line).await;
    assert_eq!((code, err.as_str()), (Some(0), ""), "{line:?}");
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_and_levers_from_a_shell() {
    let server = Setup::new().limit(3).start().await;
    let mut hers = server.fill("ann", 3).await;
    let mut his = server.fill("bob", 1).await;
    let listed = done(&server, &["users"]).await;
    let lines: Vec<Vec<&str>> = listed
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines,
        [
            vec![
                "USER", "HELD", "LIMIT", "LENT", "PRESSURE", "EVICTED", "LEVERS"
            ],
            vec!["ann", "3", "3", "0", "emergency", "0"],
            vec!["bob", "1", "3", "0", "normal", "0"],
        ]
    );
    let one = done(&server, &["users", "--order", "name", "--limit", "1"]).await;
    assert!(one.contains("1 of 2 users; more with --cursor "), "{one}");
    let user = done(&server, &["user", "ann"]).await;
    assert!(
        user.starts_with("ann: holds 3, limit 3, pressure emergency\n"),
        "{user}"
    );
    assert!(user.contains("k1   attached"), "{user}");

    let line = ["limit", "ann", "9", "--for", "1h", "--reason", "ticket 7"];
    let set = done(&server, &line).await;
    assert!(set.starts_with("ann: limit 9 until 20"), "{set}");
    assert!(set.contains("(ticket 7; olga (127.0.0.1:"), "{set}");
    assert!(
        set.ends_with("in memory only: a restart ends it\n"),
        "{set}"
    );
    let cleared = done(&server, &["limit", "ann", "--clear"]).await;
    assert!(cleared.starts_with("ann: taken back\n"), "{cleared}");

    // A URL parser would make all of hers of it.
    for name in [".", ".."] {
        let line = ["evict", "ann", name, "--reason", "stuck"];
        let (code, _, err) = operate(&server, "olga", &line).await;
        assert_eq!(code, Some(64), "{err}");
    }
    assert_eq!(server.held("ann"), 3);
    let line = ["evict", "ann", "k1", "--reason", "stuck"];
    assert_eq!(done(&server, &line).await, "k1: evicted\n");
    let line = ["block", "ann", "--for", "10m", "--reason", "\u{1b}[31m</b>"];
    let blocked = done(&server, &line).await;
    assert!(blocked.contains("  2 managers evicted\n"), "{blocked}");
    assert!(!blocked.contains('\u{1b}'), "{blocked}");
    for client in hers.iter_mut().skip(1) {
        assert_eq!(client.closed().await, 4504);
    }
    let json = done(&server, &["users", "--filter", "ann", "--json"]).await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        json["users"][0]["levers"]["block"]["reason"],
        "\u{1b}[31m</b>"
    );
    let line = ["unblock", "ann", "--reason", "a test"];
    assert!(done(&server, &line).await.starts_with("ann: taken back\n"));
    server.enter("ann", "k1").await.echo("back").await;
    his[0].echo("here").await;
    let line = ["evict", "bob", "--reason", "all of his"];
    assert_eq!(done(&server, &line).await, "bob: 1 managers evicted\n");

    let said = audit(&server, "ann").await;
    let words: Vec<_> = said.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(
        words,
        [
            "limit-set",
            "limit-cleared",
            "evicted",
            "user-blocked",
            "user-unblocked"
        ]
    );
    let log = done(&server, &["policy", "audit", "--last", "1"]).await;
    assert!(log.contains("user bob"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_refused_in_a_sentence() {
    let server = Setup::new().start().await;
    for (line, code, part) in [
        (&["limit", "ann"][..], 2, "<N>"),
        (&["limit", "ann", "4"], 2, "--reason"),
        (&["block", "ann"], 2, "--reason"),
        (
            &["block", "ann", "--for", "soon", "--reason", "x"],
            2,
            "such as 90s or 1h",
        ),
        (
            &["block", "ann", "--for", "999d", "--reason", "x"],
            1,
            "`for_s` has to be",
        ),
        (
            &["limit", "ann", "0", "--reason", "x"],
            1,
            "to keep a user out, block it",
        ),
        (
            &["evict", "ann", "nothing", "--reason", "x"],
            1,
            "no such manager",
        ),
        (
            &["users", "--limit", "0"],
            1,
            "`limit` has to be from 1 to 1000",
        ),
    ] {
        let (found, out, err) = operate(&server, "olga", line).await;
        assert_eq!((found, out.as_str()), (Some(code), ""), "{line:?}: {err}");
        assert!(err.contains(part), "{line:?}: {err}");
    }
    for (verb, example) in [
        ("users", "wastegate users --order held"),
        ("user", "wastegate user ann"),
        ("limit", "wastegate limit ann 40 --for 1h"),
        ("evict", "wastegate evict ann chat-1"),
        ("block", "wastegate block ann --for 10m"),
        ("unblock", "wastegate unblock ann"),
    ] {
        let (_, help, _) = run(&[verb, "--help"]).await;
        assert!(help.contains(example), "{verb}: {help}");
    }
}
