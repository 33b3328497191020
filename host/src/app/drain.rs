//! The end of a server: everybody is told to go, a part at a time, so that they do not all come back to
//! another one at once; then they have a while to be gone.

use std::time::Duration;

use crate::registry::Registry;
use crate::types::{Clock, CloseReason, Tasks};

/// Between two parts.
const STEP: Duration = Duration::from_millis(100);
/// A part has at least so many managers: a small server need not take its time.
const PART_MIN: usize = 50;
/// Between two words about how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// One end.
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
    /// Closes everybody and waits. True if everything ended by itself.
    pub(super) async fn run(self) -> bool {
        let held = usize::try_from(self.registry.total()).unwrap_or(usize::MAX);
        let steps =
            usize::try_from(self.spread.as_millis() / STEP.as_millis()).unwrap_or(usize::MAX);
        let part = held.div_ceil(steps.max(1)).max(PART_MIN);
        tracing::info!(
            managers = held,
            "stopping: everybody is told to connect again"
        );
        let start = self.clock.now();
        let deadline = start.after(self.spread).after(self.within);
        let mut told = start;
        loop {
            // Also those who were on their way in when the last part went by.
            self.registry.close_some(CloseReason::Shutdown, part);
            let now = self.clock.now();
            let left = deadline.since(now);
            if self.tasks.wait(left.min(STEP)).await {
                return true;
            }
            if left.is_zero() {
                return false;
            }
            if now.since(told) >= TOLD_EVERY {
                told = now;
                let (managers, tasks) = (self.registry.total(), self.tasks.running());
                tracing::info!(
                    managers,
                    tasks,
                    ?left,
                    "stopping: not everybody is gone yet"
                );
            }
        }
    }
}
