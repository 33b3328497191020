//! Each property of the kit, on a policy that breaks it and no other.

use std::cell::Cell;
use std::sync::Arc;

use super::super::*;
use crate::policy::manifest::RawManifest;
use crate::policy::program::CallOptions;
use crate::policy::testing::{Guest, question};
use wastegate_core::decision::Question;
use wastegate_core::types::{ManagerId, ManagerKey, UserId};

/// The row with the largest value in the first column, as often as `len` says, changed by `change`:
/// whatever its shape, no order and no clock matters to it.
fn best(change: &str, len: &str) -> Guest {
    Guest::ranks(&format!(
        "(local $n i32) (local $i i32) (local $best i32) (local $out i32) (local $at i32)
        (local $value f64) (local $top f64)
        (local.set $n (call $rows (local.get $columns)))
        (local.set $at (i32.load (local.get $columns)))
        (local.set $top (f64.const -inf))
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
            (local.set $value (f64.load (local.get $at)))
            (if (f64.gt (local.get $value) (local.get $top)) (then
                (local.set $top (local.get $value))
                (local.set $best (local.get $i))))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $next)))
        (local.set $out (call $alloc (i32.const 4096)))
        (i32.store (local.get $out) (local.get $best))
        (f64.store offset=8 (local.get $out) (local.get $top))
        {change}
        (call $answer (local.get $out) {len})"
    ))
}

const ONE: &str = "(i32.ne (local.get $n) (i32.const 0))";
const TWO: &str = "(i32.mul (i32.const 2) (i32.ne (local.get $n) (i32.const 0)))";

/// A guest that breaks a property, where one can.
fn breaking(property: Property) -> Option<Guest> {
    let quadratic = "(if (i32.ge_u (local.get $n) (i32.const 1000)) (then
        (local.set $i (i32.mul (local.get $n) (local.get $n)))
        (loop $burn
            (local.set $i (i32.sub (local.get $i) (i32.const 1)))
            (br_if $burn (local.get $i)))))";
    let hoards = "(if (i32.ge_u (local.get $n) (i32.const 1000)) (then
        (drop (call $alloc (i32.const 100000000)))))";
    let first = "(i32.store (local.get $out) (i32.const 0))
        (f64.store offset=8 (local.get $out) (f64.const 1))";
    let repeated = "(i32.store offset=24 (local.get $out) (local.get $best))";
    let beyond = "(i32.store offset=24 (local.get $out) (local.get $n))";
    let nan_traps = "(if (local.get $n) (then
        (local.set $value (f64.load (i32.load (local.get $columns))))
        (if (f64.ne (local.get $value) (local.get $value)) (then (unreachable)))))";
    let now = "(f64.store offset=8 (local.get $out) (f64.convert_i64_u (local.get $now)))";
    let nan = "(f64.store offset=8 (local.get $out) (f64.const nan))";
    let reason = "(i32.store16 offset=16 (local.get $out) (i32.const 3))";
    let many = "(select (i32.const 145) (i32.const 0) (i32.eq (local.get $n) (i32.const 20)))";
    Some(match property {
        Property::Answers => best("(if (i32.eqz (local.get $n)) (then (unreachable)))", ONE),
        Property::BearsUnknown => best(nan_traps, ONE),
        Property::WithinFuel => best(quadratic, ONE),
        Property::WithinMemory => best(hoards, ONE),
        Property::WithinOutput => best("", many),
        Property::RowsExist => best(beyond, TWO),
        Property::RowsOnce => best(repeated, TWO),
        Property::ScoresAreNumbers => best(nan, ONE),
        Property::ReasonsAreDeclared => best(reason, ONE),
        Property::OrderFree => best(first, ONE),
        Property::ClockFree => best(now, ONE),
        Property::DescribesItselfAlike | Property::Repeatable | Property::IdFree => return None,
    })
}

/// A program without limits of its own.
const fn within(program: &Program) -> Limited<'_> {
    let limits = &Limits::NODES;
    Limited { program, limits }
}

