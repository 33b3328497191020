//! A ranking as a table: what became of each row, beside what the policy saw of it.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::table::Table;
use wastegate_core::types::Signal;
use wastegate_lab::workbench::ask::{AskReport, RankedRow, RowOutcome};
use wastegate_lab::workbench::snapshot::RecordedSnapshot;
use wastegate_lab::workbench::units;

/// Lines of a table; JSON has all of them.
const LINES_MAX: usize = 60;

/// Writes the ranking with the values of the signals that the policy reads.
pub(super) fn write(
    asked: &AskReport,
    snapshot: &RecordedSnapshot,
    indent: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let signals = &*asked.answer.signals;
    let head = ["place", "row", "score", "reason", "host"];
    let names = signals.iter().map(|signal| signal.name());
    let mut table = Table::new(head.into_iter().chain(names));
    let entries = asked.entries(snapshot);
    for entry in entries.iter().take(LINES_MAX) {
        let mut cells = vec![
            entry
                .place
                .map_or("-".to_owned(), |place| place.to_string()),
            label(entry, snapshot),
            score(entry),
            entry.reason.clone().unwrap_or_default(),
            entry.outcome.to_string(),
        ];
        if let Some(row) = entry.row {
            cells.extend(values(snapshot, row, signals));
        }
        table.row(cells);
    }
    table.write(indent, out)?;
    if entries.len() > LINES_MAX {
        let more = entries.len() - LINES_MAX;
        writeln!(out, "{indent}... and {more} more; --json has them all")?;
    }
    Ok(())
}

/// The values of some signals of a row, for people.
pub(super) fn values(snapshot: &RecordedSnapshot, row: usize, signals: &[Signal]) -> Vec<String> {
    let Some(row) = snapshot.rows.get(row) else {
        return Vec::new();
    };
    let values = signals.iter();
    values
        .map(|&signal| units::readable(signal, row.signals[signal]))
        .collect()
}

/// The score; a policy that gave a number that is none says so.
fn score(entry: &RankedRow) -> String {
    match (entry.score, entry.place) {
        (Some(score), _) => units::plain(score),
        (None, Some(_)) => "NaN".to_owned(),
        (None, None) => String::new(),
    }
}

fn label(entry: &RankedRow, snapshot: &RecordedSnapshot) -> String {
    match entry.row {
        Some(row) => snapshot.label(row),
        None => "none of the rows".to_owned(),
    }
}

/// The ranking for programs.
pub(super) fn json(asked: &AskReport, snapshot: &RecordedSnapshot) -> Vec<Value> {
    let entries = asked.entries(snapshot);
    entries
        .iter()
        .map(|entry| {
            let rejected = match entry.outcome {
                RowOutcome::Rejected(why) => Some(why.name()),
                RowOutcome::Taken
                | RowOutcome::ToppedUp
                | RowOutcome::NotNeeded
                | RowOutcome::Kept(_)
                | RowOutcome::NotProposed
                | RowOutcome::NotAsked(_) => None,
            };
            json!({
                "place": entry.place,
                "row": entry.row,
                "key": entry.row.and_then(|row| snapshot.rows.get(row)?.key.as_deref()),
                "score": entry.score,
                "reason": entry.reason,
                "host": entry.outcome.name(),
                "struck": rejected,
                "why": entry.outcome.to_string(),
                "signals": entry.row.map(|row| json_values(snapshot, row, &asked.answer.signals)),
            })
        })
        .collect()
}

/// The values of some signals of a row, for programs; unknown ones are null.
pub(super) fn json_values(snapshot: &RecordedSnapshot, row: usize, signals: &[Signal]) -> Value {
    let row = snapshot.rows.get(row);
    let values = signals.iter().map(|&signal| {
        let value = row.map(|row| row.signals[signal]);
        let known = value.filter(|value| !value.is_nan());
        (signal.name().to_owned(), json!(known))
    });
    Value::Object(values.collect())
}
