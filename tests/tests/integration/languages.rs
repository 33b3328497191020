//! Policies in other languages: the same `lru` in C, JavaScript and Python, built by
//! `policies/examples/build.sh` from their sources, through the real loader and against the one in
//! Rust.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use wastegate_core::decision::{Choice, Fault};
use wastegate_core::types::chain;
use wastegate_core::types::{Clock, DecisionId, Scope, SplitMix64, Tier};
use wastegate_engine::policy::call::{CallOutcome, Input};
use wastegate_engine::policy::heavy::HeavyReason;
use wastegate_engine::policy::{
    CallOptions, Config, Engine, LoadError, Params, Policy, Program, Weight, load,
};
use wastegate_tests::guests::shipped;
use wastegate_tests::harness::program::{python, script};
use wastegate_tests::harness::{Program as Process, http};
use wit_component::StringEncoding;
use wit_parser::Resolve;

use crate::cli::PROGRAM;
use crate::reading::root;

/// Where `policies/examples/build.sh` puts what it builds.
const BUILT: &str = "target/examples";

/// Made-up calls by which each is compared with the one in Rust.
const CALLS: u64 = 120;

/// The header that gives a C module its world.
const C_WORLD: &str = "policies/examples/c/wastegate_policy_world.h";

/// Bytes in a line of it.
const LINE_BYTES: usize = 24;

/// The world in the C header is the one of `wit/policy.wit`. With `WASTEGATE_BLESS=1` it is written.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test that is told to write its expectation anew"
)]
fn the_c_header_carries_the_world_of_the_contract() {
    let made = c_world();
    let path = root().join(C_WORLD);
    if std::env::var_os("WASTEGATE_BLESS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    assert_eq!(
        committed, made,
        "{C_WORLD} is not of this contract: run this test with WASTEGATE_BLESS=1"
    );
}

fn c_world() -> String {
    let mut resolve = Resolve::default();
    let wit = fs::read_to_string(root().join("wit/policy.wit")).unwrap();
    let package = resolve.push_source("policy.wit", &wit).unwrap();
    let world = resolve.select_world(&[package], Some("policy")).unwrap();
    let encoded =
        wit_component::metadata::encode(&resolve, world, StringEncoding::UTF8, None).unwrap();
    let mut header = String::from(
        "/*\n \
         * The world of `wit/policy.wit` as a custom section of the module, by which the host makes a\n \
         * component of it. Generated: a test of wastegate compares it with the contract.\n \
         */\n\n\
         __asm__(\n    \".section \\\".custom_section.component-type:wastegate-policy\\\",\\\"\\\",@\\n\"\n",
    );
    for line in encoded.chunks(LINE_BYTES) {
        let bytes: Vec<String> = line.iter().map(u8::to_string).collect();
        writeln!(header, "    \".byte {}\\n\"", bytes.join(",")).unwrap();
    }
    header.push_str("    \".text\\n\");\n");
    header
}

/// A component that was built from the examples.
fn built(name: &str) -> (PathBuf, Vec<u8>) {
    let path = root().join(BUILT).join(name);
    let bytes = fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; run `bash policies/examples/build.sh --with-tests`",
            path.display()
        )
    });
    (path, bytes)
}

/// Where compiled forms are kept, for this test and the next run.
fn compiled_dir() -> PathBuf {
    root().join(BUILT).join("compiled")
}

fn engine() -> Engine {
    let config = Config {
        compiled_dir: Some(compiled_dir()),
        ..Config::default()
    };
    Engine::new(config, Clock::system()).unwrap()
}

/// Loads one at a time, over all processes: what one test compiled, the others find.
fn one_at_a_time<T>(load: impl FnOnce() -> T) -> T {
    let path = root().join(BUILT).join("compiling.lock");
    let lock = File::create(&path).unwrap();
    lock.lock().unwrap();
    load()
}

fn policy(name: &str) -> Arc<Policy> {
    let (_, bytes) = built(name);
    let loaded = one_at_a_time(|| load::policy(&engine(), &bytes, &Params::new()));
    loaded.unwrap_or_else(|error| panic!("{name}: {}", chain(&error)))
}

