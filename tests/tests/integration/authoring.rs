//! The author's verbs of the program, `policy run`, `test` and `diff`: on files, on what a server
//! hands out, with policies that ship and policies that misbehave.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use wastegate::policy::TestCase;
use wastegate_tests::guests::guest;
use wastegate_tests::harness::{Program, Setup};

use crate::cli::{PROGRAM, run};
use crate::sleepers::{AWAKE, asleep};

const HOUSE: &str = r#"{ "needed": 1, "rows": [
    { "key": "idle", "idle-ms": 93000, "age-ms": 95000, "health": "alive" },
    { "key": "silent", "idle-ms": 4000, "age-ms": 99000, "health": "half-open" },
    { "key": "busy", "idle-ms": 12, "age-ms": 200000, "health": "alive", "protection": "protected" } ] }"#;

/// A folder with files.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        text(&path)
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn json(output: &str) -> Value {
    serde_json::from_str(output).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_shows_the_ranking_with_what_the_policy_read_and_what_the_host_does() {
    let files = Files::new();
    let house = files.write("house.json", HOUSE);
    let (code, shown, complaints) = run(&["policy", "run", "lru", "--snapshot", &house]).await;
    assert_eq!((code, complaints.as_str()), (Some(0), ""), "{shown}");
    let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let starts = |line: usize, words: &[&str]| {
        let found: Vec<&str> = lines[line].split_whitespace().take(words.len()).collect();
        assert_eq!(found, words, "{shown}");
    };
    starts(2, &["place", "row", "score", "reason", "host", "idle-ms"]);
    starts(3, &["1", "idle", "93000"]);
    assert!(
        lines[3].contains("kept: it still answers") && lines[3].ends_with("93 s"),
        "{shown}"
    );
    assert!(
        lines[4].contains("taken") && lines[4].ends_with("4 s"),
        "{shown}"
    );
    assert!(!shown.contains("age-ms"), "it did not read that: {shown}");
    assert!(
        shown.contains(" of 23,000 ("),
        "its fuel, of what it has: {shown}"
    );

    let moderate = [
        "policy",
        "run",
        "lru",
        "--snapshot",
        &house,
        "--tier",
        "aggressive",
        "--json",
    ];
    let found = json(&run(&moderate).await.1);
    assert_eq!(found["ranking"][0]["key"], "silent");
    assert_eq!(found["ranking"][0]["host"], "taken");
    assert_eq!(found["ranking"][0]["signals"]["idle-ms"], 4000.0);
    let aside: Vec<&str> = (1..3)
        .map(|row| found["ranking"][row]["host"].as_str().unwrap())
        .collect();
    assert_eq!(aside, ["not-asked", "not-asked"], "{found}");

    let wrong = [
        "policy",
        "run",
        "scaled-idle-timeout",
        "--snapshot",
        &house,
        "--param",
        "max-idle=1",
    ];
    let (code, _, complaints) = run(&wrong).await;
    assert_eq!(code, Some(1));
    assert!(
        complaints.contains("it has no parameter `max-idle`; did you mean `"),
        "{complaints}"
    );
    let (code, _, complaints) = run(&["policy", "run", "lru", "--snapshot", "no/such.json"]).await;
    assert_eq!(code, Some(66));
    assert!(
        complaints.starts_with("error: no/such.json cannot be read: No such file"),
        "{complaints}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_shows_faults_strikes_and_log_lines() {
    let files = Files::new();
    let house = files.write("house.json", HOUSE);
    let with = |name: &str| files.write(&format!("{name}.wasm"), guest(name));
    let ask = async |name: &str, more: &[&str]| {
        let policy = with(name);
        let line = ["policy", "run", &policy, "--snapshot", &house];
        run(&[&line, more].concat()).await
    };
    let (code, shown, _) = ask("traps", &[]).await;
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("the policy trapped: "), "{shown}");
    assert!(shown.contains("taken, topped up by the host"), "{shown}");
    let (code, shown, _) = ask("spins", &[]).await;
    assert_eq!(code, Some(1));
    assert!(
        shown.contains("the policy used all of its 23000 units of fuel"),
        "{shown}"
    );
    let (_, shown, _) = ask("foreign-rows", &[]).await;
    assert!(shown.contains("struck: there is no such row"), "{shown}");
    let (_, shown, _) = ask("nan-scores", &["--json"]).await;
    assert_eq!(json(&shown)["ranking"][0]["struck"], "score-not-a-number");
    let (_, shown, _) = ask("log-flood", &["--json"]).await;
    let found = json(&shown);
    assert!(!found["log"].as_array().unwrap().is_empty(), "{found}");
    assert!(found["log_dropped"].as_u64().unwrap() > 0, "{found}");
}

/// What a server hands out is read as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_hands_out_is_a_snapshot() {
    let server = Setup::new().limit(3).policy("lru").journal().start().await;
    let mut clients = server.fill("ann", 3).await;
    let files = Files::new();
    let view = files.write("ann.json", &server.get("/v1/users/ann").await.body);
    let (code, shown, complaints) = run(&[
        "policy",
        "run",
        "qos-lexicographic",
        "--snapshot",
        &view,
        "--json",
    ])
    .await;
    assert_eq!(code, Some(0), "{complaints}");
    let found = json(&shown);
    assert_eq!((&found["held"], &found["limit"]), (&3.into(), &3.into()));
    assert_eq!(found["ranking"].as_array().unwrap().len(), 3, "{found}");

    for key in ["one", "two"] {
        clients.push(server.enter("ann", key).await);
    }
    let records = server.stop().await.decisions;
    assert_eq!(records.len(), 2);
    let lines: Vec<String> = records.iter().map(ToString::to_string).collect();
    let journal = files.write("decisions.ndjson", lines.join("\n"));
    // The policy of that time is asked again, and says again what it said.
    for record in &records {
        let decision = record["id"].to_string();
        let again = [
            "policy",
            "run",
            "lru",
            "--snapshot",
            &journal,
            "--decision",
            &decision,
            "--json",
        ];
        let (code, shown, complaints) = run(&again).await;
        assert_eq!(code, Some(0), "{complaints}");
        let found = json(&shown);
        assert_eq!(found["fuel"], record["fuel"], "to the unit of fuel");
        let rows: Vec<&Value> = found["ranking"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| &entry["row"])
            .collect();
        let then: Vec<&Value> = record["ranking"]
            .as_array()
            .unwrap()
            .iter()
            .map(|choice| &choice[0])
            .collect();
        assert_eq!(rows[..then.len()], then[..]);
        assert_eq!(found["victims"][0], record["victims"][0]["row"]);
    }
    let same = [
        "policy",
        "diff",
        "lru",
        "lru",
        "--activity",
        &journal,
        "--json",
    ];
    let found = json(&run(&same).await.1);
    assert_eq!(
        (&found["snapshots"], &found["same_ranking"]),
        (&2.into(), &2.into())
    );
    let other = ["policy", "diff", "lru", "fifo", "--activity", &journal];
    let (code, shown, _) = run(&other).await;
    assert_eq!(code, Some(0));
    assert!(
        shown.contains("note: fifo reads age-ms, which was not recorded in 2 (100.0 %)"),
        "{shown}"
    );
}

