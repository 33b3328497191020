//! The author's verbs of the program, `policy run`, `test` and `diff`: on files, on what a server
//! hands out, with policies that ship and policies that misbehave.

mod cases;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use wastegate_engine::policy::TestCase;
use wastegate_tests::guests::guest;
use wastegate_tests::harness::Setup;

use crate::cli::run;
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
        // Whole or not at all: somebody may be watching.
        let half = path.with_extension("half");
        fs::write(&half, bytes).unwrap();
        fs::rename(half, &path).unwrap();
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
        shown.contains(" of 26,000 ("),
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
        shown.contains("the policy used all of its 26000 units of fuel"),
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
    let saved = text(&files.at("saved.json"));
    let save = [
        "policy",
        "run",
        "lru",
        "--snapshot",
        &journal,
        "--save",
        &saved,
        "--json",
    ];
    let first = json(&run(&save).await.1);
    let again = ["policy", "run", "lru", "--snapshot", &saved, "--json"];
    let found = json(&run(&again).await.1);
    assert_eq!(found["ranking"], first["ranking"], "kept as it was");
    assert_eq!(found["fuel"], first["fuel"]);
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
    // The same by `replay`, which says what it is worth, and of J15: it compares no policy that reads
    // more than the journal holds.
    let open = ["replay", "--open-loop", "--activity", &journal];
    let two = ["--policy", "lru", "--policy", "lru"];
    let (code, shown, _) = run(&[&open[..], &two].concat()).await;
    assert_eq!(code, Some(0));
    assert!(
        shown.starts_with("Open loop: ") && shown.contains("it is no verdict"),
        "{shown}"
    );
    assert!(
        shown.contains("lru (A) and lru (B) on 2 snapshots"),
        "{shown}"
    );
    let other = ["--policy", "lru", "--policy", "fifo"];
    let (code, shown, told) = run(&[&open[..], &other].concat()).await;
    assert_eq!((code, shown.as_str()), (Some(1), ""));
    let refusal = "`age-ms`, which `fifo` reads, is missing in 2 decisions, and none remains";
    assert!(told.contains(refusal), "{told}");
    assert!(
        told.contains("replay --activity FILE --policy fifo"),
        "{told}"
    );
    let (code, _, told) = run(&[&open[..], &two[..2]].concat()).await;
    assert_eq!(code, Some(1));
    assert!(told.contains("name two with --policy"), "{told}");
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
