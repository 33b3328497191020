//! Was it right? What came of evictions and admissions, as it comes to light.
//!
//! A victim that answers our Close was alive; a user who comes back for an evicted manager wanted it.
//! [`Quality`] is told of both, counts them by the policy that chose, and says what it knows, what is
//! still open and what it had to forget ([`report`]). Not here: who is evicted (`decision`, `cleanup`),
//! who decides by these numbers (operators, experiments), WASM.

pub mod audit;
pub mod report;

mod counts;
mod ledger;
mod metrics;
mod pending;
mod turns;

#[cfg(test)]
mod tests;

pub use ledger::{Quality, RankedVictim};
pub use report::QualityReport;

/// After how long a return still counts as regret, ms, and what that is called.
pub const HORIZONS: [(u64, &str); 5] = [
    (10_000, "10s"),
    (60_000, "60s"),
    (600_000, "10m"),
    (3_600_000, "1h"),
    (86_400_000, "24h"),
];
/// A key that is back within this after its eviction was thrashed, ms.
pub const THRASH_MS: u64 = 60_000;
