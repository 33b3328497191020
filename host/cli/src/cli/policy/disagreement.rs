//! One snapshot in which two policies part: who goes by each, how much harm that does, and the
//! signals that tell the two apart.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::diff::DiffCandidate;
use super::ranking;
use super::table::Table;
use wastegate_core::types::Signal;
use wastegate_lab::workbench::diff::SnapshotDisagreement;
use wastegate_lab::workbench::diff::harm::{self, Harm};
use wastegate_lab::workbench::expect::listed;
use wastegate_lab::workbench::units;

/// Writes it for people.
pub(super) fn write(
    place: usize,
    disagreement: &SnapshotDisagreement,
    [a, b]: [&DiffCandidate; 2],
    out: &mut dyn Write,
) -> io::Result<()> {
    let snapshot = &disagreement.snapshot;
    let worse = if disagreement.harm < 0.0 { b } else { a };
    let harm = units::plain(disagreement.harm.abs());
    let tier = snapshot.tier;
    writeln!(
        out,
        "\n{place}. {} ({tier}): {} does {harm} more harm",
        disagreement.name, worse.name
    )?;
    for (candidate, rows, fault) in [
        (a, &disagreement.only_a, &disagreement.faults[0]),
        (b, &disagreement.only_b, &disagreement.faults[1]),
    ] {
        writeln!(
            out,
            "   only {} takes {}",
            candidate.name,
            listed(snapshot, rows)
        )?;
        if let Some(fault) = fault {
            writeln!(
                out,
                "     (it {fault}, and the host's own ranking stood in)"
            )?;
        }
    }
    let Some((row_a, row_b)) = disagreement.pair else {
        return Ok(());
    };
    let mut table = Table::new([
        "",
        &snapshot.label(row_a),
        &snapshot.label(row_b),
        "apart",
        "read by",
    ]);
    let harms = [row_a, row_b].map(|row| harm_in_words(disagreement, row));
    let [harm_a, harm_b] = harms;
    table.row(vec!["harm".to_owned(), harm_a, harm_b]);
    for because in &disagreement.because {
        let signal = because.signal;
        table.row(vec![
            signal.name().to_owned(),
            units::readable(signal, because.value_a),
            units::readable(signal, because.value_b),
            format!("{:.0} %", because.apart * 100.0),
            match because.read_by {
                [true, true] => "both".to_owned(),
                [true, false] => a.name.clone(),
                [false, true] => b.name.clone(),
                [false, false] => String::new(),
            },
        ]);
    }
    table.write("   ", out)
}

fn harm_in_words(disagreement: &SnapshotDisagreement, row: usize) -> String {
    let Some(harm) = harm(disagreement, row) else {
        return String::new();
    };
    let mut words = Vec::new();
    if harm.responsive {
        words.push("responsive");
    }
    if harm.protected {
        words.push("protected");
    }
    let total = units::plain(harm.total());
    if words.is_empty() {
        return total;
    }
    format!("{total}: {}", words.join(", "))
}

fn harm(disagreement: &SnapshotDisagreement, row: usize) -> Option<Harm> {
    harm::of_row(&disagreement.snapshot, row)
}

/// The same for programs.
pub(super) fn json(disagreement: &SnapshotDisagreement, [a, b]: [&DiffCandidate; 2]) -> Value {
    let snapshot = &disagreement.snapshot;
    let signals: Vec<Signal> = Signal::ALL
        .iter()
        .filter(|signal| {
            [a, b]
                .iter()
                .any(|candidate| candidate.program.signals().contains(signal))
        })
        .copied()
        .collect();
    let row = |row: &usize| {
        let harm = harm(disagreement, *row);
        json!({
            "row": row,
            "key": snapshot.label(*row),
            "harm": harm.map(|harm| json!({
                "total": harm.total(),
                "responsive": harm.responsive,
                "protected": harm.protected,
                "recency": harm.recency,
            })),
            "signals": ranking::json_values(snapshot, *row, &signals),
        })
    };
    let because: Vec<Value> = disagreement
        .because
        .iter()
        .map(|because| {
            json!({
                "signal": because.signal.name(),
                "apart": because.apart,
                "read_by_a": because.read_by[0],
                "read_by_b": because.read_by[1],
            })
        })
        .collect();
    json!({
        "snapshot": disagreement.name,
        "tier": snapshot.tier,
        "harm": disagreement.harm,
        "only_a": disagreement.only_a.iter().map(row).collect::<Vec<_>>(),
        "only_b": disagreement.only_b.iter().map(row).collect::<Vec<_>>(),
        "pair": disagreement.pair,
        "because": because,
        "fault_a": disagreement.faults[0],
        "fault_b": disagreement.faults[1],
    })
}
