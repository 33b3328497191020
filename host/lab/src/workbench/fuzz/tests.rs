//! That planted bugs are found, made small, and found again.

use super::*;
use wastegate_engine::policy::testing::Guest;

const NOTHING: &str = "(call $answer (i32.const 0) (i32.const 0))";

/// Traps on a value above a million with 3 rows or more: the kit meets none such with few rows.
fn traps_on_large_values() -> Guest {
    Guest::ranks(&format!(
        "(local $i i32) (local $at i32) (local $n i32)
        (local.set $n (call $rows (local.get $columns)))
        (local.set $at (i32.load offset=8 (local.get $columns)))
        (if (i32.ge_u (local.get $n) (i32.const 3)) (then
            (loop $next
                (if (f64.gt (f64.load (local.get $at)) (f64.const 1e12)) (then (unreachable)))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $i) (local.get $n))))))
        {NOTHING}"
    ))
}

fn run(guest: &Guest, seed: u64, runs: u64) -> Fuzzed {
    fuzz(&guest.program(), &[0.5], seed, Limit::Runs(runs))
}

#[test]
fn an_honest_policy_is_left_alone() {
    let fuzzed = run(&Guest::default(), 1, 300);
    // The largest value it knows is no number where it takes infinities apart.
    assert_eq!((fuzzed.runs, fuzzed.findings), (300, Vec::new()));
}

#[test]
fn a_planted_bug_is_found_and_made_small() {
    let guest = traps_on_large_values();
    guest.load().unwrap();
    let fuzzed = run(&guest, 7, 300);
    let [finding] = &fuzzed.findings[..] else {
        panic!("{:?}", fuzzed.findings);
    };
    assert_eq!(finding.property(), Property::Answers);
    let Input { rows, columns, .. } = &finding.input;
    assert_eq!(*rows, 3);
    let large: Vec<f64> = columns[1].iter().copied().filter(|v| *v > 1e12).collect();
    assert_eq!(large.len(), 1, "{columns:?}");
    let plain = columns.iter().flatten().filter(|value| **value == 0.0);
    assert_eq!(plain.count(), 5, "{columns:?}");
    assert_eq!((finding.input.now_ms, finding.input.seed), (0, 0));
    assert_eq!(finding.params, [0.5]);
}

#[test]
fn the_same_seed_finds_the_same_and_the_case_breaks_it_again() {
    let guest = traps_on_large_values();
    let program = guest.program();
    let (first, again) = (run(&guest, 7, 200), run(&guest, 7, 200));
    assert_eq!(format!("{first:?}"), format!("{again:?}"));
    let case = first.findings[0].case(&program);
    assert!(
        case.fault.starts_with("answers: it gave no answer "),
        "{}",
        case.fault
    );
    let text = serde_json::to_string(&case).unwrap();
    let read: TestCase = serde_json::from_str(&text).unwrap();
    let broken = replay(&program, &read).unwrap();
    assert_eq!(broken, [first.findings[0].failure.clone()]);
    assert_eq!(replay(&Guest::default().program(), &read), Ok(Vec::new()));
    let other = Guest::says(|manifest| manifest.signals.truncate(1)).program();
    assert_eq!(
        replay(&other, &read).unwrap_err().to_string(),
        "the case is about the signals idle-ms, queued-bytes, and this policy reads idle-ms"
    );
}

/// Row 0 whatever it is, from 40 rows on: the kit compares orders of 20 and of 10,000 rows.
#[test]
fn what_depends_on_the_order_of_rows_is_found() {
    let guest = Guest::ranks(
        "(local $n i32) (local $out i32)
        (local.set $n (call $rows (local.get $columns)))
        (local.set $out (call $alloc (i32.const 24)))
        (call $answer (local.get $out) (i32.and
            (i32.gt_u (local.get $n) (i32.const 40)) (i32.lt_u (local.get $n) (i32.const 900))))",
    );
    guest.load().unwrap();
    let fuzzed = run(&guest, 3, 300);
    let properties: Vec<Property> = fuzzed.findings.iter().map(Finding::property).collect();
    assert_eq!(properties, [Property::OrderFree]);
    assert_eq!(fuzzed.findings[0].input.rows, 41);
}

/// An error of its own is fine where parameters contradict each other, and nowhere else.
#[test]
fn contradicting_parameters_may_be_refused() {
    let refuses = |when: &str| {
        Guest::ranks(&format!(
            "(if {when} (then
                (i32.store8 (i32.const 16) (i32.const 1))
                (i32.store offset=20 (i32.const 0) (i32.const 64))
                (i32.store offset=24 (i32.const 0) (i32.const 1))
                (i32.store8 (i32.const 64) (i32.const 0x61))
                (return (i32.const 16))))
            {NOTHING}"
        ))
    };
    let bound = "(f64.eq (f64.load (local.get $params)) (f64.const 1))";
    assert_eq!(run(&refuses(bound), 5, 100).findings, []);
    let three = "(i32.eq (call $rows (local.get $columns)) (i32.const 3))";
    let found = run(&refuses(three), 5, 200).findings;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].property(), Property::Answers);
}

#[test]
fn time_ends_it_too() {
    let program = Guest::default().program();
    let fuzzed = fuzz(&program, &[0.5], 1, Limit::For(Duration::from_millis(50)));
    assert!(fuzzed.runs > 0);
}
