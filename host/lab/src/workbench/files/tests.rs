//! What is refused, in which words, and what servers write is read as it was.

use std::fs;

use wastegate_blessed::is_current;

use super::*;
use crate::workbench::testing::shipped_policy;
use wastegate_core::decision::TierTable;
use wastegate_core::types::{Scope, Signal, Tier};

#[test]
fn each_is_refused_in_these_words() {
    let (heading, cases) = include_str!("malformed.txt").split_once("\n\n").unwrap();
    let ran: Vec<String> = cases.split("\n\n").map(run).collect();
    assert!(ran.len() > 40, "{} cases were read", ran.len());
    let found = format!("{heading}\n\n{}\n", ran.join("\n\n"));
    is_current(
        "host/lab/src/workbench/files/malformed.txt",
        "workbench::files",
        &found,
    );
}

/// A case with what is said of it now.
fn run(case: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("good.json"),
        r#"{ "rows": [ { "key": "a" } ] }"#,
    )
    .unwrap();
    fs::write(
        folder.path().join("case.json"),
        r#"{ "snapshot": "good.json", "expect": { "answers": true } }"#,
    )
    .unwrap();
    let (mut file, mut shown) = (String::new(), Vec::new());
    let mut name = "FILE";
    for line in case.lines() {
        if let Some(text) = line.strip_prefix('|') {
            file.push_str(text.strip_prefix(' ').unwrap_or(text));
            file.push('\n');
        } else if line.starts_with("! ") {
            continue;
        } else {
            name = line;
        }
        shown.push(line.to_owned());
    }
    let path = folder.path().join(name);
    fs::write(&path, file).unwrap();
    let error = read(&path).expect_err(case);
    let mut message = error.to_string();
    if let Some(source) = std::error::Error::source(&error) {
        message = format!("{message}: {source}");
    }
    let message = message.replace(&format!("{}/", folder.path().display()), "");
    shown.extend(message.lines().map(|line| format!("! {line}")));
    shown.join("\n")
}

/// Reads a text as a file of that name.
fn read_as(name: &str, text: &str) -> Case {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    read(&path).unwrap()
}

/// A decision is asked again to the bit: the same rows in the same order, though the default table
/// would let go of none of them at that tier.
#[test]
fn a_line_of_the_journal_is_the_question_of_that_time() {
    let case = read_as("decisions.ndjson", include_str!("../diff/record.jsonl"));
    let CaseOrigin::Record { decision, signals } = &case.origin else {
        panic!("{:?}", case.origin)
    };
    assert_eq!(*decision, 41);
    assert!(signals.contains(&Signal::Health), "a fact of the record");
    let question = case.snapshot.question(&TierTable::default());
    assert_eq!((question.tier, question.scope), (Tier::Force, Scope::User));
    assert_eq!((question.needed, question.most, question.seed), (1, 1, 99));
    let idle: Vec<f64> = question.rows.iter().map(|row| row.idle_ms()).collect();
    assert_eq!(idle[0], 61_500.5);
    assert!(idle[1].is_nan(), "unknown stays unknown");
    assert_eq!(question.rows[1].class().unwrap().name(), "half-open");
    assert_eq!(question.rows[2].protection.code(), 1.0);
}

/// A captured fault is the very input again, also when it is written in our own form meanwhile.
#[test]
fn a_captured_fault_is_the_very_input() {
    let text = r#"{ "v": 1, "policy": "lru", "digest": "00", "engine": "wasmtime", "fault": "trapped: unreachable",
        "tier": "moderate", "scope": "node", "needed": 3, "limit": 50, "held": 49, "now_ms": 77, "seed": 5,
        "params": [], "rows": 3, "signals": ["idle-ms"], "columns": [[1.5, null, 90000.0]] }"#;
    let fault: TestCase = serde_json::from_str(text).unwrap();
    let case = read_as("fault.json", text);
    assert_eq!(case.params, CaseParams::Captured(Vec::new()));
    let again = read_as("snapshot.json", &case.snapshot.to_json());
    let program = shipped_policy("lru");
    for snapshot in [&case.snapshot, &again.snapshot] {
        let input = program.input(&snapshot.question(&TierTable::default()));
        assert_eq!(format!("{input:?}"), format!("{:?}", fault.input()));
    }
}

