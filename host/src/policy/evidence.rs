//! The input on which a policy failed, kept as a test case that can be run again.
//!
//! Columns of numbers and nothing that names anybody, so it may be shown, saved and sent to the
//! policy's author.

use serde::{Deserialize, Serialize};

use super::call::Input;
use super::engine::ENGINE_VERSION;
use super::program::Policy;
use crate::decision::Fault;
use crate::types::{Scope, Tier};

/// Rows that are kept; of more, the first ones.
pub const ROWS_KEPT_MAX: u32 = 4_096;

/// The version of the case's own shape.
pub const CASE_VERSION: u32 = 1;

/// One call that went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestCase {
    /// [`CASE_VERSION`].
    pub v: u32,
    /// The policy's name.
    pub policy: String,
    /// SHA-256 of its bytes, in hex.
    pub digest: String,
    /// The engine that it ran on.
    pub engine: String,
    /// What happened, in words.
    pub fault: String,
    /// How hard the host was looking.
    pub tier: Tier,
    /// Whose managers the rows were.
    pub scope: Scope,
    /// How many the host would have taken.
    pub needed: u32,
    /// The limit that the scope was held to.
    pub limit: u32,
    /// How many managers it held.
    pub held: u32,
    /// When, milliseconds on the host's monotonic clock.
    pub now_ms: u64,
    /// The decision's seed.
    pub seed: u64,
    /// The parameters in force.
    pub params: Vec<f64>,
    /// How many rows the call had; the columns hold at most [`ROWS_KEPT_MAX`] of them.
    pub rows: u32,
    /// The names of the columns.
    pub signals: Vec<String>,
    /// The columns; unknown values are null, and infinite ones `"inf"` and `"-inf"`, which JSON has
    /// no numbers for.
    #[serde(with = "cells")]
    pub columns: Vec<Vec<Option<f64>>>,
}

impl TestCase {
    /// Of a policy, what it was asked, and what happened.
    #[must_use]
    pub fn new(policy: &Policy, input: &Input, fault: &Fault) -> Self {
        let known = |value: &f64| (!value.is_nan()).then_some(*value);
        let kept = |column: &Vec<f64>| {
            column
                .iter()
                .take(ROWS_KEPT_MAX as usize)
                .map(known)
                .collect()
        };
        let signals = policy.program().signals();
        Self {
            v: CASE_VERSION,
            policy: policy.about().name.as_ref().to_owned(),
            digest: policy.about().digest.as_ref().to_owned(),
            engine: ENGINE_VERSION.to_owned(),
            fault: fault.to_string(),
            tier: input.tier,
            scope: input.scope,
            needed: input.needed,
            limit: input.limit,
            held: input.held,
            now_ms: input.now_ms,
            seed: input.seed,
            params: policy.params().to_vec(),
            rows: input.rows,
            signals: signals
                .iter()
                .map(|signal| signal.name().to_owned())
                .collect(),
            columns: input.columns.iter().map(kept).collect(),
        }
    }

    /// The call, to make it again. Of a large one, the rows that were kept.
    #[must_use]
    pub fn input(&self) -> Input {
        let unknown = |value: &Option<f64>| value.unwrap_or(f64::NAN);
        Input {
            tier: self.tier,
            scope: self.scope,
            needed: self.needed,
            limit: self.limit,
            held: self.held,
            now_ms: self.now_ms,
            seed: self.seed,
            rows: self.rows.min(ROWS_KEPT_MAX),
            columns: self
                .columns
                .iter()
                .map(|column| column.iter().map(unknown).collect())
                .collect(),
        }
    }
}

/// Columns as JSON can hold them without loss.
mod cells {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Clone, Copy, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Cell {
        Finite(f64),
        Infinite(Infinite),
    }

    #[derive(Clone, Copy, Serialize, Deserialize)]
    enum Infinite {
        #[serde(rename = "inf")]
        Positive,
        #[serde(rename = "-inf")]
        Negative,
    }

    impl From<f64> for Cell {
        fn from(value: f64) -> Self {
            if value == f64::INFINITY {
                Self::Infinite(Infinite::Positive)
            } else if value == f64::NEG_INFINITY {
                Self::Infinite(Infinite::Negative)
            } else {
                Self::Finite(value)
            }
        }
    }

    impl From<Cell> for f64 {
        fn from(cell: Cell) -> Self {
            match cell {
                Cell::Finite(value) => value,
                Cell::Infinite(Infinite::Positive) => Self::INFINITY,
                Cell::Infinite(Infinite::Negative) => Self::NEG_INFINITY,
            }
        }
    }

    pub(super) fn serialize<S: Serializer>(
        columns: &[Vec<Option<f64>>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(columns.iter().map(|column| {
            let cells = column.iter().map(|value| value.map(Cell::from));
            cells.collect::<Vec<Option<Cell>>>()
        }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Vec<Option<f64>>>, D::Error> {
        let columns = Vec::<Vec<Option<Cell>>>::deserialize(deserializer)?;
        let values = columns.into_iter().map(|column| {
            let values = column.into_iter().map(|cell| cell.map(f64::from));
            values.collect()
        });
        Ok(values.collect())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[derive(Serialize, Deserialize)]
        struct Columns(#[serde(with = "super")] Vec<Vec<Option<f64>>>);

        #[test]
        fn every_value_comes_back() {
            let values = [0.0, -0.0, 1.5, f64::MAX, f64::INFINITY, f64::NEG_INFINITY];
            let mut column: Vec<Option<f64>> = values.into_iter().map(Some).collect();
            column.push(None);
            let text = serde_json::to_string(&Columns(vec![column.clone()])).unwrap();
            assert_eq!(
                text,
                r#"[[0.0,-0.0,1.5,1.7976931348623157e+308,"inf","-inf",null]]"#
            );
            let Columns(read) = serde_json::from_str(&text).unwrap();
            assert_eq!(read, [column]);
        }
    }
}
