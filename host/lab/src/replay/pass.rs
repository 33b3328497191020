//! The background pass of a simulated gateway: it runs at the times that the recorder wrote down, or at
//! every interval of a gateway, never between two events of one moment.

use super::room::Call;
use super::user::Run;
use wastegate_core::decision::{Class, TierTable};
use wastegate_core::types::{Tier, Timestamp};

impl Run<'_> {
    /// The passes before a moment, ms as in the trace. Those of that moment come after its events.
    pub(super) fn pass_until(&mut self, until_ms: u64) {
        while self.has_something_to_sweep(until_ms) {
            match self.next_pass() {
                Some(at_ms) if at_ms < until_ms => {
                    self.passed_ms = at_ms;
                    self.pass(at_ms);
                }
                _ => break,
            }
        }
        self.passed_ms = self.passed_ms.max(until_ms.saturating_sub(1));
    }

    /// Whether a pass before that moment could find anything. Most users at most times have nothing.
    fn has_something_to_sweep(&self, until_ms: u64) -> bool {
        let until = self.at(until_ms);
        self.yielding.is_lent(&self.stage.rules.yielding.lending)
            || self.held.iter().any(|held| held.may_be_gone(until))
    }

    /// The next pass after the last one.
    fn next_pass(&self) -> Option<u64> {
        let sweeps = &self.stage.notes.sweeps;
        if self.stage.notes.is_complete {
            let next = sweeps.partition_point(|at| *at <= self.passed_ms);
            return sweeps.get(next).copied();
        }
        let interval = self.stage.rules.sweep_interval_ms.max(1);
        let since = (self.passed_ms + 1).saturating_sub(self.stage.begin_ms);
        Some(self.stage.begin_ms + since.div_ceil(interval).max(1) * interval)
    }

    /// One pass, in the order of a server: ended graces, ended loans, what is certainly gone at a high
    /// occupancy, what has long been lost at any.
    fn pass(&mut self, at_ms: u64) {
        let now = self.moment(at_ms, super::user::LAST_OF_A_MS);
        if self.is_in_step() {
            // Whom it took, the record says.
            if self.yielding.is_over(now) && self.count_held() <= self.own_limit() {
                self.yielding.settle(self.stage.rules, now);
            }
            return;
        }
        self.release_expired(at_ms, now);
        self.end_loan(at_ms, now, now);
        self.sweep(at_ms, now);
        self.release_lost(at_ms, now);
    }

    /// Who is past a grace is given up. Of a life in the record the record says when.
    fn release_expired(&mut self, at_ms: u64, now: Timestamp) {
        let (rules, stage) = (self.stage.rules, self.stage);
        self.held.retain(|held| {
            let is_told = stage.is_recorded() && at_ms <= held.told_until_ms;
            is_told
                || held
                    .expires_at(rules, stage.attaches)
                    .is_none_or(|at| at > now)
        });
    }

    /// What has been dead for long is given up at any occupancy. Only in a recording: in other traces the dead
    /// stay until somebody takes them, so that they are counted for the strategy that does.
    fn release_lost(&mut self, at_ms: u64, now: Timestamp) {
        if !self.stage.is_recorded() {
            return;
        }
        let (rules, stage) = (self.stage.rules, self.stage);
        self.held.retain(|held| {
            let is_told = stage.is_recorded() && at_ms <= held.told_until_ms;
            let lost = held.lost_since(stage.look(at_ms, now));
            is_told || lost.is_none_or(|since| now.since(since) < rules.dead_for)
        });
    }

    /// The surplus leaves by rank once temporary slots have ended: at `over` at the latest.
    pub(super) fn end_loan(&mut self, at_ms: u64, now: Timestamp, over: Timestamp) {
        if !self.yielding.is_over(over) {
            return;
        }
        let own = self.own_limit();
        let surplus = self.count_held().saturating_sub(own);
        if surplus > 0 {
            let table = self.stage.surplus_table;
            self.call(&Call {
                needed: surplus,
                last: self.stage.rules.is_last(Tier::Force, true),
                ..Call::by(table, Tier::Force, at_ms, now)
            });
        }
        if self.count_held() <= own {
            self.yielding.settle(self.stage.rules, now);
        }
    }

    /// The proactive tier, where the user's occupancy calls for it.
    pub(super) fn sweep(&mut self, at_ms: u64, now: Timestamp) {
        let rules = self.stage.rules;
        let limit = self.limit(now);
        let due = f64::from(self.count_held()) >= rules.proactive_from * f64::from(limit)
            && rules.table.rule(Tier::Proactive).enabled;
        if due && self.held.iter().any(|held| held.may_be_gone(now)) {
            self.call(&Call::by(&rules.table, Tier::Proactive, at_ms, now));
        }
    }
}

/// Temporary slots were lent on the condition that they come back: their surplus leaves by the rules of
/// `force` whether or not `force` may take anybody else.
pub(super) fn surplus_table(table: &TierTable) -> TierTable {
    let mut rules = table.rules();
    let [.., force] = &mut rules;
    force.enabled = true;
    force.admits = Class::ALL.to_vec();
    TierTable::new(rules, table.reserve, table.keep_one).unwrap_or_else(|_| table.clone())
}