#[test]
fn an_operators_view_of_a_user_is_a_snapshot() {
    let text = r#"{ "user": "ann", "held": 2, "limit": 4, "managers": [
        { "key": "a", "standing": "expired", "health": "alive", "class": "expired",
          "protection": { "level": "evictable" }, "signals": { "idle-ms": 7.5, "health": 1.0, "connections": 0.0 } },
        { "key": "b", "standing": "attached", "health": "dead", "class": "dead",
          "protection": { "level": "protected", "reason": "in-flight" },
          "signals": { "idle-ms": 3.0, "health": 6.0, "protection": 1.0 } } ] }"#;
    let case = read_as("ann.json", text);
    assert_eq!(case.origin, CaseOrigin::User);
    assert_eq!((case.snapshot.limit, case.snapshot.held), (4, 2));
    let question = case.snapshot.question(&TierTable::default());
    let classes: Vec<&str> = question
        .rows
        .iter()
        .map(|row| row.class().unwrap().name())
        .collect();
    assert_eq!(classes, ["expired", "dead"]);
}

#[test]
fn a_case_names_its_snapshot_and_changes_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir(root.join("cases")).unwrap();
    fs::write(
        root.join("house.json"),
        r#"{ "needed": 1, "rows": [ { "key": "a" }, {} ] }"#,
    )
    .unwrap();
    let text = r#"{ "about": "both ways to name a row", "snapshot": "../house.json", "tier": "moderate", "needed": 2,
        "params": { "patience-ms": 5e4 }, "expect": { "order": ["a"], "spared": [1] } }"#;
    fs::write(root.join("cases/one.json"), text).unwrap();
    let case = read(&root.join("cases/one.json")).unwrap();
    assert_eq!(
        (case.snapshot.tier, case.snapshot.needed),
        (Tier::Moderate, 2)
    );
    assert_eq!(
        (case.expect.order, case.expect.spared),
        (Some(vec![0]), Some(vec![1]))
    );
    let CaseParams::Named(params) = case.params else {
        panic!("{:?}", case.params)
    };
    assert_eq!(params["patience-ms"], 50_000.0);
}

/// A snapshot, a case and a journal as other programs save them.
#[test]
fn p21_a_byte_order_mark_is_ignored() {
    let snapshot = "{ \"rows\": [ { \"key\": \"a\" } ] }";
    for name in ["snapshot.json", "snapshots.ndjson"] {
        let case = read_as(name, &format!("\u{feff}{snapshot}\n"));
        assert_eq!(case.snapshot.rows.len(), 1, "{name}");
    }
    let case = format!("{{ \"snapshot\": {snapshot}, \"expect\": {{ \"answers\": true }} }}");
    let case = read_as("case.json", &format!("\u{feff}{case}"));
    assert_eq!(case.origin, CaseOrigin::Case);
    let record = include_str!("../diff/record.jsonl");
    let case = read_as("decisions.ndjson", &format!("\u{feff}{record}"));
    assert!(matches!(case.origin, CaseOrigin::Record { .. }));
}

#[test]
fn p22_other_encodings_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshot.json");
    for (bytes, name) in [
        (b"\x1f\x8b\x08\0".as_slice(), "gzip"),
        (b"\xff\xfe{\0", "UTF-16"),
        (b"{\0\n\0", "UTF-16"),
    ] {
        fs::write(&path, bytes).unwrap();
        let report = read(&path).unwrap_err().to_string();
        assert!(
            report.contains("snapshot.json: ") && report.contains(name),
            "{report}"
        );
    }
}

#[test]
fn a_folder_is_walked_in_order_and_not_too_deep() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for path in [
        "b.json",
        "a/z.json",
        ".git/x.json",
        "a/.hidden.json",
        "a/note.txt",
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    std::os::unix::fs::symlink(root, root.join("a/loop")).unwrap();
    let found = walk(root, |name| name.ends_with(".json")).unwrap();
    assert_eq!(found, [root.join("a/z.json"), root.join("b.json")]);
    let deep = root.join(["d"; DEPTH_MAX + 1].join("/"));
    fs::create_dir_all(&deep).unwrap();
    let report = walk(root, |_| true).unwrap_err().to_string();
    assert!(
        report.contains("more than 16 folders deep (DEPTH_MAX)"),
        "{report}"
    );
}
