//! A case that failed, side by side: what was expected, what came, and the values of the signals by
//! which the rows differ.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::table::Table;
use super::{ranking, run, subject};
use wastegate_engine::policy::Program;
use wastegate_lab::workbench::expect::Unmet;
use wastegate_lab::workbench::suite::{CaseVerdict, Failure, SuiteReport};

/// Places that are shown side by side, and rows whose values are.
const SHOWN_MAX: usize = 20;

/// Writes it for people.
pub(super) fn write(failure: &Failure, program: &Program, out: &mut dyn Write) -> io::Result<()> {
    if let Some(about) = &failure.case.about {
        writeln!(out, "  {about}")?;
    }
    let (snapshot, question) = (&failure.case.snapshot, &failure.asked.question);
    writeln!(
        out,
        "  {} tier, {} needed, {} rows in question; {}",
        question.tier,
        question.needed,
        question.rows.len(),
        run::cost(&failure.asked)
    )?;
    for note in run::notes(program, &failure.case, failure.params_left_aside) {
        writeln!(out, "  note: {note}")?;
    }
    for unmet in &failure.unmet {
        writeln!(out, "  {}", unmet.describe(snapshot))?;
        beside(failure, unmet, out)?;
    }
    Ok(())
}

/// The same as a text.
pub(super) fn text(failure: &Failure) -> String {
    let mut text = Vec::new();
    for unmet in &failure.unmet {
        text.extend(unmet.describe(&failure.case.snapshot).into_bytes());
        text.push(b'\n');
        // Writing to memory cannot fail.
        let _ = beside(failure, unmet, &mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn beside(failure: &Failure, unmet: &Unmet, out: &mut dyn Write) -> io::Result<()> {
    let snapshot = &failure.case.snapshot;
    let Some((expected, actual)) = unmet.sides() else {
        return Ok(());
    };
    let label = |row: Option<&usize>| row.map_or("-".to_owned(), |row| snapshot.label(*row));
    let entries = failure.asked.entries(snapshot);
    let entry = |row: Option<&usize>| {
        let row = row?;
        entries.iter().find(|entry| entry.row == Some(*row))
    };
    writeln!(out)?;
    let mut table = Table::new(["", "expected", "actual", "because", "host"]);
    for place in 0..expected.len().max(actual.len()).min(SHOWN_MAX) {
        let (should, is) = (expected.get(place), actual.get(place));
        let found = entry(is);
        table.row(vec![
            (place + 1).to_string(),
            label(should),
            label(is),
            found
                .and_then(|entry| entry.reason.clone())
                .unwrap_or_default(),
            found
                .map(|entry| entry.outcome.to_string())
                .unwrap_or_default(),
        ]);
    }
    table.write("    ", out)?;
    let signals = &*failure.asked.answer.signals;
    let differing = unmet.differing();
    if differing.is_empty() || signals.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let head = ["row", "ranked", "host"].into_iter();
    let mut table = Table::new(head.chain(signals.iter().map(|signal| signal.name())));
    for row in differing.iter().take(SHOWN_MAX) {
        let found = entry(Some(row));
        let place = found.and_then(|entry| entry.place);
        let mut cells = vec![
            snapshot.label(*row),
            place.map_or("-".to_owned(), |place| place.to_string()),
            found
                .map(|entry| entry.outcome.to_string())
                .unwrap_or_default(),
        ];
        cells.extend(ranking::values(snapshot, *row, signals));
        table.row(cells);
    }
    table.write("    ", out)
}

/// A whole report for programs.
pub(super) fn json_report(
    report: &SuiteReport,
    program: &Program,
    out: &mut dyn Write,
) -> io::Result<()> {
    let cases: Vec<Value> = report
        .ended
        .iter()
        .map(|ended| match &ended.verdict {
            CaseVerdict::Passed { fuel, duration } => json!({
                "name": ended.name, "result": "passed", "fuel": fuel, "call_us": micros(*duration),
            }),
            CaseVerdict::Unusable(why) => json!({
                "name": ended.name, "result": "error", "message": why,
            }),
            CaseVerdict::Failed(failure) => failed(&ended.name, failure),
        })
        .collect();
    let (passed, failed, unusable) = report.counts();
    let defaults = program.manifest().params(&BTreeMap::new());
    let defaults = defaults.map(|params| params.to_vec()).unwrap_or_default();
    let report = json!({
        "policy": subject::json_policy(program, &defaults),
        "cases": cases,
        "passed": passed,
        "failed": failed,
        "errors": unusable,
        "fuel_max": report.fuel_max().map(|(fuel, _)| fuel),
        "took_us": micros(report.took),
    });
    writeln!(out, "{report}")
}

fn failed(name: &str, failure: &Failure) -> Value {
    let snapshot = &failure.case.snapshot;
    let labels =
        |rows: &[usize]| -> Vec<String> { rows.iter().map(|row| snapshot.label(*row)).collect() };
    let unmet: Vec<Value> = failure
        .unmet
        .iter()
        .map(|unmet| {
            let sides = unmet.sides();
            json!({
                "expectation": unmet.name(),
                "message": unmet.describe(snapshot),
                "expected": sides.map(|(expected, _)| labels(expected)),
                "actual": sides.map(|(_, actual)| labels(actual)),
            })
        })
        .collect();
    json!({
        "name": name,
        "result": "failed",
        "unmet": unmet,
        "fuel": failure.asked.answer.fuel,
        "call_us": micros(failure.asked.answer.duration),
        "ranking": ranking::json(&failure.asked, snapshot),
    })
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
