//! The acceptance kit: what every policy is put through before it may rank anything.
//!
//! The properties are listed in [`Property`]. On made-up rows: it names only rows that exist, each once, with a score that is a
//! number and a reason that it declared; it answers the same when asked again (with the same fuel),
//! when the rows come in another order, and when the clock reads otherwise; it bears unknown values,
//! no rows, one row, and ten thousand within its fuel. From how many rows on it would run out is told,
//! also for the order that is hardest to rank. An empty answer is legal everywhere.
//!
//! Quantities are distinct from row to row, as nearly all are on a real node, so a policy that ranks
//! rows differently in another order goes by their numbers. Only rows that are alike in every column
//! that it reads may change places.
//!
//! Not here: whether a policy is any good. That is for replay and experiments to say.

mod inputs;
mod laws;
mod property;
mod report;
mod rules;
mod subject;

pub use inputs::{needed, ordinary, value};
pub use laws::{CALLS_MAX, examine};
pub use property::{Enforcer, Property};
pub use report::{FuelPoint, KitReport};
pub use rules::{KitFailure, KitPlace, RowKind};

use self::subject::{Limited, Subject};
use super::call::{CallOutcome, Input};
use super::manifest::Manifest;
use super::program::Program;
use wastegate_core::decision::{Fault, Ranking};
use wastegate_core::types::{Limits, Scope, Tier};

/// Row counts at which every tier is tried.
const SMALL: [u32; 3] = [0, 1, 20];
/// Rows of the calls that are compared with each other.
const ORDINARY: u32 = 20;
/// Row counts between, at which running out of fuel is told and not held against a policy: the
/// built-in ranking decides there. What costs the same for few rows as for many shows here.
const BETWEEN: [u32; 3] = [50, 100, 300];
/// Row counts at which each row is a better victim than all before it. Running out of fuel is told there
/// too: rows arrive the least recently active first, so most policies meet the opposite.
const RISING: [u32; 5] = [20, 50, 100, 300, 1_000];
/// Rows of a middling call: with the largest it says how fuel grows.
const MIDDLE: u32 = 1_000;
/// Rows of the largest call.
const LARGEST: u32 = 10_000;

/// Puts a program with its parameters and limits through the kit. Blocks for some tens of calls.
///
/// # Errors
/// [`KitFailure`] with the first rule that it broke.
pub fn run(program: &Program, params: &[f64], limits: &Limits) -> Result<KitReport, KitFailure> {
    let subject = Limited { program, limits };
    let mut kit = Kit::new(&subject, params, Patience::First);
    match kit.run() {
        Ok(report) => Ok(report),
        // It stops at a breach and only there.
        Err(Stop(failure)) => Err(failure),
    }
}

/// The same to the end, whatever is found on the way.
///
/// # Errors
/// The first failure of each property that was broken; at least one.
pub fn collect(
    program: &Program,
    params: &[f64],
    limits: &Limits,
) -> Result<KitReport, Vec<KitFailure>> {
    collect_of(&Limited { program, limits }, params)
}

fn collect_of(subject: &impl Subject, params: &[f64]) -> Result<KitReport, Vec<KitFailure>> {
    let mut kit = Kit::new(subject, params, Patience::All);
    match kit.run() {
        Ok(report) if kit.broken.is_empty() => Ok(report),
        Ok(_) => Err(kit.broken),
        Err(Stop(failure)) => Err(vec![failure]),
    }
}

/// Whether the kit stops at the first failure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    First,
    All,
}

/// The failure at which the kit stopped.
struct Stop(KitFailure);

struct Kit<'a, S> {
    subject: &'a S,
    params: &'a [f64],
    patience: Patience,
    calls: u32,
    broken: Vec<KitFailure>,
}

impl<'a, S: Subject> Kit<'a, S> {
    const fn new(subject: &'a S, params: &'a [f64], patience: Patience) -> Self {
        Self {
            subject,
            params,
            patience,
            calls: 0,
            broken: Vec::new(),
        }
    }

