//! The rules themselves: what is held against an answer, and how each breach is told.

use std::collections::HashSet;
use std::fmt;

use super::property::Property;
use crate::policy::call::Input;
use wastegate_core::decision::{Choice, Fault};
use wastegate_core::types::{Scope, Tier};

/// Where in the kit something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KitPlace {
    /// At which scope.
    pub scope: Scope,
    /// At which tier.
    pub tier: Tier,
    /// With how many rows.
    pub rows: u32,
    /// Of what kind.
    pub kind: RowKind,
}

/// What kind of rows a call was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// Every value known.
    Ordinary,
    /// One column unknown.
    ColumnUnknown,
    /// No value is known.
    AllUnknown,
    /// Made by the fuzzer, of any values at all.
    Generated,
}

impl KitPlace {
    /// Where an input is about.
    pub(super) const fn of(input: &Input, kind: RowKind) -> Self {
        Self {
            scope: input.scope,
            tier: input.tier,
            rows: input.rows,
            kind,
        }
    }
}

impl fmt::Display for KitPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scope, tier, rows, ..
        } = self;
        let kind = match self.kind {
            RowKind::Ordinary => "",
            RowKind::ColumnUnknown => ", a whole column unknown (NaN)",
            RowKind::AllUnknown => ", every value unknown (NaN)",
            RowKind::Generated => ", made-up values",
        };
        let scope = scope.name();
        let s = if *rows == 1 { "" } else { "s" };
        write!(f, "({scope} scope, tier {tier}, {rows} row{s}{kind})")
    }
}

/// Which rule a policy broke, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
#[non_exhaustive]
pub enum KitFailure {
    /// It gave no answer.
    #[error("it gave no answer {at}: {}", remedy(.at, .fault))]
    Fault {
        at: KitPlace,
        #[source]
        fault: Fault,
    },
    /// It describes itself otherwise when asked again.
    #[error("asked twice what it is, it answered differently: `describe` has to return a constant")]
    DescribesOtherwise,
    /// It cannot rank as many rows as it has to.
    #[error(
        "it runs out of fuel with {rows} rows; the most it can rank is {most}: do less for each row (compare it with the best so far, not with every other), or raise `policy.fuel_per_row`"
    )]
    Fuel {
        /// With how many rows.
        rows: u32,
        /// The breaking point: the most that it can rank.
        most: u32,
    },
    /// It named a row that is not there.
    #[error(
        "it chose row {row}, which does not exist {at}: choose rows from 0 to one below the length of a column"
    )]
    NoSuchRow { at: KitPlace, row: u32 },
    /// It named a row twice.
    #[error("it chose row {row} twice {at}: name each row once, at its best place")]
    Repeated { at: KitPlace, row: u32 },
    /// A score is NaN though every value was known.
    #[error("it gave row {row} a score that is not a number {at}: look for a division by zero")]
    NotANumber { at: KitPlace, row: u32 },
    /// It gave a reason that it did not declare.
    #[error(
        "it gave row {row} the reason {reason} {at}, and declares {declared}: count reasons from 0"
    )]
    NoSuchReason {
        at: KitPlace,
        row: u32,
        reason: u16,
        /// How many it has.
        declared: usize,
    },
    /// Asked again, it answered otherwise, or with other fuel.
    #[error(
        "asked the same twice, it answered differently or used other fuel {at}: derive everything from the call and its `seed`"
    )]
    Unrepeatable { at: KitPlace },
    /// The order of the rows changed the answer.
    #[error(
        "the same managers in another order were ranked differently from place {place} on {at}: break ties by a value that tells managers apart, such as `idle-ms`, and leave row numbers alone"
    )]
    OrderMatters {
        at: KitPlace,
        /// The first place that differs, from 0.
        place: usize,
    },
    /// The clock changed the answer.
    #[error(
        "with all clocks shifted it answered differently {at}: use differences, which the signals are, and not `now-ms` itself"
    )]
    ClockMatters { at: KitPlace },
}

