//! Each misbehaving guest does what it is there for, within the limits of a call, and nothing else.

use wasmtime::{Result, Trap};

use super::guest::Guest;
use crate::guests::{ALL, guest};

const ROWS: u32 = 20;

/// What becomes of a guest that is asked to rank.
#[derive(Debug, PartialEq)]
enum Outcome {
    Rows(Vec<u32>),
    Error(String),
    Trap(Trap),
}

fn outcome(name: &str) -> Outcome {
    outcome_of(
        Guest::new(guest(name))
            .rank(ROWS, 1)
            .map(|answer| answer.rows),
    )
}

fn outcome_of(answer: Result<Vec<u32>>) -> Outcome {
    match answer {
        Ok(rows) => Outcome::Rows(rows),
        Err(error) => match error.downcast_ref::<Trap>() {
            Some(trap) => Outcome::Trap(*trap),
            None => Outcome::Error(error.to_string()),
        },
    }
}

/// What an honest guest answers.
fn honest() -> Vec<u32> {
    match outcome("lazy") {
        Outcome::Rows(rows) => rows,
        other => panic!("{other:?}"),
    }
}

#[test]
fn guests_that_do_not_come_back_trap() {
    let traps = [
        ("spins", Trap::OutOfFuel),
        ("describe-spins", Trap::OutOfFuel),
        ("traps", Trap::UnreachableCodeReached),
        ("describe-traps", Trap::UnreachableCodeReached),
        ("memory-bomb", Trap::UnreachableCodeReached),
        ("stack-overflow", Trap::MemoryOutOfBounds),
    ];
    for (name, trap) in traps {
        assert_eq!(outcome(name), Outcome::Trap(trap), "{name}");
    }
}

#[test]
fn guests_whose_manifest_or_manners_are_bad_rank_well() {
    let well = [
        "bad-parameter",
        "duplicate-signal",
        "flaky",
        "log-flood",
        "nan-scores",
        "no-reasons",
        "over-budget-at-10000",
    ];
    for name in well {
        assert_eq!(outcome(name), Outcome::Rows(honest()), "{name}");
    }
    assert_eq!(outcome("unknown-signal"), Outcome::Rows(honest_of_equals()));
}

/// An unknown signal reads as another column; what counts is that it comes to ranking at all.
fn honest_of_equals() -> Vec<u32> {
    let answer = Guest::new(guest("unknown-signal")).rank(ROWS, 1).unwrap();
    assert_eq!(answer.rows.len(), ROWS as usize);
    answer.rows
}

#[test]
fn guests_that_answer_badly_answer_as_badly_as_they_should() {
    let honest = honest();
    let (first, beyond) = (honest[0], ROWS);
    let liar = [&[beyond, u32::MAX, first], honest.as_slice()].concat();
    let twice = honest.iter().flat_map(|row| [*row, *row]).collect();
    let answers = [
        ("liar", liar),
        ("foreign-rows", vec![u32::MAX, u32::MAX - 1, 1 << 31]),
        ("duplicates", twice),
        ("silent", Vec::new()),
        ("reversed", honest.iter().rev().copied().collect()),
        ("position-dependent", (0..ROWS).rev().collect()),
    ];
    for (name, rows) in answers {
        assert_eq!(outcome(name), Outcome::Rows(rows), "{name}");
    }
    let errs = Outcome::Error("error: this guest never answers".to_owned());
    assert_eq!(outcome("errs"), errs);
    assert_ne!(outcome("clock-dependent"), Outcome::Rows(honest));
    let Outcome::Rows(huge) = outcome("huge-list") else {
        panic!()
    };
    assert!(huge.len() > 50_000, "{}", huge.len());
}

#[test]
fn a_quadratic_guest_runs_out_of_fuel_between_a_thousand_and_ten_thousand_rows() {
    let guest = Guest::new(guest("over-budget-at-10000"));
    assert!(guest.rank(1_000, 1).is_ok());
    let large = outcome_of(guest.rank(10_000, 1).map(|answer| answer.rows));
    assert_eq!(large, Outcome::Trap(Trap::OutOfFuel));
}

#[test]
fn guests_import_nothing_but_the_log() {
    for name in ALL {
        let expected: &[&str] = match *name {
            "log-flood" => &["wastegate:policy/log@1.0.0"],
            _ => &[],
        };
        assert_eq!(Guest::new(guest(name)).imports(), expected, "{name}");
    }
}
