//! The bounded queue between those who write and the thread that waits for the disk.
//!
//! One buffer of whole lines, swapped for an empty one when the thread takes it: in steady state a
//! line costs a copy and no allocation. It knows lines and bytes, not files and not records.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::WriteOutcome;

/// How long lines gather after the first, so that many become one write; half of the second within
/// which they must be written.
const GATHER: Duration = Duration::from_millis(500);

/// Lines waiting for the disk, and the count of those that found no room.
pub(super) struct Queue {
    // A lock, since any thread may write a line; held for the copy of one line or a swap.
    state: Mutex<State>,
    wake: Condvar,
    lines_max: usize,
    bytes_max: usize,
    pub(super) counts: Counts,
    /// What each file after a rotation begins with, with its newline; set once.
    head: OnceLock<Vec<u8>>,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    lines: usize,
    /// Lines dropped since the thread last took a batch.
    dropped: u64,
    phase: Phase,
}

/// Whether lines are still taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Phase {
    /// Lines are accepted.
    #[default]
    Open,
    /// Never again; what is queued is the last.
    Closing,
}

/// What the journal counts about itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    pub(super) accepted: Counter<u64, AtomicU64>,
    pub(super) dropped: Counter<u64, AtomicU64>,
    pub(super) errors: Counter<u64, AtomicU64>,
    pub(super) rotations: Counter<u64, AtomicU64>,
}

impl Queue {
    pub(super) fn new(lines_max: NonZeroUsize, bytes_max: NonZeroUsize) -> Self {
        Self {
            state: Mutex::default(),
            wake: Condvar::new(),
            lines_max: lines_max.get(),
            bytes_max: bytes_max.get(),
            counts: Counts::default(),
            head: OnceLock::new(),
        }
    }

    /// Sets what each file after a rotation begins with. The first one that is set stays.
    pub(super) fn set_head(&self, line: Vec<u8>) {
        let _ = self.head.set(line);
    }

    /// What each file after a rotation begins with; empty if with nothing.
    pub(super) fn head(&self) -> &[u8] {
        self.head.get().map_or(&[], Vec::as_slice)
    }

    /// Takes one line, with its newline, if there is room.
    pub(super) fn push(&self, line: &[u8]) -> WriteOutcome {
        let mut state = self.state.lock();
        let room = state.phase == Phase::Open
            && state.lines < self.lines_max
            && line.len() <= self.bytes_max.saturating_sub(state.bytes.len());
        if !room {
            state.dropped = state.dropped.saturating_add(1);
            drop(state);
            self.counts.dropped.inc();
            return WriteOutcome::Dropped;
        }
        let before = self.fullness(&state);
        state.bytes.extend_from_slice(line);
        state.lines += 1;
        let after = self.fullness(&state);
        drop(state);
        self.counts.accepted.inc();
        if before != after {
            self.wake.notify_one();
        }
        WriteOutcome::Accepted
    }

    /// Counts lines that never came here.
    pub(super) fn count_dropped(&self, lines: u64) {
        let mut state = self.state.lock();
        state.dropped = state.dropped.saturating_add(lines);
        drop(state);
        self.counts.dropped.inc_by(lines);
        self.wake.notify_one();
    }

    /// Refuses lines from now on, and lets the thread finish.
    pub(super) fn close(&self) {
        self.state.lock().phase = Phase::Closing;
        self.wake.notify_one();
    }

    /// Waits until there is something to write or nothing ever will be, lets more gather for a
    /// moment, and moves it all into `batch`, which must be empty. After [`Phase::Closing`] there
    /// is no more.
    pub(super) fn take(&self, batch: &mut Vec<u8>) -> Phase {
        let mut state = self.state.lock();
        self.wake.wait_while(&mut state, |state| {
            state.phase == Phase::Open && state.lines == 0 && state.dropped == 0
        });
        self.wake.wait_while_for(
            &mut state,
            |state| state.phase == Phase::Open && self.fullness(state) != Fullness::HalfFull,
            GATHER,
        );
        std::mem::swap(&mut state.bytes, batch);
        state.lines = 0;
        let dropped = std::mem::take(&mut state.dropped);
        let phase = state.phase;
        drop(state);
        if dropped > 0 {
            batch.extend_from_slice(format!("{{\"dropped\":{dropped}}}\n").as_bytes());
        }
        phase
    }

    /// Waits so long, or until the journal is closed.
    pub(super) fn rest(&self, at_most: Duration) {
        let mut state = self.state.lock();
        self.wake
            .wait_while_for(&mut state, |state| state.phase == Phase::Open, at_most);
    }

    /// Whether lines are still taken.
    pub(super) fn phase(&self) -> Phase {
        self.state.lock().phase
    }

    /// How many lines wait to be taken.
    pub(super) fn waiting(&self) -> u64 {
        self.state.lock().lines as u64
    }

    fn fullness(&self, state: &State) -> Fullness {
        if state.lines > self.lines_max / 2 || state.bytes.len() > self.bytes_max / 2 {
            Fullness::HalfFull
        } else if state.lines > 0 {
            Fullness::Some
        } else {
            Fullness::Empty
        }
    }
}

/// Without the lines, which may be megabytes.
impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("lines_max", &self.lines_max)
            .field("bytes_max", &self.bytes_max)
            .finish_non_exhaustive()
    }
}

/// How full the queue is, as far as the thread cares.
#[derive(Debug, PartialEq, Eq)]
enum Fullness {
    Empty,
    Some,
    HalfFull,
}

impl Counts {
    pub(super) fn register(&self, registry: &mut Registry) {
        let counters = [
            ("lines", "Lines that the journal accepted", &self.accepted),
            (
                "dropped",
                "Lines that were dropped because the journal's queue was full",
                &self.dropped,
            ),
            (
                "errors",
                "Attempts to write to the journal's file that failed; the lines are kept and tried again",
                &self.errors,
            ),
            (
                "rotations",
                "Journal files that were finished and compressed",
                &self.rotations,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
    }
}
