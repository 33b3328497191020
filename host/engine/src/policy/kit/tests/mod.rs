//! A guest for each rule, and the sentence that it gets.

mod properties;

use crate::policy::testing::{Guest, LOOP};
use wastegate_core::types::chain;

fn refusal(guest: &Guest) -> String {
    let text = chain(&guest.load().unwrap_err());
    let kit = "the policy did not pass the acceptance kit: ";
    text.strip_prefix(kit)
        .unwrap_or_else(|| panic!("{text}"))
        .to_owned()
}

/// Answers one choice: row, score and reason as given.
fn one(row: &str, score: &str, reason: &str) -> Guest {
    Guest::ranks(&format!(
        "(local $out i32)
        (local.set $out (call $alloc (i32.const 48)))
        (i32.store (local.get $out) {row})
        (f64.store offset=8 (local.get $out) {score})
        (i32.store16 offset=16 (local.get $out) {reason})
        (call $answer (local.get $out) (i32.ne (call $rows (local.get $columns)) (i32.const 0)))"
    ))
}

const ZERO: &str = "(i32.const 0)";
const SOME_SCORE: &str = "(f64.const 1)";

#[test]
fn an_empty_answer_is_legal_everywhere() {
    let guest = Guest::ranks("(call $answer (i32.const 0) (i32.const 0))");
    let policy = guest.load().unwrap();
    assert_eq!(policy.report().fuel[0].rows, 1_000);
    assert!(policy.report().to_string().starts_with("passed "));
}

#[test]
fn a_policy_without_signals_is_legal() {
    let mut guest = Guest::ranks("(call $answer (i32.const 0) (i32.const 0))");
    guest.manifest.signals.clear();
    guest.load().unwrap();
}

#[test]
fn a_fault_is_told_with_its_place() {
    assert_eq!(
        refusal(&Guest::ranks("(unreachable)")),
        "it gave no answer (user scope, tier proactive, 0 rows): answer there too, with an empty list if need be: trapped: wasm `unreachable` instruction executed, in `rank`"
    );
    assert_eq!(
        refusal(&Guest::ranks(LOOP)),
        "it gave no answer (user scope, tier proactive, 0 rows): look for a loop that does not end: used all of its 20000 units of fuel"
    );
}

/// Trips over the first NaN in its first column.
#[test]
fn unknown_values_have_to_be_borne() {
    let nan = format!(
        "(local $first f64)
        (if (call $rows (local.get $columns)) (then
            (local.set $first (f64.load (i32.load (local.get $columns))))
            (if (f64.ne (local.get $first) (local.get $first)) (then (unreachable)))))
        {}",
        "(call $answer (i32.const 0) (i32.const 0))"
    );
    assert_eq!(
        refusal(&Guest::ranks(&nan)),
        "it gave no answer (user scope, tier force, 20 rows, a whole column unknown (NaN)): answer there too, with an empty list if need be: trapped: wasm `unreachable` instruction executed, in `rank`"
    );
}

#[test]
fn choices_have_to_be_rows_once_with_a_score_and_a_reason() {
    assert_eq!(
        refusal(&one("(i32.const 1)", SOME_SCORE, ZERO)),
        "it chose row 1, which does not exist (user scope, tier proactive, 1 row): choose rows from 0 to one below the length of a column"
    );
    assert_eq!(
        refusal(&one(ZERO, "(f64.const nan)", ZERO)),
        "it gave row 0 a score that is not a number (user scope, tier proactive, 1 row): look for a division by zero"
    );
    assert_eq!(
        refusal(&one(ZERO, SOME_SCORE, "(i32.const 3)")),
        "it gave row 0 the reason 3 (user scope, tier proactive, 1 row), and declares 1: count reasons from 0"
    );
    let twice = "(call $answer (call $alloc (i32.const 48))
        (i32.mul (i32.const 2) (i32.ne (call $rows (local.get $columns)) (i32.const 0))))";
    assert_eq!(
        refusal(&Guest::ranks(twice)),
        "it chose row 0 twice (user scope, tier proactive, 1 row): name each row once, at its best place"
    );
}

/// Whatever the rows are, the first of them.
#[test]
fn row_numbers_may_not_matter() {
    assert_eq!(
        refusal(&one(ZERO, SOME_SCORE, ZERO)),
        "the same managers in another order were ranked differently from place 0 on (user scope, tier force, 20 rows): break ties by a value that tells managers apart, such as `idle-ms`, and leave row numbers alone"
    );
}

#[test]
fn the_clock_may_not_matter() {
    let clock = one(ZERO, "(f64.convert_i64_u (local.get $now))", ZERO);
    assert_eq!(
        refusal(&clock),
        "with all clocks shifted it answered differently (user scope, tier force, 20 rows): use differences, which the signals are, and not `now-ms` itself"
    );
}

/// Every row against every other: some 5 n² units of fuel and more.
#[test]
fn the_breaking_point_is_found() {
    let quadratic = format!(
        "(local $a i32) (local $b i32)
        (local.set $a (call $rows (local.get $columns)))
        (block $done (loop $outer
            (br_if $done (i32.eqz (local.get $a)))
            (local.set $a (i32.sub (local.get $a) (i32.const 1)))
            (local.set $b (call $rows (local.get $columns)))
            (loop $inner
                (local.set $b (i32.sub (local.get $b) (i32.const 1)))
                (br_if $inner (local.get $b)))
            (br $outer)))
        {}",
        "(call $answer (i32.const 0) (i32.const 0))"
    );
    assert_eq!(
        refusal(&Guest::ranks(&quadratic)),
        "it runs out of fuel with 1000 rows; the most it can rank is 340: do less for each row (compare it with the best so far, not with every other), or raise `policy.fuel_per_row`"
    );
}

/// A hundred and fifty thousand units from 41 rows on: too much for 50 rows, and not for 1,000.
#[test]
fn a_gap_in_the_middle_is_told() {
    let burns = |rows: &str| {
        Guest::ranks(&format!(
            "(local $left i32)
            (if {rows} (then
                (local.set $left (i32.const 30000))
                (loop $burn
                    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                    (br_if $burn (local.get $left)))))
            (call $answer (i32.const 0) (i32.const 0))"
        ))
    };
    let from_forty = "(i32.gt_u (call $rows (local.get $columns)) (i32.const 40))";
    let policy = burns(from_forty).load().unwrap();
    assert_eq!(policy.report().breaking_point, Some(41));
    let policy = burns("(i32.const 0)").load().unwrap();
    assert_eq!(policy.report().breaking_point, None);
}