/// What to do about a fault.
const fn remedy(at: &KitPlace, fault: &Fault) -> &'static str {
    match fault {
        // One row is no work: what takes all the fuel there does not end.
        Fault::OutOfFuel(_) if at.rows <= 1 => "look for a loop that does not end",
        Fault::OutOfFuel(_) => {
            "do less for each row (fewer components in a key, fewer signals), or raise `policy.fuel_per_row`"
        }
        Fault::Memory(_) => "keep less for each row, and nothing that the answer does not need",
        Fault::OutputTooLarge(_) => "choose each row once at the most",
        Fault::Trap(_)
        | Fault::Deadline(_)
        | Fault::Refused(_)
        | Fault::ScopeUnsupported
        | Fault::Saturated
        | Fault::Quarantined => "answer there too, with an empty list if need be",
    }
}

impl KitFailure {
    /// Which property was broken.
    #[must_use]
    pub const fn property(&self) -> Property {
        match self {
            Self::DescribesOtherwise => Property::DescribesItselfAlike,
            Self::Fault { at, fault } => match fault {
                Fault::OutOfFuel(_) => Property::WithinFuel,
                Fault::Memory(_) => Property::WithinMemory,
                Fault::OutputTooLarge(_) => Property::WithinOutput,
                Fault::Trap(_)
                | Fault::Deadline(_)
                | Fault::Refused(_)
                | Fault::ScopeUnsupported
                | Fault::Saturated
                | Fault::Quarantined => match at.kind {
                    RowKind::Ordinary | RowKind::Generated => Property::Answers,
                    RowKind::ColumnUnknown | RowKind::AllUnknown => Property::BearsUnknown,
                },
            },
            Self::Fuel { .. } => Property::WithinFuel,
            Self::NoSuchRow { .. } => Property::RowsExist,
            Self::Repeated { .. } => Property::RowsOnce,
            Self::NotANumber { .. } => Property::ScoresAreNumbers,
            Self::NoSuchReason { .. } => Property::ReasonsAreDeclared,
            Self::Unrepeatable { .. } => Property::Repeatable,
            Self::OrderMatters { .. } => Property::OrderFree,
            Self::ClockMatters { .. } => Property::ClockFree,
        }
    }
}

/// What is wrong with an answer by itself: the first breach of each rule.
pub(super) fn ill_formed(choices: &[Choice], at: KitPlace, declared: usize) -> Vec<KitFailure> {
    let mut failures = Vec::new();
    let mut chosen = HashSet::with_capacity(choices.len());
    for &Choice { row, score, reason } in choices {
        let breaches = [
            (row >= at.rows).then_some(KitFailure::NoSuchRow { at, row }),
            (!chosen.insert(row)).then_some(KitFailure::Repeated { at, row }),
            (score.is_nan() && at.kind == RowKind::Ordinary)
                .then_some(KitFailure::NotANumber { at, row }),
            (usize::from(reason) >= declared).then_some(KitFailure::NoSuchReason {
                at,
                row,
                reason,
                declared,
            }),
        ];
        for breach in breaches.into_iter().flatten() {
            super::laws::add(&mut failures, breach);
        }
    }
    failures
}

/// The first place at which two answers differ, `shuffled` being about the rows of `input` in
/// another order.
///
/// Rows that are alike in every column cannot be told apart, so they may change places.
/// No disagreement of two rankings: one policy has to give the same answer to the bit.
pub(super) fn differs(
    input: &Input,
    first: &[Choice],
    shuffled: &[Choice],
    order: &[u32],
) -> Option<usize> {
    if first.len() != shuffled.len() {
        return Some(first.len().min(shuffled.len()));
    }
    let alike = |a: u32, b: u32| {
        let bits = |column: &Vec<f64>, row: u32| column.get(row as usize).map(|v| v.to_bits());
        a == b
            || input
                .columns
                .iter()
                .all(|column| bits(column, a) == bits(column, b))
    };
    first.iter().zip(shuffled).position(|(a, b)| {
        let same_manager = match order.get(b.row as usize) {
            Some(&row) => alike(a.row, row),
            // There is no such row, which another rule says; in any order there is none.
            None => a.row == b.row,
        };
        !same_manager || a.score.to_bits() != b.score.to_bits() || a.reason != b.reason
    })
}
