//! Every way in which a call can go wrong, the fault that it comes home as, and that the next call
//! is none the worse for it.

use std::time::{Duration, Instant};

use super::*;
use crate::policy::testing::{Guest, LOOP, config, engine, input, question};
use crate::policy::{Config, load};
use wastegate_core::types::Limits;
use wastegate_core::types::time::Clock;

const IMPORT_LOG: &str =
    r#"(import "wastegate:policy/log@1.0.0" "log" (func $log (param i32 i32 i32)))"#;

/// Longer than any guest may hold its thread, on a machine that is busy with other tests.
const FAST: Duration = Duration::from_millis(500);

/// The fault of one small call, and that a good guest on the same engine answers as ever.
#[expect(clippy::disallowed_methods, reason = "a test of real time")]
fn fault(guest: &Guest) -> Fault {
    let engine = engine();
    let bad = load::program(&engine, &guest.wasm()).unwrap();
    let good = load::program(&engine, &Guest::default().wasm()).unwrap();
    let before = good.ask(&input(20), &[0.5], &CallOptions::default());
    let started = Instant::now();
    let fault = bad
        .ask(&input(20), &[0.5], &CallOptions::default())
        .result
        .unwrap_err();
    assert!(
        started.elapsed() < FAST,
        "{fault} took {:?}",
        started.elapsed()
    );
    let after = good.ask(&input(20), &[0.5], &CallOptions::default());
    assert_eq!((&before.result, before.fuel), (&after.result, after.fuel));
    fault
}

fn trap(text: &str) -> Fault {
    Fault::Trap(text.to_owned())
}

#[test]
fn loops_run_out_of_fuel_wherever_they_are() {
    assert_eq!(fault(&Guest::ranks(LOOP)), Fault::OutOfFuel(60_000));
    let realloc = Guest {
        realloc: "(loop $again (br $again))".to_owned(),
        ..Guest::default()
    };
    assert_eq!(fault(&realloc), Fault::OutOfFuel(60_000));
    let start = Guest {
        start: Some("(loop $again (br $again))".to_owned()),
        ..Guest::default()
    };
    let error = load::program(&engine(), &start.wasm()).unwrap_err();
    let load::LoadError::Describe(fault) = error else {
        panic!("{error}");
    };
    assert_eq!(fault, Fault::OutOfFuel(10_000_000));
}

#[test]
fn the_wall_clock_ends_what_fuel_does_not() {
    let config = Config {
        fuel_base: u64::MAX / 4,
        deadline: Duration::from_millis(20),
        ..config()
    };
    let engine = Engine::new(config, Clock::system()).unwrap();
    let program = load::program(&engine, &Guest::ranks(LOOP).wasm()).unwrap();
    let outcome = program.ask(&input(20), &[0.5], &CallOptions::default());
    assert_eq!(
        outcome.result,
        Err(Fault::Deadline(Duration::from_millis(20)))
    );
    assert!(outcome.duration >= Duration::from_millis(20));
}

#[test]
fn bombs_are_refused_what_they_ask_for() {
    let grows = "(loop $more (drop (memory.grow (i32.const 1))) (br $more)) (unreachable)";
    assert_eq!(fault(&Guest::ranks(grows)), Fault::Memory(2 << 20));
    let table = Guest {
        fields: "(table $t 1 funcref)".to_owned(),
        rank: "(drop (table.grow $t (ref.null func) (i32.const 11000))) (unreachable)".to_owned(),
        ..Guest::default()
    };
    assert_eq!(fault(&table), trap("asked for a larger table"));
}

#[test]
fn answers_that_are_too_large_or_lie_about_where_they_are() {
    let list = |at: &str, len: &str| {
        fault(&Guest::ranks(&format!(
            "(call $answer (i32.const {at}) (i32.const {len}))"
        )))
    };
    let most = 16 * (4 * 20 + 64) + 64 * 1_024;
    assert_eq!(list("0", "5000"), Fault::OutputTooLarge(most));
    assert_eq!(list("0", "145"), Fault::OutputTooLarge(most));
    let outside = trap("list pointer/length out of bounds of memory");
    assert_eq!(list("0", "-1"), outside);
    assert_eq!(list("0x7ffffff8", "1"), outside);
    assert_eq!(list("4", "1"), trap("list pointer is not aligned"));
    assert_eq!(
        fault(&Guest::ranks("(i32.const 0x7ffffff8)")),
        trap("pointer out of bounds of memory")
    );
    // A result that is neither of its two cases.
    let neither = "(i32.store8 (i32.const 16) (i32.const 7)) (i32.const 16)";
    assert_eq!(
        fault(&Guest::ranks(neither)),
        trap("invalid expected discriminant")
    );
}

