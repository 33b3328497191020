//! The author's tools as a process: check, inspect, bench and fuzz, on the policies that ship and on
//! guests that misbehave.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use wastegate_tests::guests::{ALL_SHIPPED, guest, raw};

use crate::cli::PROGRAM;

/// What it printed and how it ended.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(folder: &Path, arguments: &[&str]) -> Ran {
    let ran = Command::new(PROGRAM)
        .current_dir(folder)
        .arg("policy")
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran {
        code: ran.status.code(),
        out: text(ran.stdout),
        err: text(ran.stderr),
    }
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out)
        .unwrap_or_else(|error| panic!("{error}: {} {}", ran.out, ran.err))
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn check_takes_everything_that_ships() {
    let folder = folder();
    let mut arguments = vec!["check"];
    arguments.extend(ALL_SHIPPED);
    let ran = run(folder.path(), &arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    for name in ALL_SHIPPED {
        let taken = |line: &str| {
            let version = line.strip_prefix(&format!("{name} "));
            version
                .and_then(|rest| rest.strip_suffix(" would be taken"))
                .is_some_and(|version| version.split('.').count() == 3)
        };
        assert!(ran.out.lines().any(taken), "{name}: {}", ran.out);
    }
    assert_eq!(ran.out.matches("  ✓ kit").count(), ALL_SHIPPED.len());
}

#[test]
fn check_says_which_step_failed_and_how_to_mend_it() {
    let folder = folder();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("traps.wasm", guest("traps"));
    write("sockets.wasm", &raw::forbidden_import());
    let ran = run(folder.path(), &["check", "traps.wasm", "sockets.wasm"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    for line in [
        "  ✓ manifest    traps 1.0.0\n",
        "  ✗ kit\n      answers: it gave no answer (user scope, tier proactive, 0 rows): answer there too",
        "  ✗ imports\n      the policy imports what policies are not granted:\n        wasi:sockets/tcp@0.2.0: policies may not open sockets; build without them (componentize-py: `--stub-wasi`)\n",
    ] {
        assert!(ran.out.contains(line), "{line}\nis not in\n{}", ran.out);
    }
    let ran = run(folder.path(), &["check", "--json", "traps.wasm"]);
    assert_eq!(ran.code, Some(1));
    let told = json(&ran);
    assert_eq!(told["accepted"], false);
    let broken = ["answers", "bears-unknown"].map(Value::from).to_vec();
    assert_eq!(told["broken_properties"], Value::Array(broken));
    let missing = run(folder.path(), &["check", "lru", "no-such.wasm"]);
    assert_eq!(missing.code, Some(66));
    assert!(missing.out.contains("lru 1.0.0 would be taken"));
    assert!(
        missing.err.contains("there is no file `no-such.wasm`"),
        "{}",
        missing.err
    );
}

#[test]
fn check_takes_parameters() {
    let folder = folder();
    let set = |value: &str| {
        let set = format!("max-ms={value}");
        run(
            folder.path(),
            &["check", "scaled-idle-timeout", "--param", &set],
        )
    };
    let declared = json(&run(
        folder.path(),
        &["inspect", "--json", "scaled-idle-timeout"],
    ));
    let known = &declared["policy"]["parameters"];
    assert!(known[0]["doc"].as_str().unwrap().len() > 5, "{known}");
    let ran = set("-1");
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("  ✗ parameters\n"), "{}", ran.out);
    let usage = set("soon");
    assert_eq!(usage.code, Some(2));
    assert!(
        usage.err.contains("`soon` is not a number"),
        "{}",
        usage.err
    );
}

#[test]
fn inspect_tells_what_it_is_and_what_it_costs() {
    let folder = folder();
    let ran = run(folder.path(), &["inspect", "lru"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for line in [
        "lru 1.0.0\n",
        "  world       wastegate:policy@1.0.0\n",
        "  imports     pure\n",
        "  signals     idle-ms\n",
        "  memory      256 KiB with 20 rows, 256 KiB with 1,000 rows, ",
        "  check       it would be taken\n",
    ] {
        assert!(ran.out.contains(line), "{line}\nis not in\n{}", ran.out);
    }
    let told = json(&run(folder.path(), &["inspect", "--json", "lru"]));
    let all = &told["policy"]["costs"][1];
    assert_eq!(all["tier"], "proactive");
    let model = &all["model"];
    assert!(model["per_row"].as_f64().unwrap() > 10.0, "{model}");
    assert!(model["error"].as_f64().unwrap() < 0.25, "{model}");
    assert_eq!(all["breaks_at"], Value::Null);
    assert_eq!(told["digest"].as_str().unwrap().len(), 64);
    assert!(told["policy"]["compiled_bytes"].as_u64().unwrap() > 10_000);
}

/// A policy that fails to load is inspected as far as it goes.
#[test]
fn inspect_goes_as_far_as_it_can() {
    let folder = folder();
    std::fs::write(folder.path().join("a.wasm"), raw::forbidden_import()).unwrap();
    let ran = run(folder.path(), &["inspect", "a.wasm"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.out.contains("  world       wastegate:policy@1.0.0\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("  imports     refused: wasi:sockets\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out
            .contains("  check       it would not be taken, because of: imports\n"),
        "{}",
        ran.out
    );
    std::fs::write(folder.path().join("b.wasm"), guest("over-budget-at-10000")).unwrap();
    let told = json(&run(folder.path(), &["inspect", "--json", "b.wasm"]));
    assert_eq!(told["check"]["accepted"], false);
    let breaks = told["policy"]["costs"][0]["breaks_at"].as_u64().unwrap();
    assert!((20..=10_000).contains(&breaks), "{breaks}");
}

#[test]
fn bench_saves_fuel_and_fails_where_it_grew() {
    let folder = folder();
    let ran = run(
        folder.path(),
        &[
            "bench",
            "lru",
            "fifo",
            "--rows",
            "1,20",
            "--save",
            "fuel.json",
        ],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("median us"), "{}", ran.out);
    let against = [
        "bench",
        "lru",
        "--rows",
        "20,50",
        "--against",
        "fuel.json",
        "--fail-over",
        "0",
    ];
    let same = run(folder.path(), &against);
    assert_eq!(same.code, Some(0), "{}", same.err);
    assert!(same.out.contains("lru, 20 rows: "), "{}", same.out);
    assert!(same.out.contains("(+0.00 %)"), "{}", same.out);

    let file = folder.path().join("fuel.json");
    let mut saved: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let fuel = saved["policies"][0]["points"][1]["fuel"].as_u64().unwrap();
    assert!(fuel > 1_000, "{saved}");
    saved["policies"][0]["points"][1]["fuel"] = (fuel * 100 / 105).into();
    std::fs::write(&file, saved.to_string()).unwrap();
    let grown = run(folder.path(), &against);
    assert_eq!(grown.code, Some(1));
    assert!(
        grown
            .err
            .starts_with("error: fuel grew by more than 0 %: lru, 20 rows: "),
        "{}",
        grown.err
    );
    let allowed = [
        "bench",
        "lru",
        "--rows",
        "20",
        "--against",
        "fuel.json",
        "--fail-over",
        "6",
    ];
    assert_eq!(run(folder.path(), &allowed).code, Some(0));

    saved["engine"] = "wasmtime 1.0.0".into();
    std::fs::write(&file, saved.to_string()).unwrap();
    let other = run(folder.path(), &allowed);
    assert_eq!(other.code, Some(65));
    assert!(
        other
            .err
            .contains("these figures were taken on wasmtime 1.0.0"),
        "{}",
        other.err
    );
    let none = ["bench", "lru", "--rows", "20", "--against", "none.json"];
    assert_eq!(run(folder.path(), &none).code, Some(66));
}

#[test]
fn fuzz_leaves_what_ships_alone() {
    let folder = folder();
    for name in ALL_SHIPPED {
        let ran = run(
            folder.path(),
            &["fuzz", name, "--runs", "60", "--seed", "11"],
        );
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
        let told = format!("{name}: 60 questions of seed 11, and nothing broke\n");
        assert_eq!(ran.out, told);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// `sleeper` passes the kit and misbehaves with 2 to 19 rows; fuzzing finds what it dreams of.
#[test]
fn fuzz_finds_a_planted_bug_and_its_case_breaks_it_again() {
    let folder = folder();
    std::fs::write(folder.path().join("sleeper.wasm"), guest("sleeper")).unwrap();
    // The last one answers with a hundred choices, which from nine rows on are few enough to be read.
    let dreams = [
        ("1", "answers", 2),
        ("4", "rows-exist", 2),
        ("8", "rows-once", 9),
    ];
    for (dream, property, rows) in dreams {
        let set = format!("dream={dream}");
        let found = [
            "fuzz",
            "sleeper.wasm",
            "--param",
            &set,
            "--runs",
            "40",
            "--out",
            dream,
        ];
        let ran = run(folder.path(), &found);
        assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
        assert!(ran.out.contains(&format!("  {property}: ")), "{}", ran.out);
        let again = run(folder.path(), &found);
        assert_eq!(again.out, ran.out, "the same seed finds the same");
        let files = std::fs::read_dir(folder.path().join(dream)).unwrap();
        let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        let file = files
            .iter()
            .find(|file| file.to_str().unwrap().contains(property))
            .unwrap();
        let case: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        assert_eq!(case["rows"], rows, "it is as small as can be: {case}");
        assert!(case["fault"].as_str().unwrap().starts_with(property));
        let replayed = run(
            folder.path(),
            &["fuzz", "sleeper.wasm", "--case", file.to_str().unwrap()],
        );
        assert_eq!(replayed.code, Some(1));
        assert!(replayed.out.contains(property), "{}", replayed.out);
    }
    // It is harmless as it comes, and a fuzzer also sets parameters to their bounds.
    let bounds = ["fuzz", "sleeper.wasm", "--runs", "20", "--out", "bounds"];
    let ran = run(folder.path(), &bounds);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("  rows-once: "), "{}", ran.out);
}

#[test]
fn fuzz_stops_when_its_time_is_over() {
    let folder = folder();
    let ran = run(folder.path(), &["fuzz", "lru", "--for", "1"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.starts_with("lru: "), "{}", ran.out);
}
