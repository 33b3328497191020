//! What the verbs have in common: how they end, and which budget they name.

use std::io;

use clap::Parser as _;
use serde_json::Value;

use super::*;
use crate::cli::Cli;
use crate::cli::exit::SIGPIPE_CODE;
use wastegate_engine::policy::testing::Guest;

/// Takes nothing.
struct Broken(io::ErrorKind);

impl io::Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_leaves_is_not_worth_a_word_and_a_full_disk_is() {
    let run = |kind| {
        let cli = Cli::try_parse_from(["wastegate", "policy", "check", "lru"]).unwrap();
        cli.run(Terminal {
            environment: crate::config::Environment::default(),
            out: &mut Broken(kind),
            err: &mut Vec::new(),
        })
    };
    let left = run(io::ErrorKind::BrokenPipe).unwrap();
    assert_eq!(left, ExitCode::from(SIGPIPE_CODE));
    let full = run(io::ErrorKind::StorageFull).unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
}

/// The result of `wastegate policy` with those arguments, and what it printed.
fn policy(args: &[&str]) -> (ExitCode, String) {
    let line = ["wastegate", "policy"].iter().chain(args);
    let cli = Cli::try_parse_from(line).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = cli.run(Terminal {
        environment: crate::config::Environment::default(),
        out: &mut out,
        err: &mut err,
    });
    let text = [out, err].map(|text| String::from_utf8(text).unwrap());
    (code.unwrap(), text.concat())
}

/// A heavy policy has a budget of its own, and every verb measures it against that one: 20,000,000
/// a call and 500,000 a row by default.
#[test]
fn every_verb_names_the_budget_of_a_heavy_policy() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let heavy = Guest {
        // More memory from the start than a slot has.
        pages: 64,
        ..Guest::default()
    };
    let guest = write("heavy.wasm", &heavy.wasm());
    let rows: Vec<String> = (0..20)
        .map(|row| format!(r#"{{"key": "k{row}", "idle-ms": {}}}"#, (20 - row) * 1_000))
        .collect();
    let snapshot = format!(
        r#"{{"v": 1, "tier": "force", "scope": "user", "needed": 1, "limit": 20, "held": 20, "now_ms": 86400000, "seed": 7, "rows": [{}]}}"#,
        rows.join(", ")
    );
    let file = write("snapshot.json", snapshot.as_bytes());

    let (code, text) = policy(&["run", &guest, "--snapshot", &file]);
    assert_eq!(code, ExitCode::SUCCESS, "{text}");
    assert!(text.contains(" of 30,000,000 (0 %)"), "{text}");
    let json = |args: &[&str]| -> Value {
        let (code, text) = policy(args);
        assert_eq!(code, ExitCode::SUCCESS, "{text}");
        serde_json::from_str(&text).unwrap()
    };
    let run = json(&["run", &guest, "--snapshot", &file, "--json"]);
    assert_eq!(run["fuel_budget"], 30_000_000);
    let bench = json(&["bench", &guest, "--rows", "20", "--json"]);
    assert_eq!(bench["policies"][0]["points"][0]["budget"], 30_000_000);
    let check = json(&["check", &guest, "--json"]);
    let share = check["report"]["fuel_share"].as_f64().unwrap();
    assert!(share < 0.01, "{check}");

    let case = format!(r#"{{"snapshot": {snapshot}, "expect": {{"spared": ["k0"]}}}}"#);
    std::fs::create_dir(folder.path().join("cases")).unwrap();
    write("cases/one.json", case.as_bytes());
    let cases = folder.path().join("cases");
    let (code, text) = policy(&["test", cases.to_str().unwrap(), "--policy", &guest]);
    assert_eq!(code, ExitCode::FAILURE, "{text}");
    assert!(text.contains(" of 30,000,000 (0 %)"), "{text}");
}
