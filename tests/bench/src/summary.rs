//! Medians over rounds, as Markdown, with ratios to the better of the peers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context;

/// Who is compared with the others.
const OURS: &str = "wastegate";
/// No proxy at all: shown, never compared with.
const NONE: &str = "direct";

/// What is compared, and whether more is better.
const COMPARED: [(&str, bool); 8] = [
    ("messages/s", true),
    ("connections/s", true),
    ("proxy CPU, µs/message", false),
    ("proxy CPU, µs/connection", false),
    ("p50, µs", false),
    ("p99, µs", false),
    ("p99.9, µs", false),
    ("PSS/connection, KiB", false),
];

/// Run, value and peer: what the rounds said, in the order in which they first did.
#[derive(Default)]
struct Results {
    order: Vec<(String, String)>,
    peers: Vec<String>,
    values: BTreeMap<(String, String, String), Vec<f64>>,
}

pub(crate) fn run(path: &Path) -> anyhow::Result<()> {
    let mut results = Results::default();
    for line in std::fs::read_to_string(path)?.lines() {
        results.add(line)?;
    }
    std::io::stdout().write_all(results.table()?.as_bytes())?;
    Ok(())
}

impl Results {
    fn add(&mut self, line: &str) -> anyhow::Result<()> {
        let line: serde_json::Value = serde_json::from_str(line)?;
        let text = |name| {
            let text = line.get(name).and_then(serde_json::Value::as_str);
            text.map(ToOwned::to_owned).context("not a result")
        };
        let (peer, run) = (text("peer")?, text("run")?);
        let values = line.get("values").and_then(|values| values.as_array());
        if !self.peers.contains(&peer) {
            self.peers.push(peer.clone());
        }
        for pair in values.context("no values")? {
            let (name, value) = (pair.get(0), pair.get(1));
            let name = name.and_then(serde_json::Value::as_str);
            let name = name.context("no name")?.to_owned();
            let row = (run.clone(), name.clone());
            if !self.order.contains(&row) {
                self.order.push(row);
            }
            let value = value
                .and_then(serde_json::Value::as_f64)
                .context("not a number")?;
            let key = (run.clone(), name, peer.clone());
            self.values.entry(key).or_default().push(value);
        }
        Ok(())
    }

    fn median(&self, run: &str, name: &str, peer: &str) -> Option<(f64, f64, f64)> {
        let key = (run.to_owned(), name.to_owned(), peer.to_owned());
        let mut values = self.values.get(&key)?.clone();
        values.sort_by(f64::total_cmp);
        let middle = (values.get((values.len() - 1) / 2)? + values.get(values.len() / 2)?) / 2.0;
        Some((*values.first()?, middle, *values.last()?))
    }

    fn table(&self) -> anyhow::Result<String> {
        let mut out = String::new();
        writeln!(out, "| run | what | {} | ratio |", self.peers.join(" | "))?;
        writeln!(
            out,
            "| --- | --- |{} --- |",
            " --- |".repeat(self.peers.len())
        )?;
        for (run, name) in &self.order {
            write!(out, "| {run} | {name} |")?;
            for peer in &self.peers {
                match self.median(run, name, peer) {
                    Some((low, middle, high)) => {
                        let [low, middle, high] = [low, middle, high].map(short);
                        write!(out, " {middle} ({low}–{high}) |")?;
                    }
                    None => write!(out, " |")?,
                }
            }
            let ratio = self.ratio(run, name);
            writeln!(
                out,
                " {} |",
                ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"))
            )?;
        }
        Ok(out)
    }

    /// Ours over the better of the others.
    fn ratio(&self, run: &str, name: &str) -> Option<f64> {
        let (_, more) = COMPARED.iter().find(|(compared, _)| *compared == name)?;
        let (_, ours, _) = self.median(run, name, OURS)?;
        let others = self
            .peers
            .iter()
            .filter(|peer| !peer.starts_with(OURS) && *peer != NONE);
        let others = others.filter_map(|peer| Some(self.median(run, name, peer)?.1));
        let best = others.reduce(if *more { f64::max } else { f64::min })?;
        Some(ours / best)
    }
}

/// Three digits are more than such a machine is good for.
fn short(value: f64) -> String {
    match value {
        1_000.0.. => format!("{:.0}", (value / 10.0).round() * 10.0),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_to_the_better_peer_and_of_medians() {
        let mut results = Results::default();
        for (peer, values) in [
            ("direct", [9.0; 3]),
            ("nginx", [1.0, 2.0, 9.0]),
            ("haproxy", [4.0; 3]),
            ("wastegate", [2.0; 3]),
        ] {
            for value in values {
                for name in ["messages/s", "p99, µs"] {
                    let line =
                        format!(r#"{{"peer":"{peer}","run":"r","values":[["{name}",{value}]]}}"#);
                    results.add(&line).unwrap();
                }
            }
        }
        assert_eq!(results.ratio("r", "messages/s"), Some(0.5));
        assert_eq!(results.ratio("r", "p99, µs"), Some(1.0));
        let table = results.table().unwrap();
        assert!(table.contains("2.00 (1.00–9.00)"), "{table}");
    }
}
