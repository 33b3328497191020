//! The end of a server: a balancer sees it first, then clients are asked to connect again, evenly over
//! a while, so that they do not all come back to another server at once; then they have a while to be
//! gone.

use std::time::Duration;

use wastegate_core::types::{Clock, CloseReason};

use crate::registry::Registry;
use crate::tasks::Tasks;

/// Between two parts.
const STEP: Duration = Duration::from_millis(50);
/// Between two lines about how far it is.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// The drain of one gateway, from the announcement to the last connection's end.
pub(super) struct Drain<'a> {
    pub(super) registry: &'a Registry,
    pub(super) tasks: &'a Tasks,
    pub(super) clock: &'a Clock,
    /// Over which time managers are closed.
    pub(super) spread: Duration,
    /// How long they have to end after that.
    pub(super) within: Duration,
}

impl Drain<'_> {
    /// Closes every manager and waits. True if everything ended by itself.
    pub(super) async fn run(self) -> bool {
        let held = self.held();
        tracing::info!(
            managers = held,
            "stopping: clients are asked to connect again"
        );
        let start = self.clock.now();
        let deadline = start.after(self.spread).after(self.within);
        let (mut closed, mut reported) = (0, start);
        loop {
            let now = self.clock.now();
            // Also those that were on their way in when the last part was closed.
            let due = due(closed + self.held(), now.since(start), self.spread);
            let part = due.saturating_sub(closed);
            closed += self.registry.close_some(CloseReason::Shutdown, part);
            let left = deadline.since(now);
            if self.tasks.wait(left.min(STEP)).await {
                return true;
            }
            if left.is_zero() {
                return false;
            }
            if now.since(reported) >= REPORT_EVERY {
                reported = now;
                let (managers, tasks) = (self.registry.total(), self.tasks.running());
                tracing::info!(
                    managers,
                    tasks,
                    ?left,
                    "stopping: not all connections have ended yet"
                );
            }
        }
    }

    fn held(&self) -> usize {
        usize::try_from(self.registry.total()).unwrap_or(usize::MAX)
    }
}

/// How many of so many managers are to be closed after a part of the time: the first at once, the last
/// a step before the end, the others evenly between.
fn due(all: usize, elapsed: Duration, spread: Duration) -> usize {
    if elapsed >= spread {
        return all;
    }
    let share = all as u128 * elapsed.as_micros() / spread.as_micros().max(1);
    usize::try_from(share).map_or(all, |share| (share + 1).min(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// W73: sixty over five seconds are twelve a second, and one alone need not wait.
    #[test]
    fn w73_clients_leave_evenly_however_many_they_are() {
        for (elapsed, expected) in [(0, 1), (999, 12), (2_500, 31), (4_917, 60), (5_000, 60)] {
            assert_eq!(due(60, ms(elapsed), ms(5_000)), expected, "{elapsed} ms");
        }
        assert_eq!(due(1, Duration::ZERO, ms(5_000)), 1);
        assert_eq!(due(100_000, ms(1), ms(5_000)), 21);
        assert_eq!(due(7, Duration::ZERO, Duration::ZERO), 7);
        assert_eq!(due(0, Duration::ZERO, ms(1)), 0);
    }
}
