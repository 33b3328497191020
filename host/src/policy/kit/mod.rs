//! The acceptance kit: what every policy is put through before it may rank anything.
//!
//! The rules, on made-up rows: it names only rows that exist, each once, with a score that is a
//! number and a reason that it declared; it answers the same when asked again (with the same fuel),
//! when the rows come in another order, and when the clock reads otherwise; it bears unknown values,
//! no rows, one row, and ten thousand within its fuel. An empty answer is legal everywhere.
//!
//! Rows that a policy gives the same score may change places when the order of the rows does: it
//! leaves them to the host's order, which is its right.
//!
//! Not here: whether a policy is any good. That is for replay and experiments to say.

mod inputs;
mod report;

use std::collections::{HashMap, HashSet};
use std::fmt;

pub use report::{FuelPoint, KitReport};

use super::call::{Input, Outcome};
use super::program::Program;
use crate::decision::{Choice, Fault, Ranking};
use crate::types::{Scope, Tier};

/// Row counts at which every tier is tried.
const SMALL: [u32; 3] = [0, 1, 20];
/// Rows of the calls that are compared with each other.
const ORDINARY: u32 = 20;
/// Rows of a middling call: with the largest it says how fuel grows.
const MIDDLE: u32 = 1_000;
/// Rows of the largest call.
const LARGEST: u32 = 10_000;

/// Where in the kit something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// At which scope.
    pub scope: Scope,
    /// At which tier.
    pub tier: Tier,
    /// With how many rows.
    pub rows: u32,
    /// Of what kind.
    pub kind: Kind,
}

/// What kind of rows a call was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Every value known.
    Ordinary,
    /// One column unknown.
    ColumnUnknown,
    /// Nothing known.
    AllUnknown,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scope, tier, rows, ..
        } = self;
        let kind = match self.kind {
            Kind::Ordinary => "",
            Kind::ColumnUnknown => ", a whole column unknown (NaN)",
            Kind::AllUnknown => ", every value unknown (NaN)",
        };
        let scope = scope.name();
        write!(f, "({scope} scope, tier {tier}, {rows} rows{kind})")
    }
}

/// Which rule a policy broke, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KitFailure {
    /// It gave no answer.
    #[error("it gave no answer {at}: answer there too, with an empty list if need be")]
    Fault {
        /// Where.
        at: Place,
        /// Why not.
        #[source]
        fault: Fault,
    },
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
    NoSuchRow {
        /// Where.
        at: Place,
        /// Which.
        row: u32,
    },
    /// It named a row twice.
    #[error("it chose row {row} twice {at}: name each row once, at its best place")]
    Repeated {
        /// Where.
        at: Place,
        /// Which.
        row: u32,
    },
    /// A score is NaN though every value was known.
    #[error("it gave row {row} a score that is not a number {at}: look for a division by zero")]
    NotANumber {
        /// Where.
        at: Place,
        /// Which.
        row: u32,
    },
    /// It gave a reason that it did not declare.
    #[error(
        "it gave row {row} the reason {reason} {at}, and declares {declared}: count reasons from 0"
    )]
    NoSuchReason {
        /// Where.
        at: Place,
        /// Which row.
        row: u32,
        /// Which reason.
        reason: u16,
        /// How many it has.
        declared: usize,
    },
    /// Asked again, it answered otherwise, or with other fuel.
    #[error(
        "asked the same twice, it answered differently or used other fuel {at}: derive everything from the call and its `seed`"
    )]
    Unrepeatable {
        /// Where.
        at: Place,
    },
    /// The order of the rows changed the answer.
    #[error(
        "the same managers in another order were ranked differently from place {place} on {at}: break ties by a value that tells managers apart, such as `idle-ms`, and leave row numbers alone"
    )]
    OrderMatters {
        /// Where.
        at: Place,
        /// The first place that differs, from 0.
        place: usize,
    },
    /// The clock changed the answer.
    #[error(
        "with all clocks shifted it answered differently {at}: use differences, which the signals are, and not `now-ms` itself"
    )]
    ClockMatters {
        /// Where.
        at: Place,
    },
}

/// Puts a program with its parameters through the kit. Blocks for some tens of calls.
///
/// # Errors
/// [`KitFailure`] with the first rule that it broke.
pub fn run(program: &Program, params: &[f64]) -> Result<KitReport, KitFailure> {
    let mut kit = Kit {
        program,
        params,
        calls: 0,
    };
    for scope in [Scope::User, Scope::Node] {
        if program.supports(scope) {
            kit.small(scope)?;
            kit.unknown(scope)?;
            kit.same(scope, Tier::Force, ORDINARY)?;
        }
    }
    let large = if program.supports(Scope::Node) {
        Scope::Node
    } else {
        Scope::User
    };
    let points = [kit.fuel(large, MIDDLE)?, kit.fuel(large, LARGEST)?];
    kit.same(large, Tier::Force, LARGEST)?;
    let config = program.engine().config();
    Ok(KitReport::new(kit.calls, points, |rows| config.fuel(rows)))
}

struct Kit<'a> {
    program: &'a Program,
    params: &'a [f64],
    calls: u32,
}

