//! Decisions that do not hold what a policy reads.
//!
//! A decision journal holds the signals of the policy that ranked, and all signals of a decision that was
//! drawn. Another policy may read more. Asked about such a decision, it would rank by values that are not
//! there, mostly by its order of ties, and every figure that is made of that would be about nothing. So such
//! decisions are left out and counted, and where none remains there is no figure.

use std::collections::BTreeMap;

use serde::Serialize;
use wastegate_core::types::Signal;

/// What a policy reads and decisions do not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LackingSignals {
    /// Decisions that lack at least one of the policy's signals.
    pub decisions: u64,
    /// The names of the signals, each with how many decisions lack it.
    pub signals: BTreeMap<&'static str, u64>,
}

/// No decision holds what the policy reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}, which `{policy}` reads, {} missing in {decisions} decision{}, and none remains: what it would do \
     there is unknown. A journal holds the signals of the policy that ranked, and all where an arm explores. \
     Record decisions that hold {}, or judge `{policy}` by the activity stream (`wastegate replay --activity \
     FILE --policy {policy}`)",
    listed(signals),
    if signals.len() == 1 { "is" } else { "are" },
    if *decisions == 1 { "" } else { "s" },
    if signals.len() == 1 { "it" } else { "them" }
)]
pub struct NoneHolds {
    /// The policy, as it was named.
    pub policy: String,
    /// What it reads and the decisions lack, by name.
    pub signals: Vec<&'static str>,
    /// How many decisions lack one of them.
    pub decisions: u64,
}

impl LackingSignals {
    /// Takes note of a decision that lacks these, if any.
    pub(super) fn add(&mut self, missing: &[Signal]) {
        self.decisions += u64::from(!missing.is_empty());
        for signal in missing {
            *self.signals.entry(signal.name()).or_default() += 1;
        }
    }

    /// The refusal for a policy where `left`, the decisions that remain, is zero; none where some do, or
    /// nothing was lacking.
    #[must_use]
    pub fn refusal(&self, policy: &str, left: u64) -> Option<NoneHolds> {
        (left == 0 && self.decisions > 0).then(|| NoneHolds {
            policy: policy.to_owned(),
            signals: self.signals.keys().copied().collect(),
            decisions: self.decisions,
        })
    }

    /// What was left out, in words; none where nothing was.
    #[must_use]
    pub fn in_words(&self, policy: &str) -> Option<String> {
        let names: Vec<&str> = self.signals.keys().copied().collect();
        (self.decisions > 0).then(|| {
            format!(
                "{} left out, which do not hold {} that `{policy}` reads",
                self.decisions,
                listed(&names)
            )
        })
    }
}

fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        names => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j15_the_refusal_names_policy_signals_and_remedy() {
        let mut lacking = LackingSignals::default();
        lacking.add(&[]);
        assert_eq!(lacking.refusal("lru", 0), None, "there is no decision");
        lacking.add(&[Signal::AgeMs, Signal::ActivityCount]);
        lacking.add(&[Signal::AgeMs]);
        assert_eq!(lacking.refusal("mine", 1), None, "one remains");
        assert_eq!(
            lacking.refusal("mine", 0).unwrap().to_string(),
            "`activity-count` and `age-ms`, which `mine` reads, are missing in 2 decisions, and none remains: \
             what it would do there is unknown. A journal holds the signals of the policy that ranked, and \
             all where an arm explores. Record decisions that hold them, or judge `mine` by the activity \
             stream (`wastegate replay --activity FILE --policy mine`)"
        );
    }
}
