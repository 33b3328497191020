//! What can be seen on one input: the answer, the same again, at another time, in another order.
//!
//! The kit holds policies to it on its own rows, and the fuzzer on any.

use super::inputs;
use super::rules::{KitFailure, KitPlace, RowKind, differs, ill_formed};
use super::subject::{Limited, Subject};
use crate::policy::call::{CallOutcome, Input};
use crate::policy::program::Program;
use wastegate_core::decision::Ranking;
use wastegate_core::types::Limits;

/// How many calls [`examine`] makes at the most.
pub const CALLS_MAX: u32 = 4;

/// Holds a program to every law that can be seen on one input; at most one failure for each
/// property. With [`RowKind::Generated`] rows, order is left out: their values may be alike, or so
/// extreme that arithmetic makes them so, and then any order is as good.
#[must_use]
pub fn examine(program: &Program, params: &[f64], input: &Input, kind: RowKind) -> Vec<KitFailure> {
    let limits = &Limits::NODES;
    all(&Limited { program, limits }, params, input, kind)
}

pub(super) fn all(
    subject: &impl Subject,
    params: &[f64],
    input: &Input,
    kind: RowKind,
) -> Vec<KitFailure> {
    let at = KitPlace::of(input, kind);
    let first = subject.ask(input, params);
    let mut failures = breaches(subject, &first, at);
    let again = subject.ask(input, params);
    if first.fuel != again.fuel || !same(&first, &again) {
        failures.push(KitFailure::Unrepeatable { at });
    }
    let Ok(ranking) = &first.result else {
        return failures;
    };
    let mut compare = |other: &Input, failure: &dyn Fn(&Ranking) -> Option<KitFailure>| {
        let outcome = subject.ask(other, params);
        for breach in breaches(subject, &outcome, at) {
            add(&mut failures, breach);
        }
        if let Some(failure) = outcome.result.as_ref().ok().and_then(failure) {
            add(&mut failures, failure);
        }
    };
    compare(&inputs::later(input), &|later| {
        (!alike(ranking, later)).then_some(KitFailure::ClockMatters { at })
    });
    if kind != RowKind::Generated {
        let (shuffled, order) = inputs::shuffled(input);
        compare(&shuffled, &|other| {
            differs(input, &ranking.choices, &other.choices, &order)
                .map(|place| KitFailure::OrderMatters { at, place })
        });
    }
    failures
}

/// What one answer breaks by itself.
pub(super) fn breaches(
    subject: &impl Subject,
    outcome: &CallOutcome<Ranking>,
    at: KitPlace,
) -> Vec<KitFailure> {
    match &outcome.result {
        Ok(ranking) => ill_formed(&ranking.choices, at, subject.manifest().reasons.len()),
        Err(fault) => vec![KitFailure::Fault {
            at,
            fault: fault.clone(),
        }],
    }
}

/// Adds a failure, if its property was not broken already.
pub(super) fn add(failures: &mut Vec<KitFailure>, failure: KitFailure) {
    let property = failure.property();
    if failures.iter().all(|known| known.property() != property) {
        failures.push(failure);
    }
}

fn same(a: &CallOutcome<Ranking>, b: &CallOutcome<Ranking>) -> bool {
    match (&a.result, &b.result) {
        (Ok(a), Ok(b)) => alike(a, b),
        (Err(a), Err(b)) => a == b,
        _ => false,
    }
}

/// Whether two answers are the same to the bit; no two NaNs are equal as numbers.
fn alike(a: &Ranking, b: &Ranking) -> bool {
    let bits = |ranking: &Ranking| -> Vec<_> {
        let choices = ranking.choices.iter();
        choices
            .map(|choice| (choice.row, choice.score.to_bits(), choice.reason))
            .collect()
    };
    bits(a) == bits(b)
}
