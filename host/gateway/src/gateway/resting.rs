//! Whether a connection rests between two requests, so that it may give up its place, and for how long.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Whether a connection is between two requests: it has had one, and has none.
#[derive(Debug, Default)]
pub(super) struct Resting {
    begun: AtomicU32,
    ended: AtomicU32,
    /// One of the two has changed.
    changed: Notify,
}

impl Resting {
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_one();
    }

    pub(super) fn end(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_one();
    }

    pub(super) fn is_resting(&self) -> bool {
        let ended = self.ended.load(Ordering::Relaxed);
        ended > 0 && ended == self.begun.load(Ordering::Relaxed)
    }

    /// Completes when it has rested for so long.
    pub(super) async fn for_long(&self, rest: Duration) {
        loop {
            if !self.is_resting() {
                self.changed.notified().await;
                continue;
            }
            tokio::select! {
                () = self.changed.notified() => {}
                () = tokio::time::sleep(rest) => return,
            }
        }
    }
}