/// A fault that a server captured is a case that fails until the policy is mended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_captured_fault_is_a_ready_made_case() {
    let server = asleep(1.0).start().await;
    let _clients = server.fill("ann", AWAKE).await;
    let mut events = server.events();
    let _new = server.enter("ann", "new").await;
    let decided = events.decided().await;
    let policy = server.catalog.current().unwrap();
    let fault = decided.answer.outcome.as_ref().expect_err("it was awake");
    let captured = TestCase::new(&policy, &policy.input(&decided.question), fault);
    let files = Files::new();
    files.write(
        "cases/fault.json",
        serde_json::to_string_pretty(&captured).unwrap(),
    );
    let (cases, sleeper) = (
        text(&files.at("cases")),
        files.write("sleeper.wasm", guest("sleeper")),
    );

    let test = ["policy", "test", &cases, "--policy", &sleeper];
    let (code, shown, _) = run(&test).await;
    assert_eq!(code, Some(1), "{shown}");
    assert!(
        shown.contains("FAIL fault.json\n  `sleeper` once trapped: "),
        "{shown}"
    );
    assert!(shown.contains("\n  the policy trapped: "), "{shown}");
    assert!(shown.contains("7 rows in question"), "{shown}");

    let (code, shown, _) = run(&[&test[..], &["--param", "dream=0"]].concat()).await;
    assert_eq!(code, Some(0), "with another parameter it answers: {shown}");
    let (code, shown, _) = run(&["policy", "test", &cases, "--policy", "lru"]).await;
    assert_eq!(code, Some(0), "and so does another policy: {shown}");
    let ask = [
        "policy",
        "run",
        "lru",
        "--snapshot",
        &text(&files.at("cases/fault.json")),
    ];
    let (_, shown, _) = run(&ask).await;
    let note = "note: the parameters of that time do not fit this policy, which is asked with its defaults";
    assert!(shown.contains(note), "{shown}");
}

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