#[test]
fn traps_say_what_and_where() {
    assert_eq!(
        fault(&Guest::ranks("(unreachable)")),
        trap("wasm `unreachable` instruction executed, in `rank`")
    );
    let recursion = Guest {
        fields: "(func $down (param i32) (result i32)
            (i32.add (call $down (local.get 0)) (i32.const 1)))"
            .to_owned(),
        rank: "(call $down (i32.const 0))".to_owned(),
        ..Guest::default()
    };
    // Which of the two comes first is the engine's matter.
    assert!(matches!(
        fault(&recursion),
        Fault::Trap(_) | Fault::OutOfFuel(_)
    ));
}

#[test]
fn its_own_error_is_clipped_and_cannot_forge_a_log_line() {
    let error = |bytes: &str, len: u32| {
        fault(&Guest {
            fields: String::new(),
            rank: format!(
                r#"(i32.store8 (i32.const 16) (i32.const 1))
                (i32.store offset=20 (i32.const 0) (i32.const 64))
                (i32.store offset=24 (i32.const 0) (i32.const {len}))
                (i64.store (i32.const 64) (i64.const {bytes}))
                (i32.const 16)"#
            ),
            ..Guest::default()
        })
    };
    // "a\nb" in little-endian order.
    assert_eq!(error("0x620a61", 3), Fault::Refused("a b".to_owned()));
    let Fault::Refused(long) = error("0x61", 4_000) else {
        panic!("not refused");
    };
    assert_eq!(long.len(), 256);
    // Not UTF-8.
    assert!(matches!(error("0xff", 1), Fault::Trap(_)));
}

/// What the kit lets pass is what serves: a line that is no text is a line that is replaced, for a
/// decision as in the kit, and costs the same.
#[test]
fn p13_a_log_line_that_is_no_text_is_replaced_and_fails_nothing() {
    let guest = Guest {
        fields: IMPORT_LOG.to_owned(),
        rank: "(i32.store8 (i32.const 120000) (i32.const 255))
            (call $log (i32.const 1) (i32.const 120000) (i32.const 1))
            (call $answer (i32.const 0) (i32.const 0))"
            .to_owned(),
        ..Guest::default()
    };
    let policy = guest.load().unwrap();
    let ask = |options: &CallOptions| policy.program().ask(&input(20), &[0.5], options);
    let served = CallOptions::default().logged(DecisionId::from_raw(1));
    let (kit, served) = (ask(&CallOptions::default()), ask(&served));
    assert!(served.result.is_ok(), "{:?}", served.result);
    assert_eq!(
        (kit.result, kit.fuel, kit.lines_dropped),
        (served.result, served.fuel, served.lines_dropped)
    );
}

#[test]
fn log_lines_are_cut_off_and_counted_and_an_endless_flood_is_paid_for() {
    let logs = |times: u32| Guest {
        fields: IMPORT_LOG.to_owned(),
        rank: format!(
            "(local $left i32)
            (local.set $left (i32.const {times}))
            (loop $more
                (call $log (i32.const 1) (i32.const 4096) (i32.const 5))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br_if $more (local.get $left)))
            (call $answer (i32.const 0) (i32.const 0))"
        ),
        ..Guest::default()
    };
    let options = &CallOptions::default().logged(DecisionId::from_raw(1));
    let chatty = logs(1_000).program().ask(&input(20), &[0.5], options);
    assert_eq!(
        (chatty.result, chatty.lines_dropped),
        (Ok(Ranking::default()), 984)
    );
    let flood = logs(u32::MAX).program().ask(&input(20), &[0.5], options);
    assert_eq!(flood.result, Err(Fault::OutOfFuel(60_000)));
    assert!(flood.lines_dropped < 2_000, "{}", flood.lines_dropped);
}

#[test]
fn the_same_call_takes_the_same_fuel_on_any_engine() {
    let ask = || {
        Guest::default()
            .program()
            .ask(&input(20), &[0.5], &CallOptions::default())
    };
    let (first, again) = (ask(), ask());
    assert_eq!((first.result, first.fuel), (again.result, again.fuel));
    assert!(first.fuel > 0);
}

