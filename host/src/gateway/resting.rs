//! Whether a connection rests between two requests, so that it may give up its place.

use std::sync::atomic::{AtomicU32, Ordering};

/// Whether a connection is between two requests: it has had one, and has none.
#[derive(Debug, Default)]
pub(super) struct Resting {
    begun: AtomicU32,
    ended: AtomicU32,
}

impl Resting {
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn is_resting(&self) -> bool {
        let ended = self.ended.load(Ordering::Relaxed);
        ended > 0 && ended == self.begun.load(Ordering::Relaxed)
    }
}