    fn run(&mut self) -> Result<KitReport, Stop> {
        self.describe()?;
        let scopes = &self.subject.manifest().scopes;
        for scope in [Scope::User, Scope::Node] {
            if scopes.contains(&scope) {
                self.small(scope)?;
                self.unknown(scope)?;
                self.same(scope, Tier::Force, ORDINARY)?;
            }
        }
        let large = if scopes.contains(&Scope::Node) {
            Scope::Node
        } else {
            Scope::User
        };
        let fuel = self.fuel(large, Tier::Force)?;
        let between = self.between(large);
        let rising = self.rising(large);
        if self.keeps(Property::WithinFuel) {
            self.same(large, Tier::Force, LARGEST)?;
        }
        // In the background the host takes all that it may. A policy that cannot put so many in order
        // is no worse for what it is mostly asked, so this is told and not held against it.
        let everything = self.everything(large)?;
        let budget = |rows| self.subject.fuel(rows);
        Ok(KitReport {
            calls: self.calls,
            fuel,
            fuel_share: report::share(fuel, budget),
            breaking_point: [between, rising, report::breaking_point(fuel, budget)]
                .into_iter()
                .flatten()
                .min(),
            everything_breaks_at: everything,
        })
    }

    /// Whether a property was not broken so far.
    fn keeps(&self, property: Property) -> bool {
        self.broken.iter().all(|known| known.property() != property)
    }

    fn breach(&mut self, failures: Vec<KitFailure>) -> Result<(), Stop> {
        for failure in failures {
            if self.patience == Patience::First {
                return Err(Stop(failure));
            }
            laws::add(&mut self.broken, failure);
        }
        Ok(())
    }

    fn ask(&mut self, input: &Input) -> CallOutcome<Ranking> {
        self.calls += 1;
        self.subject.ask(input, self.params)
    }

    /// Asks, and holds the answer to what every answer is held to.
    fn lawful(&mut self, input: &Input, kind: RowKind) -> Result<CallOutcome<Ranking>, Stop> {
        let outcome = self.ask(input);
        let breaches = laws::breaches(self.subject, &outcome, KitPlace::of(input, kind));
        self.breach(breaches)?;
        Ok(outcome)
    }

    fn ordinary(&self, scope: Scope, tier: Tier, rows: u32) -> Input {
        inputs::ordinary(&self.subject.manifest().signals, scope, tier, rows)
    }

    fn describe(&mut self) -> Result<(), Stop> {
        let again = self.subject.describe().ok();
        let again = again.and_then(|raw| Manifest::check(raw).ok());
        if again.as_ref() == Some(self.subject.manifest()) {
            return Ok(());
        }
        self.breach(vec![KitFailure::DescribesOtherwise])
    }

    fn small(&mut self, scope: Scope) -> Result<(), Stop> {
        for rows in SMALL {
            for tier in Tier::ALL {
                let input = self.ordinary(scope, tier, rows);
                self.lawful(&input, RowKind::Ordinary)?;
            }
        }
        Ok(())
    }

    fn unknown(&mut self, scope: Scope) -> Result<(), Stop> {
        let columns = self.subject.manifest().signals.len();
        for column in 0..columns {
            let mut input = self.ordinary(scope, Tier::Force, ORDINARY);
            if let Some(column) = input.columns.get_mut(column) {
                column.fill(f64::NAN);
            }
            self.lawful(&input, RowKind::ColumnUnknown)?;
        }
        let mut input = self.ordinary(scope, Tier::Force, ORDINARY);
        input
            .columns
            .iter_mut()
            .for_each(|column| column.fill(f64::NAN));
        self.lawful(&input, RowKind::AllUnknown).map(drop)
    }

    /// The same answer again, in another order, at another time.
    fn same(&mut self, scope: Scope, tier: Tier, rows: u32) -> Result<(), Stop> {
        let input = self.ordinary(scope, tier, rows);
        self.calls += CALLS_MAX;
        let failures = laws::all(self.subject, self.params, &input, RowKind::Ordinary);
        self.breach(failures)
    }

    /// What a middling and the largest call use. One that runs out counts as using all there is.
    fn fuel(&mut self, scope: Scope, tier: Tier) -> Result<[FuelPoint; 2], Stop> {
        Ok([
            self.fuel_of(scope, tier, MIDDLE)?,
            self.fuel_of(scope, tier, LARGEST)?,
        ])
    }

