//! The last lines of every revision, for whoever asks what a policy has to say.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use wastegate_core::types::{DecisionId, RevisionId};

/// Revisions whose lines are kept; of more, those that were silent longest are forgotten.
const REVISIONS_MAX: usize = 32;

/// Bytes of text that are kept of one revision; of more, the newest lines, and always the newest.
const BYTES_MAX: usize = 64 * 1024;

/// How grave a line is, in its policy's opinion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Of interest to the policy's author.
    Debug,
    /// Something that the policy's author wants to know.
    Info,
    /// Worth a look.
    Warn,
    /// Something that the policy takes for an error.
    Error,
}

/// One line that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// When, milliseconds since the Unix epoch.
    pub unix_ms: u64,
    /// The severity that the policy gave the line.
    pub level: Level,
    /// For which decision the policy was asked.
    pub decision: Option<DecisionId>,
    /// The text, without control characters.
    pub text: String,
}

/// What a revision logged lately.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Recent {
    /// The last lines, oldest first.
    pub lines: Vec<LogLine>,
    /// How many were dropped since the revision first logged, for whatever reason.
    pub dropped: u64,
}

/// The last lines of every revision.
#[derive(Debug)]
pub(super) struct Kept {
    lines_max: usize,
    by_revision: BTreeMap<RevisionId, Lines>,
    /// Counts up, so that who was silent longest is known whatever the clock does.
    turn: u64,
}

#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<LogLine>,
    bytes: usize,
    dropped: u64,
    last_turn: u64,
}

impl Kept {
    /// None yet; of each revision so many lines at most.
    pub(super) const fn new(lines_max: usize) -> Self {
        Self {
            lines_max,
            by_revision: BTreeMap::new(),
            turn: 0,
        }
    }

    /// Keeps one more, at the cost of the oldest.
    pub(super) fn keep(&mut self, revision: RevisionId, line: LogLine) {
        let lines_max = self.lines_max;
        let kept = self.of_mut(revision);
        kept.bytes += line.text.len();
        kept.lines.push_back(line);
        while kept.lines.len() > lines_max || (kept.bytes > BYTES_MAX && kept.lines.len() > 1) {
            let oldest = kept.lines.pop_front();
            kept.bytes -= oldest.map_or(0, |line| line.text.len());
        }
    }

    /// Counts lines that were dropped.
    pub(super) fn dropped(&mut self, revision: RevisionId, lines: u64) {
        let kept = self.of_mut(revision);
        kept.dropped = kept.dropped.saturating_add(lines);
    }

    /// What is kept of a revision.
    pub(super) fn of(&self, revision: RevisionId) -> Recent {
        let lines = self.by_revision.get(&revision);
        lines.map_or_else(Recent::default, |kept| Recent {
            lines: kept.lines.iter().cloned().collect(),
            dropped: kept.dropped,
        })
    }

    fn of_mut(&mut self, revision: RevisionId) -> &mut Lines {
        let known = self.by_revision.contains_key(&revision);
        if !known && self.by_revision.len() >= REVISIONS_MAX {
            let silent = self.by_revision.iter().min_by_key(|(_, l)| l.last_turn);
            if let Some(silent) = silent.map(|(revision, _)| *revision) {
                self.by_revision.remove(&silent);
            }
        }
        self.turn += 1;
        let lines = self.by_revision.entry(revision).or_default();
        lines.last_turn = self.turn;
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u64, bytes: usize) -> LogLine {
        LogLine {
            unix_ms: number,
            level: Level::Info,
            decision: Some(DecisionId::from_raw(number)),
            text: "x".repeat(bytes),
        }
    }

    fn revision(number: u64) -> RevisionId {
        RevisionId::new(number).unwrap()
    }

    #[test]
    fn the_last_lines_of_the_last_revisions_are_kept() {
        let mut kept = Kept::new(3);
        for number in 1..=5 {
            kept.keep(revision(1), line(number, 10));
        }
        kept.dropped(revision(1), 7);
        let recent = kept.of(revision(1));
        let times: Vec<u64> = recent.lines.iter().map(|line| line.unix_ms).collect();
        assert_eq!((times, recent.dropped), (vec![3, 4, 5], 7));

        kept.keep(revision(1), line(6, BYTES_MAX * 2));
        assert_eq!(kept.of(revision(1)).lines.len(), 1, "one is always kept");

        for number in 2..=40 {
            kept.keep(revision(number), line(number, 1));
        }
        assert_eq!(kept.by_revision.len(), REVISIONS_MAX);
        assert_eq!(kept.of(revision(1)), Recent::default());
        assert_eq!(kept.of(revision(40)).lines.len(), 1);
    }

    #[test]
    fn a_line_is_shown_as_it_is() {
        let json = serde_json::to_string(&line(5, 2)).unwrap();
        assert_eq!(
            json,
            r#"{"unix_ms":5,"level":"info","decision":5,"text":"xx"}"#
        );
    }
}
