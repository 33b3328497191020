//! How much harm an eviction does, as far as a snapshot can tell.
//!
//! ```text
//! harm(row) = 4 if it is responsive    (it answers, or nothing speaks against it)
//!           + 2 if it is protected     (work in flight, recently active, hinted)
//!           + 60 s / (60 s + idle)     (1 for a user who is active now, a half after a minute)
//! ```
//! and nothing at all for one that is certainly gone (dead, taken over, past its grace): nobody is
//! left to be harmed. The weights are such that each component outweighs all below it: no number
//! of recent activity makes a silent peer worse to evict than one that answers. The harm of several
//! is the sum, and of a disagreement what the one policy's own victims come to less the other's. It says
//! whom an eviction hits and not whether they come back; for that, replay.

use std::time::Duration;

use crate::workbench::snapshot::RecordedSnapshot;
use wastegate_core::decision::{Class, Row};
use wastegate_core::types::Protection;

const RESPONSIVE: f64 = 4.0;
const PROTECTED: f64 = 2.0;
/// After so much idle time, recency counts half.
const RECENT: Duration = Duration::from_secs(60);

/// What makes up the harm of evicting one manager.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Harm {
    /// It answers, or nothing speaks against it.
    pub responsive: bool,
    /// It is protected, and there is somebody to protect.
    pub protected: bool,
    /// How recently its user was active, 0 to 1; 0 where that is unknown.
    pub recency: f64,
}

impl Harm {
    /// Of one row.
    #[must_use]
    pub fn of(row: &Row) -> Self {
        let class = row.class();
        let somebody = !class.is_some_and(Class::is_gone);
        let (idle_ms, recent_ms) = (row.idle_ms(), RECENT.as_secs_f64() * 1e3);
        let recency = if somebody && !idle_ms.is_nan() {
            recent_ms / (recent_ms + idle_ms)
        } else {
            0.0
        };
        Self {
            responsive: class == Some(Class::Responsive),
            protected: somebody && row.protection != Protection::Evictable,
            recency,
        }
    }

    /// All of it in one number, from 0 to 7.
    #[must_use]
    pub fn total(self) -> f64 {
        let weigh = |holds: bool, weight: f64| if holds { weight } else { 0.0 };
        weigh(self.responsive, RESPONSIVE) + weigh(self.protected, PROTECTED) + self.recency
    }
}

/// The harm of evicting some rows of a snapshot.
#[must_use]
pub fn of_all(snapshot: &RecordedSnapshot, rows: &[usize]) -> f64 {
    rows.iter().map(|row| of(snapshot, *row)).sum()
}

/// The harm of evicting one row of a snapshot; none if there is no such row.
#[must_use]
pub fn of_row(snapshot: &RecordedSnapshot, row: usize) -> Option<Harm> {
    snapshot.row(row).map(|facts| Harm::of(&facts))
}

fn of(snapshot: &RecordedSnapshot, row: usize) -> f64 {
    of_row(snapshot, row).map_or(0.0, Harm::total)
}

/// Of the victims of which each policy has its own, the two in the same place whose harm differs
/// most; of equals the first.
pub(super) fn telling_pair(
    snapshot: &RecordedSnapshot,
    only_a: &[usize],
    only_b: &[usize],
) -> Option<(usize, usize)> {
    let apart = |(a, b): (usize, usize)| (of(snapshot, a) - of(snapshot, b)).abs();
    let pairs = only_a.iter().copied().zip(only_b.iter().copied());
    pairs.reduce(|best, next| {
        if apart(next) > apart(best) {
            next
        } else {
            best
        }
    })
}