    /// From how many rows on there is too little fuel, if it is so for less than a middling call.
    fn between(&mut self, scope: Scope) -> Option<u32> {
        let breaks = BETWEEN
            .into_iter()
            .find(|&rows| self.runs_out(scope, Tier::Force, rows))?;
        Some(self.most(scope, Tier::Force, breaks).saturating_add(1))
    }

    /// The same where each row is a better victim than all before it.
    fn rising(&mut self, scope: Scope) -> Option<u32> {
        let breaks = RISING
            .into_iter()
            .find(|&rows| self.runs_out_rising(scope, rows))?;
        let most = self.most_of(breaks, |kit, rows| kit.runs_out_rising(scope, rows));
        Some(most.saturating_add(1))
    }

    fn runs_out(&mut self, scope: Scope, tier: Tier, rows: u32) -> bool {
        let input = self.ordinary(scope, tier, rows);
        ran_out(&self.ask(&input))
    }

    /// The policy itself says which of its rows is better: asked for all of them, it puts them in order.
    fn runs_out_rising(&mut self, scope: Scope, rows: u32) -> bool {
        let all = self.ordinary(scope, Tier::Proactive, rows);
        // Where it has too little fuel for all of them, `everything` tells so.
        let Ok(ranking) = self.ask(&all).result else {
            return false;
        };
        let input = self.ordinary(scope, Tier::Force, rows);
        ran_out(&self.ask(&inputs::rising(&input, &ranking)))
    }

    /// What a call of that size uses; where it is too much, how many rows are not.
    fn fuel_of(&mut self, scope: Scope, tier: Tier, rows: u32) -> Result<FuelPoint, Stop> {
        let input = self.ordinary(scope, tier, rows);
        let outcome = self.ask(&input);
        let breaches = if ran_out(&outcome) {
            let most = self.most(scope, tier, rows);
            vec![KitFailure::Fuel { rows, most }]
        } else {
            laws::breaches(
                self.subject,
                &outcome,
                KitPlace::of(&input, RowKind::Ordinary),
            )
        };
        self.breach(breaches)?;
        Ok(FuelPoint {
            rows,
            fuel: outcome.fuel,
        })
    }

    /// From how many rows on there is too little fuel when all are needed.
    fn everything(&mut self, scope: Scope) -> Result<Option<u32>, Stop> {
        let tier = Tier::Proactive;
        let mut points = [FuelPoint { rows: 0, fuel: 0 }; 2];
        for (point, rows) in points.iter_mut().zip([MIDDLE, LARGEST]) {
            let input = self.ordinary(scope, tier, rows);
            let outcome = self.ask(&input);
            if ran_out(&outcome) {
                return Ok(Some(self.most(scope, tier, rows).saturating_add(1)));
            }
            let at = KitPlace::of(&input, RowKind::Ordinary);
            let breaches = laws::breaches(self.subject, &outcome, at);
            self.breach(breaches)?;
            *point = FuelPoint {
                rows,
                fuel: outcome.fuel,
            };
        }
        Ok(report::breaking_point(points, |rows| {
            self.subject.fuel(rows)
        }))
    }

    /// The most rows for which there is fuel, `fails` being too many.
    fn most(&mut self, scope: Scope, tier: Tier, fails: u32) -> u32 {
        self.most_of(fails, |kit, rows| kit.runs_out(scope, tier, rows))
    }

    /// The most rows that are not too many, `fails` being too many.
    fn most_of(&mut self, mut fails: u32, too_many: impl Fn(&mut Self, u32) -> bool) -> u32 {
        let mut fits = 0;
        while fails - fits > 1 {
            let middle = fits + (fails - fits) / 2;
            let too_much = too_many(self, middle);
            *(if too_much { &mut fails } else { &mut fits }) = middle;
        }
        fits
    }
}

const fn ran_out(outcome: &CallOutcome<Ranking>) -> bool {
    matches!(outcome.result, Err(Fault::OutOfFuel(_)))
}

#[cfg(test)]
mod tests;
