//! What the kit holds a policy to, as a list: so that a report can say which of them was broken,
//! and a test can show each of them on a policy that breaks it and no other.

use std::fmt;

/// One thing that must hold of every policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Property {
    /// It answers the second `describe` as it answered the first.
    DescribesItselfAlike,
    /// It answers, if only with an empty list: 0, 1, 20, 1,000 and 10,000 rows, at every tier and in
    /// every scope that it declares.
    Answers,
    /// It answers where a column, or everything, is unknown.
    BearsUnknown,
    /// It answers within the fuel of a call, with as many as 10,000 rows.
    WithinFuel,
    /// It answers within the memory of a call.
    WithinMemory,
    /// Its answer is no larger than an answer may be.
    WithinOutput,
    /// It chooses rows that exist.
    RowsExist,
    /// It chooses each row once.
    RowsOnce,
    /// Its scores are numbers where all that it was told is.
    ScoresAreNumbers,
    /// Its reasons are among those that it declared.
    ReasonsAreDeclared,
    /// Asked the same again it answers the same, for the same fuel.
    Repeatable,
    /// The order of the rows does not matter.
    OrderFree,
    /// What the clock reads does not matter.
    ClockFree,
    /// What managers are called does not matter.
    IdFree,
}

/// Who sees to it that a property holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enforcer {
    /// The policy: a guest can break it, and the kit would find out.
    Policy,
    /// The sandbox: a guest gets a fresh instance without clock or randomness for every call, so it
    /// has nothing to break it with. The kit asks all the same, and would find a broken sandbox.
    Sandbox,
    /// The contract: ids never cross it, so there is nothing to ask.
    Contract,
}

impl Property {
    /// Every property, in the order in which they are told.
    pub const ALL: [Self; 14] = [
        Self::DescribesItselfAlike,
        Self::Answers,
        Self::BearsUnknown,
        Self::WithinFuel,
        Self::WithinMemory,
        Self::WithinOutput,
        Self::RowsExist,
        Self::RowsOnce,
        Self::ScoresAreNumbers,
        Self::ReasonsAreDeclared,
        Self::Repeatable,
        Self::OrderFree,
        Self::ClockFree,
        Self::IdFree,
    ];

    /// Its name in reports and case files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DescribesItselfAlike => "describes-itself-alike",
            Self::Answers => "answers",
            Self::BearsUnknown => "bears-unknown",
            Self::WithinFuel => "within-fuel",
            Self::WithinMemory => "within-memory",
            Self::WithinOutput => "within-output",
            Self::RowsExist => "rows-exist",
            Self::RowsOnce => "rows-once",
            Self::ScoresAreNumbers => "scores-are-numbers",
            Self::ReasonsAreDeclared => "reasons-are-declared",
            Self::Repeatable => "repeatable",
            Self::OrderFree => "order-free",
            Self::ClockFree => "clock-free",
            Self::IdFree => "id-free",
        }
    }

    /// Who sees to it.
    #[must_use]
    pub const fn keeper(self) -> Enforcer {
        match self {
            Self::DescribesItselfAlike | Self::Repeatable => Enforcer::Sandbox,
            Self::IdFree => Enforcer::Contract,
            Self::Answers
            | Self::BearsUnknown
            | Self::WithinFuel
            | Self::WithinMemory
            | Self::WithinOutput
            | Self::RowsExist
            | Self::RowsOnce
            | Self::ScoresAreNumbers
            | Self::ReasonsAreDeclared
            | Self::OrderFree
            | Self::ClockFree => Enforcer::Policy,
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
