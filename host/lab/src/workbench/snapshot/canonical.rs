//! A snapshot as text, in the one form that we write: a row a line, signals in the order of the
//! contract, codes as words, nothing that says no more than its absence.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{RecordedManager, RecordedSnapshot, SNAPSHOT_VERSION};
use crate::workbench::units;
use wastegate_core::types::Signal;

impl RecordedSnapshot {
    /// The file's text. Read back, it is the same snapshot.
    #[must_use]
    pub fn to_json(&self) -> String {
        let head = [
            ("v", json!(SNAPSHOT_VERSION)),
            ("tier", json!(self.tier)),
            ("scope", json!(self.scope)),
            ("needed", json!(self.needed)),
        ];
        let most = self.most.map(|most| ("most", json!(most)));
        let tail = [
            ("limit", json!(self.limit)),
            ("held", json!(self.held)),
            ("now_ms", json!(self.now_ms)),
            ("seed", json!(self.seed)),
        ];
        let as_asked = self.as_asked.then_some(("as_asked", json!(true)));
        let fields = head.into_iter().chain(most).chain(tail).chain(as_asked);
        let mut text = String::from("{\n");
        for (name, value) in fields {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  \"{name}\": {value},");
        }
        text.push_str("  \"rows\": [");
        for (place, row) in self.rows.iter().enumerate() {
            text.push_str(if place == 0 { "\n    " } else { ",\n    " });
            text.push_str(&row.to_json());
        }
        text.push_str("\n  ]\n}\n");
        text
    }
}

impl RecordedManager {
    fn to_json(&self) -> String {
        let key = self.key.as_ref().map(|key| ("key", json!(key)));
        let standing = self.standing.map(|standing| ("standing", json!(standing)));
        let signals = Signal::ALL
            .iter()
            .filter(|signal| !self.signals[**signal].is_nan())
            .map(|&signal| (signal.name(), value(signal, self.signals[signal])));
        let fields: Vec<String> = key
            .into_iter()
            .chain(standing)
            .chain(signals)
            .map(|(name, value)| format!("\"{name}\": {value}"))
            .collect();
        format!("{{ {} }}", fields.join(", "))
    }
}

/// A code as its word, a whole number without a point.
fn value(signal: Signal, value: f64) -> Value {
    if signal != Signal::TakenOver
        && let Some(word) = units::word(signal, value)
    {
        return json!(word);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "only whole numbers that fit are written so"
    )]
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return json!(value as i64);
    }
    json!(value)
}
