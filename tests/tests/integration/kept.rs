//! The policies compiled for an earlier contract still run, and still answer what they answered.
//!
//! `tests/kept` says what is kept and why. Every file goes through the pipeline and the acceptance
//! kit as an operator's would, and is asked the questions kept beside it. The answers were computed
//! from the policies' formulas, so a difference is a fault of this host and never a new expectation.

mod questions;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use wastegate_core::decision::{Fault, Ranking};
use wastegate_core::types::chain;
use wastegate_core::types::{Clock, DecisionId};
use wastegate_engine::policy::engine::ENGINE_VERSION;
use wastegate_engine::policy::load::{self, digest};
use wastegate_engine::policy::{CallOptions, Config, Engine, Params, Policy};

use self::questions::Question;
use crate::reading::root;

/// What is kept, and which policy's answers each file has to give.
const FILES: [(&str, &str); 9] = [
    ("fifo.wasm", "fifo"),
    ("largest-first.wasm", "largest-first"),
    ("lru.module.wasm", "lru"),
    ("lru.wasm", "lru"),
    ("qos-lexicographic.wasm", "qos-lexicographic"),
    ("random.wasm", "random"),
    ("scaled-idle-timeout.wasm", "scaled-idle-timeout"),
    ("talkative.module.wasm", "talkative"),
    ("talkative.wasm", "talkative"),
];

/// Written by this test where an engine is new; everything else in the directory is frozen.
const FUEL: &str = "fuel.json";

fn kept() -> PathBuf {
    root().join("tests/kept/1.0.0")
}

fn read(name: &str) -> Vec<u8> {
    fs::read(kept().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn parsed(name: &str) -> Value {
    serde_json::from_slice(&read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn engine() -> Engine {
    Engine::new(Config::default(), Clock::manual()).unwrap()
}

fn loaded(engine: &Engine, file: &str, params: &Params) -> Arc<Policy> {
    load::policy(engine, &read(file), params)
        .unwrap_or_else(|error| panic!("{file}: {}", chain(&error)))
}

/// A value for each parameter, in the order of the manifest. The acceptance kit refuses values that
/// contradict each other, and what a policy says of those is part of what is kept.
fn values(policy: &Policy, set: &Params) -> Vec<f64> {
    let parameters = &policy.program().manifest().parameters;
    parameters
        .iter()
        .map(|parameter| {
            set.get(&parameter.name)
                .copied()
                .unwrap_or(parameter.default)
        })
        .collect()
}

/// What a policy answered, in the words of `answers.json`.
fn told(policy: &Policy, result: &Result<Ranking, Fault>) -> Value {
    let reasons = &policy.program().manifest().reasons;
    match result {
        Ok(ranking) => ranking
            .choices
            .iter()
            .map(|choice| {
                json!([
                    choice.row,
                    choice.score,
                    reasons[usize::from(choice.reason)]
                ])
            })
            .collect(),
        Err(Fault::Refused(error)) => json!({ "error": error }),
        Err(fault) => panic!("{}: {fault}", policy.about().name),
    }
}

/// The same numbers are the same answer, whether they were written as `1` or as `1.0`.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        _ => a == b,
    }
}

#[test]
fn nothing_that_is_kept_was_touched() {
    let sums = String::from_utf8(read("SHA256SUMS")).unwrap();
    let listed: BTreeMap<String, String> = sums
        .lines()
        .map(|line| {
            let (sum, name) = line.split_once("  ").expect(line);
            (name.to_owned(), sum.to_owned())
        })
        .collect();
    let there: BTreeMap<String, String> = fs::read_dir(kept())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "SHA256SUMS" && name != FUEL)
        .map(|name| {
            let sum = digest(&read(&name)).to_string();
            (name, sum)
        })
        .collect();
    assert_eq!(
        there, listed,
        "tests/kept/1.0.0 is frozen: left is what is there, right what was kept"
    );
    let files: Vec<&str> = FILES.iter().map(|(file, _)| *file).collect();
    let wasm = |name: &&String| name.ends_with(".wasm");
    let binaries: Vec<&String> = there.keys().filter(wasm).collect();
    assert_eq!(binaries, files, "every binary is run");
}

#[test]
fn policies_of_1_0_0_are_accepted_and_answer_as_they_did() {
    let engine = engine();
    let questions = Question::all(&parsed("questions.json"));
    let answers = parsed("answers.json");
    let mut fuel: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    let mut asked = 0;
    for (file, name) in FILES {
        let policy = loaded(&engine, file, &Params::new());
        assert_eq!(&*policy.about().name, name, "{file}");
        assert_eq!(&*policy.about().version, "1.0.0", "{file}");
        let program = policy.program();
        for question in &questions {
            let expected = answers[name].get(&question.name);
            assert_eq!(
                expected.is_some(),
                program.supports(question.scope),
                "{file}: {}: an answer is kept for each scope that it ranks in",
                question.name
            );
            let Some(expected) = expected else { continue };
            let params = values(&policy, &question.params(name));
            let options = CallOptions::default().logged(DecisionId::from_raw(1));
            let outcome = program.ask(&question.input(program.signals()), &params, &options);
            let found = told(&policy, &outcome.result);
            assert!(
                same(&found, expected),
                "{file}: {}\nit answered {found}\ninstead of  {expected}",
                question.name
            );
            fuel.entry(file)
                .or_default()
                .insert(&question.name, outcome.fuel);
            asked += 1;
        }
    }
    assert_eq!(
        asked,
        FILES.len() * questions.len() - 2 * 2,
        "two rank at one scope"
    );
    fuel_is_what_it_was(&json!(fuel));
}

/// Fuel is exact, but only of one version of the engine: another one may count differently.
fn fuel_is_what_it_was(found: &Value) {
    let mut recorded = parsed(FUEL);
    match recorded.get(ENGINE_VERSION) {
        Some(expected) => assert_eq!(found, expected, "left took what right took before"),
        None if blessed() => {
            recorded[ENGINE_VERSION] = found.clone();
            let text = serde_json::to_string_pretty(&recorded).unwrap() + "\n";
            fs::write(kept().join(FUEL), text).unwrap();
        }
        None => panic!(
            "tests/kept/1.0.0/{FUEL} knows nothing of {ENGINE_VERSION}. If the engine was changed on \
             purpose:\n\n    WASTEGATE_BLESS=1 cargo test -p wastegate-tests --test integration kept\n"
        ),
    }
}

/// What a policy logs is bounded, and how much was dropped is counted, as for any other.
#[test]
fn a_policy_of_1_0_0_that_logs_too_much_loses_lines_and_nothing_else() {
    let engine = engine();
    let questions = Question::all(&parsed("questions.json"));
    let question = questions.first().unwrap();
    for file in ["talkative.module.wasm", "talkative.wasm"] {
        let policy = loaded(&engine, file, &Params::new());
        let program = policy.program();
        let input = question.input(program.signals());
        let ask = |times: f64| {
            let params = values(&policy, &Params::from([("times".to_owned(), times)]));
            let options = CallOptions::default().logged(DecisionId::from_raw(1));
            program.ask(&input, &params, &options)
        };
        let (quiet, loud) = (ask(0.0), ask(100.0));
        assert_eq!(quiet.lines_dropped, 0);
        assert_eq!(loud.lines_dropped, 400 - engine.config().log_lines_max);
        assert_eq!(quiet.result, loud.result);
        assert!(quiet.result.is_ok());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how to bless is asked of whoever runs the test"
)]
fn blessed() -> bool {
    std::env::var_os("WASTEGATE_BLESS").is_some()
}