impl Kit<'_> {
    fn ask(&mut self, input: &Input) -> Outcome<Ranking> {
        self.calls += 1;
        self.program.ask(input, self.params, None)
    }

    /// Asks, and holds the answer to what every answer is held to.
    fn lawful(&mut self, input: &Input, kind: Kind) -> Result<Outcome<Ranking>, KitFailure> {
        let at = Place {
            scope: input.scope,
            tier: input.tier,
            rows: input.rows,
            kind,
        };
        let outcome = self.ask(input);
        match &outcome.result {
            Ok(ranking) => {
                well_formed(&ranking.choices, at, self.program.manifest().reasons.len())?
            }
            Err(fault) => {
                let fault = fault.clone();
                return Err(KitFailure::Fault { at, fault });
            }
        }
        Ok(outcome)
    }

    fn ordinary(&self, scope: Scope, tier: Tier, rows: u32) -> Input {
        inputs::ordinary(self.program.signals(), scope, tier, rows)
    }

    fn small(&mut self, scope: Scope) -> Result<(), KitFailure> {
        for rows in SMALL {
            for tier in Tier::ALL {
                let input = self.ordinary(scope, tier, rows);
                self.lawful(&input, Kind::Ordinary)?;
            }
        }
        Ok(())
    }

    fn unknown(&mut self, scope: Scope) -> Result<(), KitFailure> {
        let columns = self.program.signals().len();
        for column in 0..columns {
            let mut input = self.ordinary(scope, Tier::Force, ORDINARY);
            if let Some(column) = input.columns.get_mut(column) {
                column.fill(f64::NAN);
            }
            self.lawful(&input, Kind::ColumnUnknown)?;
        }
        let mut input = self.ordinary(scope, Tier::Force, ORDINARY);
        input
            .columns
            .iter_mut()
            .for_each(|column| column.fill(f64::NAN));
        self.lawful(&input, Kind::AllUnknown).map(drop)
    }

    /// The same answer again, in another order, at another time.
    fn same(&mut self, scope: Scope, tier: Tier, rows: u32) -> Result<(), KitFailure> {
        let at = Place {
            scope,
            tier,
            rows,
            kind: Kind::Ordinary,
        };
        let input = self.ordinary(scope, tier, rows);
        let first = self.lawful(&input, Kind::Ordinary)?;
        let again = self.lawful(&input, Kind::Ordinary)?;
        if again.result != first.result || again.fuel != first.fuel {
            return Err(KitFailure::Unrepeatable { at });
        }
        let later = self.lawful(&inputs::later(&input), Kind::Ordinary)?;
        if later.result != first.result {
            return Err(KitFailure::ClockMatters { at });
        }
        let (shuffled, order) = inputs::shuffled(&input);
        let other = self.lawful(&shuffled, Kind::Ordinary)?;
        let (Ok(first), Ok(other)) = (first.result, other.result) else {
            return Ok(());
        };
        match differs(&first.choices, &other.choices, &order) {
            Some(place) => Err(KitFailure::OrderMatters { at, place }),
            None => Ok(()),
        }
    }

    /// What a call of that size uses; where it is too much, how many rows are not.
    fn fuel(&mut self, scope: Scope, rows: u32) -> Result<FuelPoint, KitFailure> {
        let input = self.ordinary(scope, Tier::Force, rows);
        match self.lawful(&input, Kind::Ordinary) {
            Ok(outcome) => Ok(FuelPoint {
                rows,
                fuel: outcome.fuel,
            }),
            Err(KitFailure::Fault {
                fault: Fault::OutOfFuel(_),
                ..
            }) => {
                let (mut fits, mut fails) = (0, rows);
                while fails - fits > 1 {
                    let middle = fits + (fails - fits) / 2;
                    let input = self.ordinary(scope, Tier::Force, middle);
                    let too_much = matches!(self.ask(&input).result, Err(Fault::OutOfFuel(_)));
                    *(if too_much { &mut fails } else { &mut fits }) = middle;
                }
                Err(KitFailure::Fuel { rows, most: fits })
            }
            Err(other) => Err(other),
        }
    }
}

fn well_formed(choices: &[Choice], at: Place, declared: usize) -> Result<(), KitFailure> {
    let mut chosen = HashSet::with_capacity(choices.len());
    for &Choice { row, score, reason } in choices {
        if row >= at.rows {
            return Err(KitFailure::NoSuchRow { at, row });
        }
        if !chosen.insert(row) {
            return Err(KitFailure::Repeated { at, row });
        }
        if score.is_nan() && at.kind == Kind::Ordinary {
            return Err(KitFailure::NotANumber { at, row });
        }
        if usize::from(reason) >= declared {
            return Err(KitFailure::NoSuchReason {
                at,
                row,
                reason,
                declared,
            });
        }
    }
    Ok(())
}

/// The first place at which two answers differ, the second being about rows in another order.
///
/// Place by place they have to agree in score and reason, and a row that is in both has to have one
/// score; so only rows of one score can have changed places.
fn differs(first: &[Choice], other: &[Choice], order: &[u32]) -> Option<usize> {
    if first.len() != other.len() {
        return Some(first.len().min(other.len()));
    }
    let scores: HashMap<u32, u64> = first
        .iter()
        .map(|choice| (choice.row, choice.score.to_bits()))
        .collect();
    first.iter().zip(other).position(|(a, b)| {
        let score = b.score.to_bits();
        let row = order.get(b.row as usize);
        let before = row.and_then(|row| scores.get(row)).copied();
        let agree = a.score.to_bits() == score && a.reason == b.reason;
        !agree || before.is_some_and(|before| before != score)
    })
}

#[cfg(test)]
mod tests;
