//! Whether an answer is what a case expects, and if not, in what it differs.

use super::ask::AskReport;
use super::case::Case;
use super::snapshot::RecordedSnapshot;
use wastegate_core::decision::Disagreement;

/// Rows that a sentence lists; of more, how many.
const LISTED_MAX: usize = 12;

/// One expectation that does not hold. Rows are places of the snapshot's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmet {
    /// The policy gave no ranking.
    Fault(String),
    /// The ranking begins otherwise.
    Order {
        /// As it should begin.
        expected: Vec<usize>,
        /// As it begins.
        actual: Vec<usize>,
    },
    /// The host takes others.
    Victims {
        /// Whom it should take.
        expected: Vec<usize>,
        /// Whom it takes.
        actual: Vec<usize>,
    },
    /// Somebody is among the victims who should not be.
    Spared {
        /// Who should stay.
        expected: Vec<usize>,
        /// Which of them go.
        taken: Vec<usize>,
    },
    /// The policy proposes somebody.
    Empty {
        /// The rows that it proposes, in its order.
        actual: Vec<usize>,
    },
}

/// Everything that does not hold; nothing if the case passes.
#[must_use]
pub fn unmet(case: &Case, asked: &AskReport) -> Vec<Unmet> {
    if let Some(fault) = asked.fault() {
        return vec![Unmet::Fault(fault.to_string())];
    }
    let (ranking, victims) = (asked.ranking(), asked.victims());
    let expect = &case.expect;
    let mut unmet = Vec::new();
    if let Some(expected) = &expect.order
        && !ranking.starts_with(expected)
    {
        unmet.push(Unmet::Order {
            expected: expected.clone(),
            actual: ranking.iter().copied().take(expected.len()).collect(),
        });
    }
    if let Some(expected) = &expect.victims
        && sorted(expected) != sorted(&victims)
    {
        unmet.push(Unmet::Victims {
            expected: expected.clone(),
            actual: victims.clone(),
        });
    }
    if let Some(expected) = &expect.spared {
        let goes = |row: &&usize| victims.contains(row);
        let taken: Vec<usize> = expected.iter().filter(goes).copied().collect();
        if !taken.is_empty() {
            unmet.push(Unmet::Spared {
                expected: expected.clone(),
                taken,
            });
        }
    }
    if expect.empty && !ranking.is_empty() {
        unmet.push(Unmet::Empty { actual: ranking });
    }
    unmet
}

impl Unmet {
    /// What it was about, in one word.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Fault(_) => "answers",
            Self::Order { .. } => "order",
            Self::Victims { .. } => "victims",
            Self::Spared { .. } => "spared",
            Self::Empty { .. } => "empty",
        }
    }

    /// The failed expectation as a sentence, with the keys of the snapshot.
    #[must_use]
    pub fn describe(&self, snapshot: &RecordedSnapshot) -> String {
        let list = |rows: &[usize]| listed(snapshot, rows);
        match self {
            Self::Fault(fault) => format!("the policy {fault}"),
            Self::Order { expected, actual } => format!(
                "the ranking should begin {} and begins {}",
                list(expected),
                list(actual)
            ),
            Self::Victims { expected, actual } => format!(
                "the host should take {} and takes {}",
                list(expected),
                list(actual)
            ),
            Self::Spared { taken, .. } => {
                format!("the host takes {}, who should stay", list(taken))
            }
            Self::Empty { actual } => {
                format!(
                    "the policy should propose nobody and proposes {}",
                    list(actual)
                )
            }
        }
    }

    /// What should be beside what is, both as rows in order; none where there is nothing to compare.
    #[must_use]
    pub fn sides(&self) -> Option<(&[usize], &[usize])> {
        match self {
            Self::Fault(_) => None,
            Self::Order { expected, actual } | Self::Victims { expected, actual } => {
                Some((expected, actual))
            }
            Self::Spared { taken, .. } => Some((&[], taken)),
            Self::Empty { actual } => Some((&[], actual)),
        }
    }

    /// The rows by which expected and actual differ.
    #[must_use]
    pub fn differing(&self) -> Vec<usize> {
        let Some((expected, actual)) = self.sides() else {
            return Vec::new();
        };
        if !matches!(self, Self::Order { .. }) {
            let Disagreement { only_a, only_b, .. } = Disagreement::between(expected, actual);
            return [only_a, only_b].concat();
        }
        let mut rows = Vec::new();
        let both = expected.iter().enumerate().map(|each| (each, actual));
        let both = both.chain(actual.iter().enumerate().map(|each| (each, expected)));
        for ((place, row), other) in both {
            if other.get(place) != Some(row) && !rows.contains(row) {
                rows.push(*row);
            }
        }
        rows
    }
}

