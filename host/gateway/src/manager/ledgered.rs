//! What a cluster's ledger knows of a manager, remembered beside it: a join then costs one load.
//!
//! Written by the room that tells the ledger (`cluster`). Without a cluster nothing ever changes it.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use wastegate_core::types::Timestamp;

/// The ledger was not asked.
const UNASKED: u8 = 0;
/// It was asked, and has not said that the manager counts.
const ASKED: u8 = 1;
/// It counts there.
const ENTERED: u8 = 2;
/// It was let in without the ledger, or the ledger may have lost it: it has to be asserted.
const ASSUMED: u8 = 3;
/// Its slot is gone.
const GONE: u8 = 4;
/// No state was published yet.
const UNPUBLISHED: u32 = u32::MAX;

/// What the ledger knows of one manager.
#[derive(Debug)]
pub(crate) struct LedgerMark {
    stage: AtomicU8,
    /// The state that was published last, and when, µs.
    state: AtomicU32,
    published: AtomicU64,
}

impl Default for LedgerMark {
    fn default() -> Self {
        Self {
            stage: AtomicU8::new(UNASKED),
            state: AtomicU32::new(UNPUBLISHED),
            published: AtomicU64::new(0),
        }
    }
}

impl LedgerMark {
    /// It was let in: who joins it need not ask.
    pub(crate) fn is_in(&self) -> bool {
        matches!(self.stage.load(Ordering::Acquire), ENTERED | ASSUMED)
    }

    /// It was let in, and the ledger has to be told.
    pub(crate) fn is_assumed(&self) -> bool {
        self.stage.load(Ordering::Acquire) == ASSUMED
    }

    /// The ledger is about to be asked for it.
    pub(crate) fn ask(&self) {
        let _ = self
            .stage
            .compare_exchange(UNASKED, ASKED, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The ledger counts it. False if its slot went meanwhile: then it has to leave there.
    pub(crate) fn enter(&self) -> bool {
        self.become_one(ENTERED)
    }

    /// It is in, whether or not the ledger knows. False if its slot went meanwhile.
    pub(crate) fn assume(&self) -> bool {
        self.become_one(ASSUMED)
    }

    /// What was in may be lost in the ledger.
    pub(crate) fn doubt(&self) {
        let _ = self
            .stage
            .compare_exchange(ENTERED, ASSUMED, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Its slot is gone. True the first time, if the ledger may know of it.
    pub(crate) fn go(&self) -> bool {
        !matches!(self.stage.swap(GONE, Ordering::AcqRel), UNASKED | GONE)
    }

    fn become_one(&self, stage: u8) -> bool {
        let next = |now: u8| (now != GONE).then_some(stage);
        self.stage
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, next)
            .is_ok()
    }

    /// The ledger has that state of it, as of then.
    pub(crate) fn publish(&self, state: u16, at: Timestamp) {
        self.state.store(state.into(), Ordering::Relaxed);
        self.published.store(at.micros(), Ordering::Relaxed);
    }

    /// The state that was published last, and when; none before the first time.
    pub(crate) fn published(&self) -> Option<(u16, Timestamp)> {
        let state = u16::try_from(self.state.load(Ordering::Relaxed)).ok()?;
        let at = self.published.load(Ordering::Relaxed);
        Some((state, Timestamp::from_micros(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_goes_once_and_nothing_brings_it_back() {
        let mark = LedgerMark::default();
        assert!(!mark.is_in() && mark.published().is_none());
        mark.ask();
        assert!(!mark.is_in());
        assert!(mark.enter() && mark.is_in() && !mark.is_assumed());
        mark.doubt();
        assert!(mark.is_in() && mark.is_assumed());
        mark.ask();
        assert!(mark.is_in(), "who is in is not asked for again");
        assert!(mark.go(), "the ledger may know of it");
        assert!(!mark.go(), "once");
        assert!(!mark.enter() && !mark.assume() && !mark.is_in());
        let unknown = LedgerMark::default();
        assert!(!unknown.go(), "the ledger was never asked");
    }
}
