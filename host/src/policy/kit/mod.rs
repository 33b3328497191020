//! The acceptance kit: what every policy is put through before it may rank anything.
//!
//! The rules, on made-up rows: it names only rows that exist, each once, with a score that is a
//! number and a reason that it declared; it answers the same when asked again (with the same fuel),
//! when the rows come in another order, and when the clock reads otherwise; it bears unknown values,
//! no rows, one row, and ten thousand within its fuel. An empty answer is legal everywhere.
//!
//! Quantities are distinct from row to row, as nearly all are on a real node, so a policy that ranks
//! rows differently in another order goes by their numbers. Only rows that are alike in every column
//! that it reads may change places.
//!
//! Not here: whether a policy is any good. That is for replay and experiments to say.

mod inputs;
mod report;
mod rules;

pub use report::{FuelPoint, KitReport};
pub use rules::{Kind, KitFailure, Place};

use self::rules::{differs, well_formed};
use super::allowance;
use super::call::{Input, Outcome};
use super::program::Program;
use crate::decision::{Fault, Ranking};
use crate::types::{Limits, Scope, Tier};

/// Row counts at which every tier is tried.
const SMALL: [u32; 3] = [0, 1, 20];
/// Rows of the calls that are compared with each other.
const ORDINARY: u32 = 20;
/// Rows of a middling call: with the largest it says how fuel grows.
const MIDDLE: u32 = 1_000;
/// Rows of the largest call.
const LARGEST: u32 = 10_000;

/// Puts a program with its parameters through the kit. Blocks for some tens of calls.
///
/// # Errors
/// [`KitFailure`] with the first rule that it broke.
pub fn run(program: &Program, params: &[f64]) -> Result<KitReport, KitFailure> {
    run_within(program, params, &Limits::NODES)
}

/// The same for a policy with limits of its own.
///
/// # Errors
/// [`KitFailure`] with the first rule that it broke.
pub fn run_within(
    program: &Program,
    params: &[f64],
    limits: &Limits,
) -> Result<KitReport, KitFailure> {
    let mut kit = Kit {
        program,
        params,
        limits,
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
    let fuel = kit.fuel(large, Tier::Force)?;
    kit.same(large, Tier::Force, LARGEST)?;
    let budget = |rows| allowance::fuel(limits, program.engine().config(), rows);
    // In the background the host takes all that it may. A policy that cannot put so many in order
    // is no worse for what it is mostly asked, so this is told and not held against it.
    let everything = match kit.fuel(large, Tier::Proactive) {
        Ok(points) => report::breaking_point(points, budget),
        Err(KitFailure::Fuel { most, .. }) => Some(most.saturating_add(1)),
        Err(other) => return Err(other),
    };
    Ok(KitReport {
        calls: kit.calls,
        fuel,
        fuel_share: report::share(fuel, budget),
        breaking_point: report::breaking_point(fuel, budget),
        everything_breaks_at: everything,
    })
}

struct Kit<'a> {
    program: &'a Program,
    params: &'a [f64],
    limits: &'a Limits,
    calls: u32,
}

impl Kit<'_> {
    fn ask(&mut self, input: &Input) -> Outcome<Ranking> {
        self.calls += 1;
        self.program.examine(input, self.params, self.limits)
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
        match differs(&input, &first.choices, &other.choices, &order) {
            Some(place) => Err(KitFailure::OrderMatters { at, place }),
            None => Ok(()),
        }
    }

    /// What a middling and the largest call use.
    fn fuel(&mut self, scope: Scope, tier: Tier) -> Result<[FuelPoint; 2], KitFailure> {
        Ok([
            self.fuel_of(scope, tier, MIDDLE)?,
            self.fuel_of(scope, tier, LARGEST)?,
        ])
    }

    /// What a call of that size uses; where it is too much, how many rows are not.
    fn fuel_of(&mut self, scope: Scope, tier: Tier, rows: u32) -> Result<FuelPoint, KitFailure> {
        let input = self.ordinary(scope, tier, rows);
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
                    let input = self.ordinary(scope, tier, middle);
                    let too_much = matches!(self.ask(&input).result, Err(Fault::OutOfFuel(_)));
                    *(if too_much { &mut fails } else { &mut fits }) = middle;
                }
                Err(KitFailure::Fuel { rows, most: fits })
            }
            Err(other) => Err(other),
        }
    }
}

#[cfg(test)]
mod tests;