fn refusal(name: &str) -> LoadError {
    let (_, bytes) = built(name);
    let loaded = one_at_a_time(|| load::program(&engine(), &bytes));
    loaded.expect_err("it should be refused")
}

/// A call that looks like none before: of all sizes up to a screenful, with unknown values and many
/// ties.
fn made_up(seed: u64) -> Input {
    let mut random = SplitMix64::new(seed);
    let mut below = |bound: u32| u32::try_from(random.next() % u64::from(bound)).unwrap();
    let rows = match below(10) {
        0 => below(3),
        1 => 200 + below(200),
        _ => below(80),
    };
    let idle = (0..rows).map(|_| match below(8) {
        0 => f64::NAN,
        1..4 => f64::from(below(4)) * 1_000.0,
        _ => f64::from(below(10_000_000)) / 8.0,
    });
    Input {
        columns: vec![idle.collect()],
        tier: Tier::ALL[below(5) as usize],
        scope: if below(2) == 0 {
            Scope::User
        } else {
            Scope::Node
        },
        needed: below(rows + 2),
        limit: 20,
        held: rows,
        now_ms: 1_000_000,
        seed,
        rows,
    }
}

fn choices(program: &Program, input: &Input) -> Vec<Choice> {
    program
        .ask(input, &[], &CallOptions::default())
        .result
        .unwrap()
        .choices
}

fn answers_as_rust_does(name: &str, weight: Weight) {
    let rust = load::program(&engine(), shipped("lru")).unwrap();
    let policy = policy(name);
    assert_eq!(policy.program().weight(), weight);
    let mut compared = 0;
    for seed in 0..CALLS {
        let input = made_up(seed);
        let (theirs, ours) = (choices(policy.program(), &input), choices(&rust, &input));
        assert_eq!(theirs, ours, "{name}, seed {seed}: {input:?}");
        compared += ours.len();
    }
    assert!(compared > 3_000, "{compared} choices are no comparison");
}

#[test]
fn c_answers_as_rust_does() {
    answers_as_rust_does("lru-c.wasm", Weight::Light);
}

#[test]
fn javascript_answers_as_rust_does() {
    answers_as_rust_does("lru-js.wasm", Weight::Heavy(HeavyReason::Memory));
}

#[test]
fn python_answers_as_rust_does() {
    answers_as_rust_does("lru-python.wasm", Weight::Heavy(HeavyReason::Parts));
}

/// The interpreter's own sockets are refused, with what to do about it, before anything compiles.
#[test]
fn python_without_its_stubs_is_refused_by_name() {
    let refusal = refusal("lru-python-wasi.wasm");
    let LoadError::Imports(imports) = refusal else {
        panic!("{}", chain(&refusal));
    };
    assert!(!imports.is_empty());
    for import in imports {
        assert!(import.name.starts_with("wasi:sockets/"), "{import}");
        assert!(import.why.contains("--stub-wasi"), "{import}");
    }
}

/// A runtime whose standard streams, clocks and randomness are ours answers all the same.
#[test]
fn javascript_with_wasi_gets_stubs() {
    answers_as_rust_does("lru-js-wasi.wasm", Weight::Heavy(HeavyReason::Stubs));
}

/// Loads the guest that asks its standard library, and asks it `question`.
fn std_guest(question: f64, input: &Input, log: bool) -> CallOutcome<f64> {
    let policy = policy("std.wasm");
    assert_eq!(policy.program().weight(), Weight::Heavy(HeavyReason::Stubs));
    let silent = CallOptions::default();
    let options = if log {
        silent.logged(DecisionId::from_raw(1))
    } else {
        silent
    };
    let outcome = policy.program().ask(input, &[question], &options);
    CallOutcome {
        result: outcome.result.map(|ranking| ranking.choices[0].score),
        fuel: outcome.fuel,
        duration: outcome.duration,
        memory_bytes: outcome.memory_bytes,
        lines_dropped: outcome.lines_dropped,
    }
}

