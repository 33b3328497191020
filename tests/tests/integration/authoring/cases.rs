//! Folders of cases and of snapshots: `policy test` and `policy diff`.

use std::fs;

use wastegate_tests::guests::guest;
use wastegate_tests::harness::Program;

use super::{Files, HOUSE, json, text};
use crate::cli::{PROGRAM, run};

const WRONG: &str = r#"{ "about": "whoever is busy", "snapshot": "../house.json",
    "expect": { "order": ["busy", "idle"], "victims": ["idle"], "spared": ["silent"] } }"#;
const RIGHT: &str = r#"{ "snapshot": "../house.json", "needed": 2,
    "expect": { "order": ["idle"], "victims": ["silent", "idle"], "spared": ["busy"], "answers": true } }"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_case_is_shown_side_by_side_and_written_for_build_servers() {
    let files = Files::new();
    files.write("house.json", HOUSE);
    files.write("cases/deep/right.json", RIGHT.replace("../", "../../"));
    files.write("cases/wrong.json", WRONG);
    let folder = text(files.0.path());
    let junit = text(&files.at("report.xml"));
    let (code, shown, complaints) = run(&[
        "policy", "test", &folder, "--policy", "lru", "--junit", &junit,
    ])
    .await;
    assert_eq!((code, complaints.as_str()), (Some(1), ""), "{shown}");
    for told in [
        "FAIL wrong.json\n  whoever is busy\n",
        "the ranking should begin busy, idle and begins idle, silent",
        "the host should take idle and takes silent",
        "the host takes silent, who should stay",
        "2 cases, 1 passed, 1 failed; most fuel ",
    ] {
        assert!(shown.contains(told), "{told:?} in\n{shown}");
    }
    let line = |words: &[&str]| {
        let has = |line: &str| {
            line.split_whitespace()
                .take(words.len())
                .eq(words.iter().copied())
        };
        assert!(shown.lines().any(has), "{words:?} in\n{shown}");
    };
    line(&["1", "busy", "idle", "least", "recently", "used"]);
    line(&["silent", "2", "taken", "4", "s"]);
    let report = fs::read_to_string(&junit).unwrap();
    assert!(
        report.contains(r#"tests="2" skipped="0" failures="1" errors="0""#),
        "{report}"
    );
    assert!(
        report.contains(r#"name="deep/right.json" classname="lru""#),
        "{report}"
    );
    assert!(
        report.contains(r#"type="order,victims,spared""#),
        "{report}"
    );

    let only = [
        "policy", "test", &folder, "--policy", "lru", "--filter", "deep/", "--json",
    ];
    let (code, shown, _) = run(&only).await;
    assert_eq!(code, Some(0));
    let found = json(&shown);
    assert_eq!(
        (&found["passed"], &found["cases"][0]["name"]),
        (&1.into(), &"deep/right.json".into())
    );
    assert!(found["cases"][0]["fuel"].as_u64().unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_ends_with_66_and_says_what_to_mend() {
    let files = Files::new();
    files.write("house.json", HOUSE);
    files.write("cases/right.json", RIGHT);
    files.write("cases/broken.json", RIGHT.replace("victims", "victim"));
    files.write(
        "cases/params.json",
        RIGHT.replace("\"needed\": 2", "\"params\": { \"max-idle\": 1 }"),
    );
    let cases = text(&files.at("cases"));
    let (code, shown, _) = run(&["policy", "test", &cases, "--policy", "lru"]).await;
    assert_eq!(code, Some(66), "{shown}");
    assert!(
        shown.contains("unknown expectation `victim`; did you mean `victims`?"),
        "{shown}"
    );
    assert!(
        shown.contains("it has no parameters, so `max-idle` cannot be set"),
        "{shown}"
    );
    assert!(
        shown.contains("3 cases, 1 passed, 0 failed, 2 could not be tried"),
        "{shown}"
    );

    let (code, _, told) = run(&["policy", "test", &cases]).await;
    assert_eq!(code, Some(66));
    assert!(
        told.contains("which policy? give `--policy FILE`"),
        "{told}"
    );
    let none = [
        "policy", "test", &cases, "--policy", "lru", "--filter", "nothing",
    ];
    assert!(run(&none).await.2.contains("has \"nothing\" in its name"));
    files.write("wastegate-policy.toml", "file = \"target/mine.wasm\"\n");
    let (code, _, told) = run(&["policy", "test", &text(files.0.path())]).await;
    assert_eq!(code, Some(66));
    assert!(
        told.contains("target/mine.wasm is not there yet; build it with"),
        "{told}"
    );
    files.write("target/mine.wasm", guest("reversed"));
    let (code, shown, told) = run(&["policy", "test", &cases, "--filter", "right"]).await;
    assert_eq!((code, told.as_str()), (Some(1), ""), "{shown}");
    assert!(shown.contains("reversed 1.0.0: 1 cases"), "{shown}");

    let activity = files.write(
        "activity.ndjson",
        r#"{"t_ms":1,"user":"a","key":"b","kind":"open"}"#,
    );
    let (code, _, told) = run(&["policy", "diff", "lru", "fifo", "--activity", &activity]).await;
    assert_eq!(code, Some(66));
    assert!(told.contains("give the decision journal"), "{told}");
    let (code, _, told) = run(&["policy", "diff", "lru", "fifo"]).await;
    assert_eq!(code, Some(2), "{told}");
}

/// A change of a case is seen by what is in it, and the end is that of the last run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_watch_runs_again_when_a_case_changes() {
    let files = Files::new();
    files.write("house.json", HOUSE);
    files.write("cases/one.json", WRONG);
    let cases = text(&files.at("cases"));
    let mut program = Program::start(
        PROGRAM,
        &["policy", "test", &cases, "--policy", "lru", "--watch"],
    );
    let mut summary = async || loop {
        let line = program.line().await;
        if line.starts_with("lru ") {
            break line;
        }
    };
    assert!(summary().await.contains("1 cases, 0 passed, 1 failed"));
    files.write("cases/one.json", RIGHT);
    assert!(summary().await.contains("1 cases, 1 passed, 0 failed"));
    files.write("cases/two.json", RIGHT);
    assert!(summary().await.contains("2 cases, 2 passed, 0 failed"));
    program.terminate();
    let (status, _) = program.finish().await;
    assert_eq!(status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_policies_part_where_their_signals_do() {
    let files = Files::new();
    let alive = HOUSE.replace("half-open", "alive");
    files.write("snapshots/a.json", &alive);
    files.write("snapshots/b.json", alive.replace("4000", "40"));
    let snapshots = text(&files.at("snapshots"));
    let reversed = files.write("reversed.wasm", guest("reversed"));
    let (code, shown, _) = run(&[
        "policy",
        "diff",
        "lru",
        &reversed,
        "--snapshots",
        &snapshots,
        "--json",
    ])
    .await;
    assert_eq!(code, Some(0), "{shown}");
    let found = json(&shown);
    assert_eq!(
        (&found["snapshots"], &found["other_victims"]),
        (&2.into(), &2.into())
    );
    let worst = &found["partings"][0];
    assert!(
        worst["snapshot"].as_str().unwrap().ends_with("b.json"),
        "the more recently active: {shown}"
    );
    assert_eq!(
        (&worst["only_a"][0]["key"], &worst["only_b"][0]["key"]),
        (&"idle".into(), &"silent".into())
    );
    assert!(
        worst["harm"].as_f64().unwrap() < 0.0,
        "the second does more harm"
    );
    assert_eq!(worst["because"][0]["signal"], "idle-ms");
    assert_eq!(found["told_apart_by"][0]["partings"], 2);
    let traps = files.write("traps.wasm", guest("traps"));
    let (_, shown, _) = run(&["policy", "diff", "lru", &traps, "--snapshots", &snapshots]).await;
    assert!(
        shown.contains("traps failed     2 (100.0 %), where the host's own ranking stood in"),
        "{shown}"
    );
}