/// Rows by name, for a sentence.
#[must_use]
pub fn listed(snapshot: &RecordedSnapshot, rows: &[usize]) -> String {
    if rows.is_empty() {
        return "nobody".to_owned();
    }
    let shown = rows.iter().take(LISTED_MAX);
    let mut text = shown
        .map(|row| snapshot.label(*row))
        .collect::<Vec<_>>()
        .join(", ");
    if rows.len() > LISTED_MAX {
        text.push_str(&format!(" and {} more", rows.len() - LISTED_MAX));
    }
    text
}

fn sorted(rows: &[usize]) -> Vec<usize> {
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::ask;
    use crate::workbench::case::Draft;
    use crate::workbench::testing::{shipped_policy, snapshot};

    const HOUSE: &str = r#"{ "needed": 2, "rows": [
        { "key": "a", "idle-ms": 900 }, { "key": "b", "idle-ms": 700 },
        { "key": "c", "idle-ms": 500 }, { "key": "d", "idle-ms": 5, "health": "dead" } ] }"#;

    /// What `lru` leaves unmet of an expectation: its names, and the sentences.
    fn describe(expect: &str) -> Vec<(&'static str, String)> {
        let draft = format!(r#"{{ "snapshot": {HOUSE}, "expect": {expect} }}"#);
        let draft: Draft = serde_json::from_str(&draft).unwrap();
        let case = draft.finish(snapshot(HOUSE)).unwrap();
        let asked = ask::ask(&shipped_policy("lru"), &[], &case.snapshot);
        let unmet = unmet(&case, &asked);
        unmet
            .iter()
            .map(|each| (each.name(), each.describe(&case.snapshot)))
            .collect()
    }

    #[test]
    fn what_holds_is_not_told() {
        for expect in [
            r#"{ "order": [] }"#,
            r#"{ "order": ["a", "b", "c", "d"] }"#,
            r#"{ "victims": ["a", "d"] }"#,
            r#"{ "victims": ["d", 0] }"#,
            r#"{ "spared": ["b", "c"] }"#,
            r#"{ "answers": true }"#,
        ] {
            assert_eq!(describe(expect), [], "{expect}");
        }
    }

    #[test]
    fn what_does_not_hold_is_told_with_both_sides() {
        let order = "the ranking should begin b and begins a".to_owned();
        assert_eq!(describe(r#"{ "order": ["b"] }"#), [("order", order)]);
        let victims = "the host should take a and takes d, a".to_owned();
        assert_eq!(describe(r#"{ "victims": ["a"] }"#), [("victims", victims)]);
        let nobody = "the host should take nobody and takes d, a".to_owned();
        assert_eq!(describe(r#"{ "victims": [] }"#), [("victims", nobody)]);
        let spared = "the host takes a, who should stay".to_owned();
        assert_eq!(
            describe(r#"{ "spared": ["c", "a"] }"#),
            [("spared", spared)]
        );
        let empty = "the policy should propose nobody and proposes a, b, c, d".to_owned();
        assert_eq!(describe(r#"{ "empty": true }"#), [("empty", empty)]);
        let all = r#"{ "order": ["d"], "victims": ["a"], "spared": ["a"], "empty": true }"#;
        assert_eq!(describe(all).len(), 4, "each is told");
    }

    #[test]
    fn rows_differ_by_place_in_an_order_and_by_presence_among_victims() {
        let (expected, actual) = (vec![0, 1, 2], vec![1, 0, 2]);
        let order = Unmet::Order { expected, actual };
        assert_eq!(order.differing(), [0, 1]);
        let (expected, actual) = (vec![0, 1], vec![1, 3]);
        let victims = Unmet::Victims { expected, actual };
        assert_eq!(victims.differing(), [0, 3]);
        assert_eq!(Unmet::Fault(String::new()).differing(), Vec::<usize>::new());
    }
}
