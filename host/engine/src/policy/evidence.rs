//! The inputs on which policies failed, kept as test cases that can be run again.
//!
//! Columns of numbers and nothing that names anybody, so it may be shown, saved and sent to the
//! policy's author.

mod cells;

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::accepted::Policy;
use super::call::Input;
use super::engine::ENGINE_VERSION;
use wastegate_core::decision::Fault;
use wastegate_core::types::{DecisionId, Limits, RevisionId, Scope, Tier};

/// Rows that are kept; of more, the first ones.
pub const ROWS_KEPT_MAX: u32 = 4_096;

/// Cases that are kept of one policy; of more, the newest ones.
const CASES_PER_POLICY_MAX: usize = 8;

/// Values that are kept of all cases together, 16 bytes each; of more, the newest cases, and always
/// the newest one.
const VALUES_MAX: usize = 1 << 20;

/// The version of the case's own shape.
pub const CASE_VERSION: u32 = 1;

/// One call that went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TestCase {
    /// The format of the case: [`CASE_VERSION`] when it was written.
    pub v: u32,
    /// The policy's name.
    pub policy: String,
    /// SHA-256 of its bytes, in hex.
    pub digest: String,
    /// Which revision it was, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<RevisionId>,
    /// For which decision it was asked, by the number in the journal and the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<u64>,
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
    /// What its operator had set instead of the node's limits.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// How many rows the call had; the columns hold at most [`ROWS_KEPT_MAX`] of them.
    pub rows: u32,
    /// The names of the columns.
    pub signals: Vec<String>,
    /// The columns; unknown values are null, and infinite ones `"inf"` and `"-inf"`, which JSON has
    /// no numbers for.
    #[serde(with = "cells")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<Vec<Option<cells::Cell>>>"))]
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
            revision: None,
            decision: None,
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
            limits: *policy.limits(),
            rows: input.rows,
            signals: signals
                .iter()
                .map(|signal| signal.name().to_owned())
                .collect(),
            columns: input.columns.iter().map(kept).collect(),
        }
    }

    /// The same of a revision, asked for a decision.
    #[must_use]
    pub(super) fn of(self, revision: Option<RevisionId>, decision: DecisionId) -> Self {
        Self {
            revision,
            decision: Some(decision.raw()),
            ..self
        }
    }

    /// How many values it holds.
    fn values(&self) -> usize {
        self.columns.iter().map(Vec::len).sum()
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

/// The last few cases of every policy, within a bound on what they hold together.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// The kept cases, oldest first.
    cases: VecDeque<Arc<TestCase>>,
}

impl Faults {
    /// Keeps one more, at the cost of the oldest.
    pub(super) fn keep(&mut self, case: TestCase) {
        let same = |other: &Arc<TestCase>| other.digest == case.digest;
        if self.cases.iter().filter(|other| same(other)).count() >= CASES_PER_POLICY_MAX
            && let Some(oldest) = self.cases.iter().position(same)
        {
            self.cases.remove(oldest);
        }
        self.cases.push_back(Arc::new(case));
        let mut values: usize = self.cases.iter().map(|case| case.values()).sum();
        while values > VALUES_MAX && self.cases.len() > 1 {
            let dropped = self.cases.pop_front();
            values -= dropped.map_or(0, |case| case.values());
        }
    }

    /// Those of one policy, the newest first.
    pub(super) fn of(&self, digest: &str) -> Vec<Arc<TestCase>> {
        let newest_first = self.cases.iter().rev();
        newest_first
            .filter(|case| case.digest == digest)
            .cloned()
            .collect()
    }

    /// Forgets those of one policy.
    pub(super) fn forget(&mut self, digest: &str) {
        self.cases.retain(|case| case.digest != digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(digest: &str, now_ms: u64, values: usize) -> TestCase {
        TestCase {
            v: CASE_VERSION,
            policy: "p".to_owned(),
            digest: digest.to_owned(),
            revision: RevisionId::new(3),
            decision: Some(9),
            engine: ENGINE_VERSION.to_owned(),
            fault: "trapped".to_owned(),
            tier: Tier::Force,
            scope: Scope::User,
            needed: 1,
            limit: 2,
            held: 2,
            now_ms,
            seed: 7,
            params: vec![0.5],
            limits: Limits {
                fuel_base: Some(9),
                ..Limits::NODES
            },
            rows: 2,
            signals: vec!["idle-ms".to_owned()],
            columns: vec![vec![Some(1.0); values]],
        }
    }

    #[test]
    fn a_few_of_each_are_kept_the_newest_first_and_all_within_a_bound() {
        let mut faults = Faults::default();
        faults.keep(case("b", 0, 1));
        for now in 1..=20 {
            faults.keep(case("a", now, 1));
        }
        let kept = |faults: &Faults, digest| -> Vec<u64> {
            faults.of(digest).iter().map(|case| case.now_ms).collect()
        };
        assert_eq!(kept(&faults, "a"), [20, 19, 18, 17, 16, 15, 14, 13]);
        assert_eq!(kept(&faults, "b"), [0], "another one's are not its cost");
        faults.keep(case("c", 30, VALUES_MAX));
        assert_eq!(
            (kept(&faults, "a").len(), kept(&faults, "c")),
            (0, vec![30])
        );
        faults.forget("c");
        assert_eq!(kept(&faults, "c").len(), 0);
    }

    #[test]
    fn a_case_says_whose_it_is_and_one_from_before_is_still_read() {
        let json = serde_json::to_value(case("a", 1, 2)).unwrap();
        assert_eq!(
            (&json["revision"], &json["decision"]),
            (&3.into(), &9.into())
        );
        assert_eq!(json["limits"]["fuel_base"], 9);
        let mut old = json;
        for newer in ["revision", "decision", "limits"] {
            old.as_object_mut().unwrap().remove(newer);
        }
        let old: TestCase = serde_json::from_value(old).unwrap();
        assert_eq!((old.revision, old.limits), (None, Limits::NODES));
    }
}
