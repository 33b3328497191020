//! Bytes that wait for a peer, and since when it has taken none of them.
//!
//! "Taken" means acknowledged by the peer's kernel where a kernel can be asked, and accepted by the
//! transport elsewhere. That a socket became writable is neither: a kernel reports that only once a
//! third of its buffer is free, which takes a slow reader minutes. The connection's own task writes
//! this, and anyone reads it; asking the kernel is `health`'s part.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use wastegate_core::types::Timestamp;

/// No such moment.
const NEVER: u64 = u64::MAX;

/// What waits for one peer.
#[derive(Debug)]
pub struct Backlog {
    /// Since when bytes may wait of which none was seen to be taken.
    since: AtomicU64,
    /// The kernel's count of acknowledged bytes when it was asked last.
    acked: AtomicU64,
}

impl Default for Backlog {
    fn default() -> Self {
        Self {
            since: AtomicU64::new(NEVER),
            acked: AtomicU64::new(0),
        }
    }
}

impl Backlog {
    /// Bytes were handed to the transport, or wait until it takes them.
    pub fn grew(&self, now: Timestamp) {
        if self.since.load(Relaxed) == NEVER {
            self.since.store(now.micros(), Relaxed);
        }
    }

    /// The transport took some, and has no account of what became of them.
    pub fn shrank(&self, now: Timestamp, rest_waits: bool) {
        let since = if rest_waits { now.micros() } else { NEVER };
        self.since.store(since, Relaxed);
    }

    /// The kernel's account: bytes acknowledged since the connection began, and whether any wait.
    pub fn counted(&self, now: Timestamp, acked: u64, waits: bool) {
        if !waits {
            self.since.store(NEVER, Relaxed);
        } else if self.acked.load(Relaxed) == acked {
            self.grew(now);
        } else {
            self.since.store(now.micros(), Relaxed);
        }
        self.acked.store(acked, Relaxed);
    }

    /// Since when bytes may wait of which none was seen to be taken, if any may.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        Some(self.since.load(Relaxed))
            .filter(|&micros| micros != NEVER)
            .map(Timestamp::from_micros)
    }

    /// The kernel's count of acknowledged bytes when it was asked last.
    #[must_use]
    pub(crate) fn acked(&self) -> u64 {
        self.acked.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn acknowledged_bytes_are_progress_and_new_ones_are_not() {
        let backlog = Backlog::default();
        assert_eq!(backlog.since(), None);
        backlog.grew(ms(1));
        backlog.grew(ms(2));
        assert_eq!(backlog.since(), Some(ms(1)));
        backlog.counted(ms(3), 100, true);
        assert_eq!(backlog.since(), Some(ms(3)), "some were taken");
        backlog.grew(ms(4));
        backlog.counted(ms(5), 100, true);
        assert_eq!(backlog.since(), Some(ms(3)), "none were");
        backlog.counted(ms(6), 150, false);
        assert_eq!((backlog.since(), backlog.acked()), (None, 150));
        backlog.counted(ms(7), 150, true);
        assert_eq!(backlog.since(), Some(ms(7)));
    }

    #[test]
    fn without_an_account_what_the_transport_takes_is_progress() {
        let backlog = Backlog::default();
        backlog.grew(ms(1));
        backlog.shrank(ms(2), true);
        assert_eq!(backlog.since(), Some(ms(2)));
        backlog.shrank(ms(3), false);
        assert_eq!(backlog.since(), None);
    }
}