fn broken(subject: &impl Subject) -> Vec<Property> {
    match collect_of(subject, &[0.5]) {
        Ok(_) => Vec::new(),
        Err(failures) => failures.iter().map(KitFailure::property).collect(),
    }
}

#[test]
fn a_guest_that_breaks_nothing_breaks_nothing() {
    assert_eq!(broken(&within(&best("", ONE).program())), []);
}

#[test]
fn each_property_that_a_guest_can_break_is_broken_by_one_that_breaks_no_other() {
    for property in Property::ALL {
        match breaking(property) {
            Some(guest) => assert_eq!(broken(&within(&guest.program())), [property], "{property}"),
            None => assert_ne!(property.keeper(), Enforcer::Policy, "{property}"),
        }
    }
}

/// What stops at the first failure stops at the same one.
#[test]
fn the_first_failure_is_the_one_that_the_server_tells() {
    for guest in Property::ALL.into_iter().filter_map(breaking) {
        let program = guest.program();
        let all = collect(&program, &[0.5], &Limits::NODES).unwrap_err();
        assert_eq!(run(&program, &[0.5], &Limits::NODES).unwrap_err(), all[0]);
    }
}

#[test]
fn all_that_is_broken_is_told_at_once() {
    let change = "(i32.store16 offset=16 (local.get $out) (i32.const 3))
        (f64.store offset=8 (local.get $out) (f64.convert_i64_u (local.get $now)))
        (i32.store offset=24 (local.get $out) (local.get $best))";
    let mut found = broken(&within(&best(change, TWO).program()));
    found.sort_unstable();
    let all = [
        Property::RowsOnce,
        Property::ReasonsAreDeclared,
        Property::ClockFree,
    ];
    assert_eq!(found, all);
}

/// A sandbox in which something is left over from one call to the next.
struct Leaky {
    program: Arc<Program>,
    calls: Cell<u32>,
    leaks_into: Property,
}

impl Leaky {
    fn new(leaks_into: Property) -> Self {
        Self {
            program: best("", ONE).program(),
            calls: Cell::new(0),
            leaks_into,
        }
    }
}

impl Subject for Leaky {
    fn manifest(&self) -> &Manifest {
        self.program.manifest()
    }

    fn describe(&self) -> Result<RawManifest, Fault> {
        let mut message = self.program.describe().result?;
        if self.leaks_into == Property::DescribesItselfAlike {
            message.summary.push('!');
        }
        Ok(message)
    }

    fn ask(&self, input: &Input, params: &[f64]) -> CallOutcome<Ranking> {
        let mut outcome = self.program.ask(input, params, &CallOptions::OFF_PATH);
        self.calls.set(self.calls.get() + 1);
        if self.leaks_into == Property::Repeatable {
            outcome.fuel += u64::from(self.calls.get());
        }
        outcome
    }

    fn fuel(&self, rows: u32) -> u64 {
        let limits = &Limits::NODES;
        self.program.allowance(limits, Scope::User, rows).fuel
    }
}

#[test]
fn what_the_sandbox_keeps_would_be_missed_in_a_broken_one() {
    for property in Property::ALL {
        if property.keeper() == Enforcer::Sandbox {
            assert_eq!(broken(&Leaky::new(property)), [property]);
        }
    }
}

/// Renamed ids: what crosses is the same to the bit, so there is nothing to ask a policy.
#[test]
fn names_do_not_cross() {
    let policy = best("", ONE).load().unwrap();
    let question = question(Scope::User, 20);
    let mut renamed = Question::clone(&question);
    for (row, number) in renamed.rows.iter_mut().zip(0..) {
        row.manager = ManagerId::next();
        row.user = UserId::new(&format!("bob-{number}")).unwrap();
        row.key = ManagerKey::new(&format!("other-{number}")).unwrap();
    }
    let crosses = |question| format!("{:?}", policy.input(question));
    assert_eq!(crosses(&question), crosses(&renamed));
    assert_eq!(Property::IdFree.keeper(), Enforcer::Contract);
}
