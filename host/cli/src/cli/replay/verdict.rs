//! Which differences between strategies are noise: one sentence, and the figures behind it.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::summary::{Report, Result};
use crate::cli::policy::table::Table;
use wastegate_lab::replay::StrategyComparison;
use wastegate_lab::replay::comparison::{ALPHA, StrategyChange};
use wastegate_lab::replay::paired::{ChangeVerdict, MeanChange, USERS_MIN};
use wastegate_lab::replay::tune::Objective;
use wastegate_lab::trace::LoadedTrace;

/// Measures every strategy against the one that ranked when the activity was recorded, where it is
/// among them, else against the first that was named.
pub(super) fn compare(results: &[Result<'_>], loaded: &LoadedTrace) -> Option<StrategyComparison> {
    let settings = loaded.settings.as_ref();
    let recorded = settings.and_then(|settings| settings.policy.as_ref());
    let ranked = |result: &Result<'_>| {
        recorded.is_some_and(|policy| *policy.digest == *result.candidate.about().digest)
    };
    let against = results.iter().position(ranked).unwrap_or_default();
    let others = results.iter().enumerate();
    let others = others.filter(|(_, result)| !result.candidate.is_oracle());
    let others: Vec<usize> = others.map(|(place, _)| place).collect();
    let tallies: Vec<_> = results.iter().map(|result| &result.tally).collect();
    StrategyComparison::of(&tallies, against, &others, Objective::ReopenMisses)
}

impl Report<'_> {
    /// What may be said of the strategies, in one sentence.
    pub(super) fn verdict(&self) -> String {
        if !self.reproduced.may_compare() {
            return "No verdict: the replay does not reproduce what was recorded, so its figures are \
                    about another world."
                .to_owned();
        }
        let Some(comparison) = &self.comparison else {
            let only = self.name(0);
            return format!(
                "No verdict: there is nothing to measure `{only}` against; name another with --policy."
            );
        };
        let changes = &comparison.changes;
        if changes.iter().all(|it| it.verdict == ChangeVerdict::TooFew) {
            let users = self.results.iter().map(|it| it.tally.per_user.len());
            return format!(
                "No verdict: {} users had a decision, and it takes {USERS_MIN}.",
                users.max().unwrap_or_default()
            );
        }
        let mut parts = vec![self.beyond_chance(comparison)];
        let names = |verdict| -> Vec<String> {
            let those = comparison.those(verdict);
            those
                .map(|it| format!("`{}`", self.name(it.strategy)))
                .collect()
        };
        let mut add = |names: Vec<String>, one: &str, more: &str| match names.as_slice() {
            [] => {}
            [name] => parts.push(format!("{name} {one}")),
            names => parts.push(format!("{} {more}", listed(names))),
        };
        add(
            names(ChangeVerdict::Noise),
            "differs by no more than noise",
            "differ by no more than noise",
        );
        add(
            names(ChangeVerdict::Same),
            "differs for no user",
            "differ for no user",
        );
        add(
            names(ChangeVerdict::TooFew),
            "has too few users",
            "have too few users",
        );
        format!(
            "Against `{}`, {}.",
            self.name(comparison.against),
            parts.join("; ")
        )
    }

    fn beyond_chance(&self, comparison: &StrategyComparison) -> String {
        let mut found = Vec::new();
        let objective = comparison.objective.name();
        for (verdict, word) in [
            (ChangeVerdict::Less, "fewer"),
            (ChangeVerdict::More, "more"),
        ] {
            for change in comparison.those(verdict) {
                let what = if found.is_empty() {
                    format!(" {objective}")
                } else {
                    String::new()
                };
                let (amount, name) = (amount(change), self.name(change.strategy));
                found.push(format!("{amount} {word}{what} with `{name}`"));
            }
        }
        if found.is_empty() {
            return format!("no strategy has fewer or more {objective} beyond chance");
        }
        format!("users have {}, beyond chance", listed(&found))
    }

    fn name(&self, strategy: usize) -> &str {
        let result = self.results.get(strategy);
        result.map_or("?", |result| &result.candidate.name)
    }

    /// The figures behind the sentence.
    pub(super) fn differences(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(comparison) = &self.comparison else {
            return Ok(());
        };
        writeln!(out, "{}:", self.title(comparison))?;
        let mut table = Table::new([
            "strategy",
            "change",
            "interval",
            "users with a change",
            "is",
        ]);
        for row in self.rows(comparison) {
            table.row(row);
        }
        table.write("  ", out)
    }

    /// What a table or a plot of the differences shows.
    pub(super) fn title(&self, comparison: &StrategyComparison) -> String {
        format!(
            "{} of a user against `{}`, intervals that hold together at {:.0} %",
            capital(comparison.objective.name()),
            self.name(comparison.against),
            (1.0 - ALPHA) * 100.0,
        )
    }

    /// A line for each strategy: its name, change, interval, users and verdict.
    pub(super) fn rows(&self, comparison: &StrategyComparison) -> Vec<[String; 5]> {
        let row = |change: &StrategyChange| {
            let mean = |show: &dyn Fn(MeanChange) -> String| {
                change.mean.map_or_else(|| "-".to_owned(), show)
            };
            [
                self.name(change.strategy).to_owned(),
                mean(&|it| format!("{:+.4}", it.mean)),
                mean(&|it| format!("{:+.4} to {:+.4}", it.low, it.high)),
                mean(&|it| format!("{} of {}", it.changed, it.users)),
                word(change.verdict).to_owned(),
            ]
        };
        comparison.changes.iter().map(row).collect()
    }

    /// The comparison for programs; null where there is none.
    pub(super) fn json_comparison(&self) -> Value {
        let Some(comparison) = &self.comparison else {
            return Value::Null;
        };
        let change = |change: &StrategyChange| {
            json!({
                "name": self.name(change.strategy),
                "share": change.share,
                "mean": change.mean,
                "verdict": change.verdict,
            })
        };
        let changes: Vec<Value> = comparison.changes.iter().map(change).collect();
        json!({
            "against": self.name(comparison.against),
            "objective": comparison.objective,
            "alpha": ALPHA,
            "verdict": self.verdict(),
            "changes": changes,
        })
    }
}

/// How much it is: as a share, or as a number where the other has none.
fn amount(change: &StrategyChange) -> String {
    match (change.share, change.mean) {
        (Some(share), _) if share.abs() < 0.001 => format!("{:.3} %", share.abs() * 100.0),
        (Some(share), _) => format!("{:.1} %", share.abs() * 100.0),
        (None, Some(mean)) => format!("{:.2} a user", mean.mean.abs()),
        (None, None) => String::new(),
    }
}

const fn word(verdict: ChangeVerdict) -> &'static str {
    match verdict {
        ChangeVerdict::Less => "fewer",
        ChangeVerdict::More => "more",
        ChangeVerdict::Noise => "noise",
        ChangeVerdict::Same => "no change",
        ChangeVerdict::TooFew => "too few users",
    }
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(rest).collect()
}

fn listed(names: &[String]) -> String {
    match names {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        names => names.concat(),
    }
}