#[test]
fn a_question_goes_over_and_the_answer_carries_what_its_record_needs() {
    let policy = Guest::default().load().unwrap();
    let (ranked, _) = policy.answer(None, &question(Scope::User, 20));
    let rows: Vec<u32> = ranked
        .outcome
        .unwrap()
        .choices
        .iter()
        .map(|choice| choice.row)
        .collect();
    assert_eq!(rows, [0]);
    assert_eq!(*ranked.signals, [Signal::IdleMs, Signal::QueuedBytes]);
    assert_eq!(
        (&*ranked.params, &*ranked.reasons),
        (&[0.5][..], &["the largest".to_owned()][..])
    );
    assert!(ranked.fuel.is_some());
    assert_eq!(ranked.policy, *policy.about());
}

#[test]
fn columns_cross_in_order_with_nan_for_unknown() {
    // The first value of the first column as score, whether that of the second is NaN as row, and
    // `needed` as reason.
    let echo = "(local $out i32) (local $second f64)
        (local.set $out (call $alloc (i32.const 24)))
        (f64.store offset=8 (local.get $out) (f64.load (i32.load (local.get $columns))))
        (local.set $second (f64.load (i32.load offset=8 (local.get $columns))))
        (i32.store (local.get $out) (f64.ne (local.get $second) (local.get $second)))
        (i32.store16 offset=16 (local.get $out) (local.get $needed))
        (call $answer (local.get $out) (i32.const 1))";
    let outcome = Guest::ranks(echo)
        .program()
        .ask(&input(20), &[0.5], &CallOptions::default());
    let choice = outcome.result.unwrap().choices[0];
    // `needed` is what the question would take at the most.
    assert_eq!((choice.row, choice.score, choice.reason), (1, 20_000.0, 3));
}

#[test]
fn a_scope_that_is_not_supported_is_not_asked() {
    let guest = Guest::says(|manifest| manifest.scopes = vec![Scope::User]);
    let (ranked, _) = guest
        .load()
        .unwrap()
        .answer(None, &question(Scope::Node, 20));
    assert_eq!(
        (ranked.outcome, ranked.fuel),
        (Err(Fault::ScopeUnsupported), None)
    );
}

/// Two columns of 100,000 rows are 1.6 MB.
#[test]
fn a_large_call_has_memory_for_its_rows() {
    let small = Config {
        inline_rows_max: u32::MAX,
        memory_user_bytes: 1 << 20,
        ..config()
    };
    let engine = Engine::new(small, Clock::system()).unwrap();
    let program = load::program(&engine, &Guest::default().wasm()).unwrap();
    let mut input = input(100_000);
    let ask = |input: &Input| {
        program
            .ask(input, &[0.5], &CallOptions::default())
            .result
            .map(|_| ())
    };
    assert_eq!(ask(&input), Err(Fault::Memory(1 << 20)));
    input.scope = Scope::Node;
    assert_eq!(ask(&input), Ok(()));
}

/// A user's call that may hold more than a small slot is made in a large one.
#[test]
fn a_policy_may_be_given_more_or_less_than_the_nodes_limits() {
    let mebibytes = |pages: u32| {
        format!(
            "(drop (memory.grow (i32.const {pages})))
            (call $answer (i32.const 0) (i32.const 0))"
        )
    };
    let program = Guest::ranks(&mebibytes(64)).program();
    let ask = |limits: Limits| {
        let options = CallOptions::default().within(limits);
        program.ask(&input(20), &[0.5], &options).result
    };
    assert_eq!(ask(Limits::NODES), Err(Fault::Memory(2 << 20)));
    let more = Limits {
        memory_bytes: Some(8 << 20),
        ..Limits::NODES
    };
    assert_eq!(ask(more), Ok(Ranking::default()));
    let less = Limits {
        fuel_base: Some(20),
        fuel_per_row: Some(0),
        ..more
    };
    assert_eq!(ask(less), Err(Fault::OutOfFuel(20)));
    let brief = Limits {
        fuel_base: Some(u64::MAX / 4),
        deadline: Some(Duration::from_millis(10)),
        ..Limits::NODES
    };
    let endless = Guest::ranks(LOOP).program();
    let outcome = endless.ask(&input(20), &[0.5], &CallOptions::default().within(brief));
    let deadline = Duration::from_millis(10);
    assert_eq!(outcome.result, Err(Fault::Deadline(deadline)));
}
