//! What policies log: how much of it is written, where it goes, and what became of the rest.
//!
//! A policy may log as much as it likes and gets a small share of the log: so many lines of a call
//! (`guest`, which hears them), so many lines and bytes a second for each policy, and so many for
//! all of them together. What is over is dropped, counted by the cap that it was over, and told in
//! one line a second, so that a flood of a policy's is not a flood of ours. What is written names
//! policy, revision and decision; the last lines of each revision are kept in memory to be shown.
//!
//! A line that is dropped changes nothing: no answer depends on what was logged.

mod bucket;
mod recent;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use self::bucket::Bucket;
use self::recent::Kept;
pub use self::recent::{Level, LogLine, Recent};
use super::config::Config;
use wastegate_core::types::{Clock, DecisionId, RevisionId};

/// Policies whose dropped lines are told apart; of more, the rest is told together.
const DISTINCT_POLICIES_MAX: usize = 64;

/// Where the lines of all policies go. One for an engine.
#[derive(Debug)]
pub struct LogBook {
    clock: Clock,
    lines_per_second: u64,
    bytes_per_second: u64,
    dropped: Family<CapLabel, Counter>,
    /// A lock because calls are made on several threads; held for a few numbers and one line.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    node: Bucket,
    kept: Kept,
    /// Lines dropped since they were last told, by policy.
    unreported: BTreeMap<Arc<str>, u64>,
}

/// One policy's share of the log.
#[derive(Debug)]
pub(super) struct Share(Mutex<Bucket>);

/// In whose name a call logs.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    /// The policy's name.
    pub(super) policy: Arc<str>,
    /// As which revision, if it is one.
    pub(super) revision: Option<RevisionId>,
    /// For which decision it is asked, if for one.
    pub(super) decision: Option<DecisionId>,
    /// The policy's share.
    pub(super) share: Arc<Share>,
    /// Where it goes.
    pub(super) book: Arc<LogBook>,
}

/// Which cap a line was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cap {
    /// The lines of one call.
    Call,
    /// What one policy may write in a second.
    Policy,
    /// What all policies may write in a second.
    Node,
}

/// Lines of one call that were dropped, by the cap that they were over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dropped {
    call: u32,
    policy: u32,
    node: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CapLabel {
    cap: &'static str,
}

impl Dropped {
    pub(super) const NONE: Self = Self {
        call: 0,
        policy: 0,
        node: 0,
    };

    /// Counts one line that this cap dropped.
    pub(super) const fn count(&mut self, cap: Cap) {
        let counted = match cap {
            Cap::Call => &mut self.call,
            Cap::Policy => &mut self.policy,
            Cap::Node => &mut self.node,
        };
        *counted = counted.saturating_add(1);
    }

    /// The lines that each cap dropped, by its name in labels.
    const fn by_cap(self) -> [(&'static str, u32); 3] {
        [
            ("call", self.call),
            ("policy", self.policy),
            ("node", self.node),
        ]
    }

    /// The lines that all caps dropped.
    pub(super) const fn total(self) -> u32 {
        self.call
            .saturating_add(self.policy)
            .saturating_add(self.node)
    }
}

impl LogBook {
    /// An empty one.
    #[must_use]
    pub fn new(config: &Config, clock: Clock) -> Self {
        let node_lines = u64::from(config.log_node_lines_per_second_max);
        let node = Bucket::new(node_lines, config.log_node_bytes_per_second_max);
        Self {
            clock,
            lines_per_second: u64::from(config.log_lines_per_second_max),
            bytes_per_second: config.log_bytes_per_second_max,
            dropped: Family::default(),
            state: Mutex::new(State {
                node,
                kept: Kept::new(config.log_lines_kept),
                unreported: BTreeMap::new(),
            }),
        }
    }

    /// What a revision logged lately.
    #[must_use]
    pub fn recent(&self, revision: RevisionId) -> Recent {
        self.state.lock().kept.of(revision)
    }

    /// Tells how many lines of each policy were dropped since this was last asked for. Called once
    /// a second by whoever runs the server.
    pub fn report_dropped(&self) {
        let unreported = std::mem::take(&mut self.state.lock().unreported);
        for (policy, lines) in unreported {
            let count = grouped(lines);
            tracing::warn!(
                target: "policy",
                policy = &*policy,
                lines,
                "policy {policy}: {count} log lines dropped"
            );
        }
    }

    /// A policy's share, full.
    pub(super) const fn share(&self) -> Share {
        let bucket = Bucket::new(self.lines_per_second, self.bytes_per_second);
        Share(Mutex::new(bucket))
    }

    /// Puts what it counts into a registry.
    pub(super) fn register(&self, registry: &mut Registry) {
        for (cap, _) in Dropped::NONE.by_cap() {
            drop(self.dropped.get_or_create(&CapLabel { cap }));
        }
        registry.register(
            "log_lines_dropped",
            "Log lines of policies that were dropped, by the cap that they were over",
            self.dropped.clone(),
        );
    }

    /// Writes a line, unless it is over a cap.
    fn write(&self, voice: &Voice, level: Level, line: &str) -> Result<(), Cap> {
        let now = self.clock.now();
        if !voice.share.0.lock().take(line.len(), now) {
            return Err(Cap::Policy);
        }
        {
            let mut state = self.state.lock();
            if !state.node.take(line.len(), now) {
                return Err(Cap::Node);
            }
            if let Some(revision) = voice.revision {
                let line = LogLine {
                    unix_ms: self.clock.unix_ms(now),
                    level,
                    decision: voice.decision,
                    text: line.to_owned(),
                };
                state.kept.keep(revision, line);
            }
        }
        emit(voice, level, line);
        Ok(())
    }

    fn count_dropped(&self, voice: &Voice, dropped: Dropped) {
        for (cap, lines) in dropped.by_cap().into_iter().filter(|(_, lines)| *lines > 0) {
            let label = CapLabel { cap };
            self.dropped.get_or_create(&label).inc_by(lines.into());
        }
        let lines = u64::from(dropped.total());
        let mut state = self.state.lock();
        let known = state.unreported.contains_key(&voice.policy);
        let name = if known || state.unreported.len() < DISTINCT_POLICIES_MAX {
            voice.policy.clone()
        } else {
            "(others)".into()
        };
        let unreported = state.unreported.entry(name).or_default();
        *unreported = unreported.saturating_add(lines);
        if let Some(revision) = voice.revision {
            state.kept.dropped(revision, lines);
        }
    }
}

impl Voice {
    /// Writes a line, unless it is over what may be written in a second.
    pub(super) fn say(&self, level: Level, line: &str) -> Result<(), Cap> {
        self.book.write(self, level, line)
    }

    /// Counts the lines of a call that were dropped.
    pub(super) fn count_dropped(&self, dropped: Dropped) {
        if dropped.total() > 0 {
            self.book.count_dropped(self, dropped);
        }
    }
}

fn emit(voice: &Voice, level: Level, line: &str) {
    let policy = &*voice.policy;
    let revision = voice.revision.map(RevisionId::get);
    let decision = voice.decision.map(DecisionId::raw);
    match level {
        Level::Debug => tracing::debug!(target: "policy", policy, revision, decision, "{line}"),
        Level::Info => tracing::info!(target: "policy", policy, revision, decision, "{line}"),
        Level::Warn => tracing::warn!(target: "policy", policy, revision, decision, "{line}"),
        Level::Error => tracing::error!(target: "policy", policy, revision, decision, "{line}"),
    }
}

/// A number with its thousands apart: `1,234`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
