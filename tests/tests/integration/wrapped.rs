//! Policies that are made of others by the SDK's wrappers, in the sandbox: accepted like any other, told
//! their columns in the merged order, and within their fuel.

use std::sync::Arc;

use wastegate_core::types::chain;
use wastegate_core::types::{Clock, Scope, Signal, Tier};
use wastegate_engine::policy::call::Input;
use wastegate_engine::policy::{CallOptions, Config, Engine, Params, Policy, load};
use wastegate_tests::guests::guest;

pub(crate) const ACCEPTED: [&str; 2] = ["wrapped-blend", "wrapped-protect"];

fn loaded(name: &str) -> Arc<Policy> {
    let engine = Engine::new(Config::default(), Clock::manual()).unwrap();
    load::policy(&engine, guest(name), &Params::new())
        .unwrap_or_else(|error| panic!("{name}: {}", chain(&error)))
}

/// Asks about four managers: their idle times are 400, 300, 200 and 100 s, they have queued 10, 30, 20
/// and 40 bytes, and number 1 is important.
fn asked(policy: &Policy) -> Vec<(u32, f64, String)> {
    let rows = [(400.0, 10.0), (300.0, 30.0), (200.0, 20.0), (100.0, 40.0)];
    let value = |signal: &Signal, row: usize| match signal {
        Signal::IdleMs => rows[row].0 * 1_000.0,
        Signal::QueuedBytes => rows[row].1,
        Signal::AgeMs => 1e9,
        Signal::Priority => f64::from(u8::from(row == 1)),
        _ => f64::NAN,
    };
    let column = |signal: &Signal| (0..rows.len()).map(|row| value(signal, row)).collect();
    let program = policy.program();
    let input = Input {
        tier: Tier::Force,
        scope: Scope::User,
        needed: 1,
        limit: 4,
        held: 4,
        now_ms: 1,
        seed: 1,
        rows: 4,
        columns: program.signals().iter().map(column).collect(),
    };
    let ranking = program
        .ask(&input, policy.params(), &CallOptions::default())
        .result
        .unwrap();
    let reasons = &program.manifest().reasons;
    ranking
        .choices
        .iter()
        .map(|choice| {
            let reason = &reasons[usize::from(choice.reason)];
            (choice.row, choice.score, reason.clone())
        })
        .collect()
}

fn signals(policy: &Policy) -> Vec<&'static str> {
    let signals = policy.program().signals();
    signals.iter().map(|signal| signal.name()).collect()
}

/// Points of the idle times: 4, 3, 2, 1; of the bytes, whose policy reads the idle time as its second
/// column and the whole as its first: 1, 3, 2, 4.
#[test]
fn a_blend_is_accepted_and_sums_the_ranks() {
    let policy = loaded("wrapped-blend");
    assert_eq!(&*policy.about().name, "blend-longest-idle-most-bytes");
    assert_eq!(signals(&policy), ["idle-ms", "queued-bytes"]);
    println!("{}", policy.report());
    assert!(policy.report().fuel_share < 0.6, "{}", policy.report());
    let said = [
        (1, 0.75, "fixture"),
        (0, 0.625, "fixture"),
        (3, 0.625, "large"),
        (2, 0.5, "fixture"),
    ];
    assert_eq!(
        asked(&policy),
        said.map(|(row, score, why)| (row, score, why.to_owned()))
    );
}

#[test]
fn a_protected_policy_is_accepted_and_takes_the_important_last() {
    let policy = loaded("wrapped-protect");
    assert_eq!(&*policy.about().name, "protect-longest-idle");
    let own = [
        "idle-ms",
        "age-ms",
        "priority",
        "protection",
        "visibility",
        "in-flight",
    ];
    assert_eq!(signals(&policy), own);
    println!("{}", policy.report());
    assert!(policy.report().fuel_share < 0.6, "{}", policy.report());
    let said = [
        (0, 400_000.0, "fixture"),
        (2, 200_000.0, "fixture"),
        (3, 100_000.0, "fixture"),
        (1, 300_000.0, "protected, and too few others were left"),
    ];
    assert_eq!(
        asked(&policy),
        said.map(|(row, score, why)| (row, score, why.to_owned()))
    );
}