fn one_row(seed: u64) -> Input {
    Input {
        columns: vec![vec![1.0]],
        tier: Tier::Force,
        scope: Scope::User,
        needed: 1,
        limit: 1,
        held: 1,
        now_ms: 123_456_789,
        seed,
        rows: 1,
    }
}

fn told(question: f64) -> f64 {
    std_guest(question, &one_row(7), false).result.unwrap()
}

fn trap(question: f64) -> String {
    match std_guest(question, &one_row(7), false).result {
        Err(Fault::Trap(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_standard_library_gets_nothing_from_outside_of_the_call() {
    assert_eq!(told(1.0), 0.0, "variables");
    assert_eq!(told(2.0), 0.0, "arguments");
    assert_eq!(told(3.0), 0.0, "bytes of standard input");
    assert_eq!(told(4.0), 123_456_789.0, "the wall clock is `now-ms`");
    assert_eq!(told(5.0), 0.0, "and stands still");
    assert_eq!(told(11.0), 1.0, "files");
}

#[test]
fn randomness_is_the_seeds() {
    let random = |seed| std_guest(7.0, &one_row(seed), false).result.unwrap();
    assert_eq!(random(7), random(7));
    assert_ne!(random(7), random(8));
    assert_eq!(told(6.0), 1.0, "two maps of one call have different keys");
}

#[test]
fn waiting_and_leaving_are_traps_with_names() {
    assert_eq!(
        trap(9.0),
        "it called `wasi:io/poll#[method]pollable.block`, of which policies get a stub only"
    );
    assert_eq!(
        trap(10.0),
        "it called `wasi:cli/exit#exit`, of which policies get a stub only"
    );
    assert!(trap(13.0).contains("unreachable"), "a panic is a trap");
}

#[test]
fn what_is_printed_is_log_and_has_its_caps() {
    let quiet = std_guest(8.0, &one_row(7), true);
    assert_eq!((quiet.result, quiet.lines_dropped), (Ok(8.0), 0));
    let loud = std_guest(14.0, &one_row(7), true);
    let kept = Config::default().log_lines_max;
    assert_eq!(
        (loud.result, loud.lines_dropped),
        (Ok(14.0), 1_000 - kept),
        "the rest is counted"
    );
}

/// Promises 2 and 5 with an interpreter active: the newcomer is let in, by its ranking.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_in_charge_makes_room_for_a_real_client() {
    let (path, _) = built("lru-python.wasm");
    tokio::task::spawn_blocking(|| policy("lru-python.wasm"))
        .await
        .unwrap();
    let path = path.to_str().unwrap();
    let compiled = format!("policy.compiled_dir={}", compiled_dir().display());
    let arguments = [
        "serve",
        "--json",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--policy",
        path,
        "--set",
        &compiled,
        "--set",
        "limits.managers_per_user=5",
    ];
    let mut server = Process::start(PROGRAM, &arguments);
    let told: Value = serde_json::from_str(&server.line().await).unwrap();
    assert_eq!(told["policy"], "lru-python");
    let url = told["url"].as_str().unwrap().to_owned();
    let client = [
        script("at_the_limit.py").into_os_string(),
        url.into(),
        "5".into(),
    ];
    let (status, output) = Process::start(python(), &client).finish().await;
    assert!(status.success(), "{status}, its messages are above");
    let output: Value = serde_json::from_str(&output).unwrap();
    let closed = json!([4001, "evicted: room was needed"]);
    assert_eq!(
        output,
        json!({ "admitted": true, "kept": 4, "dead_was_told": closed })
    );

    let admin = told["admin"].as_str().unwrap().parse().unwrap();
    let metrics = http::ask(admin, "GET", "/metrics", None).await.body;
    let calls = "wastegate_policy_calls_total{scope=\"user\"} ";
    let calls = metrics.lines().find_map(|line| line.strip_prefix(calls));
    assert_ne!(calls.unwrap(), "0", "it was asked");
    let mut faults = metrics
        .lines()
        .filter(|line| line.starts_with("wastegate_policy_faults_total{"));
    assert!(
        faults.all(|line| line.ends_with(" 0")),
        "and never failed: {metrics}"
    );
    server.terminate();
}
