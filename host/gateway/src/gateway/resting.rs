//! Whether a connection rests between two requests, so that it may give up its place, and for how long.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Whether a connection is between two requests: it has had one, and has none.
#[derive(Debug, Default)]
pub(super) struct Resting {
    begun: AtomicU32,
    ended: AtomicU32,
    /// It is not to rest: its last answer was a refusal.
    is_over: AtomicBool,
    /// One of the two has changed.
    changed: Notify,
}

impl Resting {
    pub(super) fn begin(&self) {
        // Before its first request it does not rest, and there is nothing to wake it for.
        let rested = self.is_resting();
        self.begun.fetch_add(1, Ordering::Relaxed);
        if rested {
            self.changed.notify_one();
        }
    }

    /// A request is answered; `is_over` says that no other one is waited for.
    pub(super) fn end(&self, is_over: bool) {
        self.is_over.store(is_over, Ordering::Relaxed);
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_one();
    }

    pub(super) fn is_resting(&self) -> bool {
        let ended = self.ended.load(Ordering::Relaxed);
        ended > 0 && ended == self.begun.load(Ordering::Relaxed)
    }

    /// Completes when it has rested for so long, or is not to rest.
    pub(super) async fn for_long(&self, rest: Duration) {
        loop {
            if !self.is_resting() {
                self.changed.notified().await;
                continue;
            }
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            tokio::select! {
                () = self.changed.notified() => {}
                () = tokio::time::sleep(rest) => return,
            }
        }
    }
}
