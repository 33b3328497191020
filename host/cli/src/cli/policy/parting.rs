//! One snapshot in which two policies part: who goes by each, how much harm that does, and the
//! signals that tell the two apart.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::diff::Rival;
use super::ranking;
use super::table::Table;
use wastegate_core::types::Signal;
use wastegate_lab::workbench::diff::Parting;
use wastegate_lab::workbench::diff::harm::{self, Harm};
use wastegate_lab::workbench::expect::listed;
use wastegate_lab::workbench::units;

/// Writes it for people.
pub(super) fn write(
    place: usize,
    parting: &Parting,
    [a, b]: [&Rival; 2],
    out: &mut dyn Write,
) -> io::Result<()> {
    let snapshot = &parting.snapshot;
    let worse = if parting.harm < 0.0 { b } else { a };
    let harm = units::plain(parting.harm.abs());
    let tier = snapshot.tier;
    writeln!(
        out,
        "\n{place}. {} ({tier}): {} does {harm} more harm",
        parting.name, worse.name
    )?;
    for (rival, rows, fault) in [
        (a, &parting.only_a, &parting.faults[0]),
        (b, &parting.only_b, &parting.faults[1]),
    ] {
        writeln!(
            out,
            "   only {} takes {}",
            rival.name,
            listed(snapshot, rows)
        )?;
        if let Some(fault) = fault {
            writeln!(
                out,
                "     (it {fault}, and the host's own ranking stood in)"
            )?;
        }
    }
    let Some((row_a, row_b)) = parting.pair else {
        return Ok(());
    };
    let mut table = Table::new([
        "",
        &snapshot.label(row_a),
        &snapshot.label(row_b),
        "apart",
        "read by",
    ]);
    let harms = [row_a, row_b].map(|row| told_harm(parting, row));
    let [harm_a, harm_b] = harms;
    table.row(vec!["harm".to_owned(), harm_a, harm_b]);
    for because in &parting.because {
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

fn told_harm(parting: &Parting, row: usize) -> String {
    let Some(harm) = harm(parting, row) else {
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

fn harm(parting: &Parting, row: usize) -> Option<Harm> {
    harm::of_row(&parting.snapshot, row)
}

/// The same for programs.
pub(super) fn json(parting: &Parting, [a, b]: [&Rival; 2]) -> Value {
    let snapshot = &parting.snapshot;
    let signals: Vec<Signal> = Signal::ALL
        .iter()
        .filter(|signal| {
            [a, b]
                .iter()
                .any(|rival| rival.program.signals().contains(signal))
        })
        .copied()
        .collect();
    let row = |row: &usize| {
        let harm = harm(parting, *row);
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
    let because: Vec<Value> = parting
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
        "snapshot": parting.name,
        "tier": snapshot.tier,
        "harm": parting.harm,
        "only_a": parting.only_a.iter().map(row).collect::<Vec<_>>(),
        "only_b": parting.only_b.iter().map(row).collect::<Vec<_>>(),
        "pair": parting.pair,
        "because": because,
        "fault_a": parting.faults[0],
        "fault_b": parting.faults[1],
    })
}
