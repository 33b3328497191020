//! As long as a run holds the managers that the record holds, it is known what its gateway did: at which tier
//! it asked, for how many, how full it was, whom it spared, and that it refused. Nothing of that is simulated then;
//! the run's own strategy is asked what the record's was asked. After a choice of another, the rest of the
//! replay simulates it, until both hold the same again.

use std::collections::HashSet;

use super::room::Call;
use super::script::{Mark, Told};
use super::user::{LAST_OF_A_MS, Run};
use crate::trace::{TraceEvent, TraceEventKind};
use wastegate_core::types::{Tier, Timestamp};

/// Whom the record holds, by place in the trace.
#[derive(Debug, Default)]
pub(super) struct Record {
    held: HashSet<u32>,
    /// It is not compared with: the run is on its own from the start.
    is_ignored: bool,
}

impl Record {
    pub(super) fn new(is_ignored: bool) -> Self {
        Self {
            held: HashSet::new(),
            is_ignored,
        }
    }

    /// Takes in what happened in the record.
    pub(super) fn take(&mut self, event: &TraceEvent) {
        if self.is_ignored {
            return;
        }
        match event.kind {
            TraceEventKind::Open { .. } => {
                self.held.insert(event.session);
            }
            kind if kind.ends_life() || matches!(kind, TraceEventKind::Evict { .. }) => {
                self.held.remove(&event.session);
            }
            _ => {}
        }
    }

    /// The recorder's process began again.
    pub(super) fn clear(&mut self) {
        self.held.clear();
    }
}

impl Run<'_> {
    /// Whether the run holds what the record holds.
    pub(super) fn is_in_step(&self) -> bool {
        !self.record.is_ignored
            && self.record.held.len() == self.held.len()
            && self
                .held
                .iter()
                .all(|held| self.record.held.contains(&held.session))
    }

    /// Asks what the record was asked. False if the run holds others than the record, or the record does not say
    /// enough.
    pub(super) fn repeat(
        &mut self,
        mark: Mark,
        told: Option<&Told<'_>>,
        at_ms: u64,
        now: Timestamp,
    ) -> bool {
        let Some(told) = told.filter(|_| self.is_in_step()) else {
            return false;
        };
        // The last of that millisecond: what is due in it is due.
        let now = now.max(self.moment(at_ms, LAST_OF_A_MS));
        let asked = &told.note.asked;
        let (rules, key) = (self.stage.rules, self.stage.key);
        let wanted = match mark {
            Mark::Room { wanted, .. } => wanted,
            Mark::Pass | Mark::LoanEnds | Mark::Node => None,
        };
        let key = wanted.and_then(key);
        if mark != Mark::LoanEnds && told.occupied.limit > self.limit(now) {
            self.yielding.grant(rules, now);
        }
        let is_forced = asked.tier == Tier::Force && mark != Mark::LoanEnds;
        if is_forced {
            self.yielding
                .allow(asked.needed.min(count(&told.took)), now);
        }
        self.call(&Call {
            needed: asked.needed,
            wanted,
            last: asked.last,
            occupied: Some(told.occupied),
            spared: &told.note.spared,
            most: (asked.tier == Tier::Force).then_some(told.took.len()),
            ..Call::by(
                if mark == Mark::LoanEnds {
                    self.stage.surplus_table
                } else {
                    &rules.table
                },
                asked.tier,
                at_ms,
                now,
            )
        });
        if is_forced && let Some(key) = key {
            self.yielding.returned(&key, now);
        }
        if mark == Mark::LoanEnds && self.count_held() <= self.own_limit() {
            self.yielding.settle(rules, now);
        }
        for taken in &told.took {
            self.record.held.remove(taken);
        }
        true
    }

    /// Whether the record, which holds the same managers, had a place for the newcomer of that event. None if the
    /// run is on its own.
    pub(super) fn had_place(&mut self, event: &TraceEvent, now: Timestamp) -> Option<bool> {
        if !self.is_in_step() {
            return None;
        }
        match event.kind {
            TraceEventKind::Open { .. } => {
                if self.count_held() >= self.limit(now) {
                    // It was a temporary slot.
                    self.yielding.grant(self.stage.rules, now);
                }
                Some(true)
            }
            TraceEventKind::Refuse { .. } => Some(false),
            _ => None,
        }
    }
}

fn count(taken: &[u32]) -> u32 {
    u32::try_from(taken.len()).unwrap_or(u32::MAX)
}
