//! S31: texts of policies, operators and files that a terminal would act on.

use std::fs;

use wastegate_core::types::visible::is_acted_on;
use wastegate_tests::guests::shipped;

use crate::command::{request, run, status};
use crate::stage::Stage;

/// What clears the screen, goes back to the beginning of a line, begins another, and turns the direction
/// of what follows.
const HOSTILE: &str = "\u{1b}[2J\r\n\u{202e}";

/// A shipped policy whose summary begins like that, and is as long as before.
fn hostile() -> Vec<u8> {
    let mut bytes = shipped("lru").to_vec();
    let summary = SUMMARY.as_bytes();
    let mut found = 0;
    for at in 0..bytes.len() - summary.len() {
        if bytes[at..].starts_with(summary) {
            bytes[at..at + HOSTILE.len()].copy_from_slice(HOSTILE.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "the summary of `lru` is another one");
    bytes
}

const SUMMARY: &str = "Evicts the managers that their users have left alone for longest.";

fn harmless(what: &str, said: &str) {
    let raw = said.chars().find(|c| is_acted_on(*c));
    assert_eq!(raw, None, "{what}: {said:?}");
}

/// Whoever looks at a policy's file, at what was done and why, or at the log, sees what is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s31_nothing_that_is_shown_is_acted_on() {
    let mut stage = Stage::with(&[]).await;
    let file = stage.folder.path().join("lru.wasm");
    fs::write(&file, hostile()).unwrap();
    let (file, url) = (file.to_str().unwrap(), format!("http://{}", stage.admin));
    let reason = format!("because{HOSTILE}of it");
    let remote = ["--admin", &url, "--as", "mallory\u{202e}\u{9b}31m"];
    let with = |verb: &[&'static str], more: &[&str]| -> Vec<String> {
        let all = ["policy"].iter().chain(verb).chain(more);
        all.map(|&word| word.to_owned()).collect()
    };
    let push = with(&["push"], &[file, "--activate", "--reason", &reason]);
    let asked = [
        (with(&["inspect"], &[file]), false),
        (with(&["inspect"], &[file, "--json"]), false),
        (with(&["check"], &[file]), false),
        (push, true),
        (with(&["list"], &[]), true),
        (with(&["history", "lru"], &[]), true),
        (with(&["audit"], &[]), true),
        (with(&["audit", "--json"], &[]), true),
    ];
    for (arguments, is_remote) in &asked {
        let mut all: Vec<&str> = arguments.iter().map(String::as_str).collect();
        if *is_remote {
            all.extend(remote);
        }
        let (code, said) = run(&all).await;
        assert_eq!(code, Some(0), "{all:?}: {said}");
        harmless(&format!("{all:?}"), &said);
        let shows_it = !all.contains(&"list") && !all.contains(&"check") && !all.contains(&"push");
        if shows_it {
            assert!(said.contains("\\u202e"), "{all:?}: {said}");
        }
        if all.contains(&"--json") {
            let value: Result<serde_json::Value, _> = serde_json::from_str(&said);
            assert!(value.unwrap().to_string().contains('\u{202e}'), "{said}");
        }
        // No line of it is the attacker's.
        let forged = said
            .lines()
            .any(|line| line.starts_with("of it") || line.starts_with("\\u202e"));
        assert!(!forged, "{said}");
    }
    // Errors repeat what they were given.
    let named = format!("no{HOSTILE}such");
    let (code, said) = run(&["policy", "check", &named]).await;
    assert_eq!(code, Some(66));
    harmless("an error", &said);
    // The log of the server has the reason and the actor in it, each in one line.
    let log = stage.log();
    harmless("the log", &log);
    let line = log.lines().find(|line| line.contains("because"));
    assert!(line.is_some_and(|line| line.contains("\\n")), "{log}");
    let answer = request(stage.admin, "GET /v1/audit", "host: localhost\r\n", b"").await;
    assert_eq!(status(&answer), 200);
    stage.unharmed().await;
}
