//! One user as an experiment would have counted it: from the first time that room had to be made.

use super::tally::ReplayTally;
use crate::trace::TraceEvent;

/// What was counted of one user, over any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserCounts {
    /// Attempts to open a manager that was not held.
    pub attempts: u64,
    /// Those that found nobody who may go.
    pub blocked: u64,
    /// Calls of the strategy.
    pub decisions: u64,
    /// Calls that freed nothing although somebody might have gone.
    pub freed_nothing: u64,
    /// Faults of the policy.
    pub faults: u64,
    /// Managers that went.
    pub evictions: u64,
    /// Of those, that would have answered the Close.
    pub live_kills: u64,
    /// Victims that were wanted again within each horizon.
    pub regret: [u64; 5],
}

/// A user for whom room had to be made at least once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposed {
    /// Which user, by place in the trace.
    pub user: u32,
    /// The user's first event, ms as in the trace.
    pub known_ms: u64,
    /// The first time that room had to be made, ms as in the trace.
    pub trigger_ms: u64,
    /// What had been counted before that.
    pub before: UserCounts,
    /// What was counted since, the attempt that it was for included.
    pub since: UserCounts,
}

impl UserCounts {
    /// What a tally of one user counted until now.
    #[must_use]
    pub(super) fn of(tally: &ReplayTally) -> Self {
        Self {
            attempts: tally.attempts,
            blocked: tally.blocked,
            decisions: tally.decisions,
            freed_nothing: tally.freed_nothing,
            faults: tally.faults,
            evictions: tally.evictions,
            live_kills: tally.live_kills,
            regret: tally.regret,
        }
    }

    /// What came after `before`.
    fn since(&self, before: &Self) -> Self {
        let mut regret = self.regret;
        for (count, before) in regret.iter_mut().zip(before.regret) {
            *count = count.saturating_sub(before);
        }
        Self {
            attempts: self.attempts.saturating_sub(before.attempts),
            blocked: self.blocked.saturating_sub(before.blocked),
            decisions: self.decisions.saturating_sub(before.decisions),
            freed_nothing: self.freed_nothing.saturating_sub(before.freed_nothing),
            faults: self.faults.saturating_sub(before.faults),
            evictions: self.evictions.saturating_sub(before.evictions),
            live_kills: self.live_kills.saturating_sub(before.live_kills),
            regret,
        }
    }
}

impl ReplayTally {
    /// Notes, in the tally of one user with these events, when room first had to be made, ms, and what had been
    /// counted before.
    pub(super) fn expose(
        &mut self,
        user: u32,
        trigger: Option<(u64, UserCounts)>,
        events: &[TraceEvent],
    ) {
        let (Some((trigger_ms, mut before)), Some(first)) = (trigger, events.first()) else {
            return;
        };
        // The attempt that room is made for is counted before that.
        before.attempts = before.attempts.saturating_sub(1);
        self.exposed.push(Exposed {
            user,
            known_ms: first.at_ms,
            trigger_ms,
            before,
            since: UserCounts::of(self).since(&before),
        });
    }
}
