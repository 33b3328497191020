//! The pure planner: who may go, who should go, who goes.
//!
//! A [`Snapshot`] is narrowed to a [`Question`], a [`Ranker`] answers it with a [`Ranking`] nobody
//! trusts, and [`guard::plan`] turns the two into a [`Plan`], the only thing that can be executed.
//! Production, shadow, experiments and replay all call the same functions.
//!
//! Not here: clocks (moments arrive as data), randomness (seeds arrive as data), waiting, sockets,
//! WASM, and anything that changes a manager.

mod budget;
pub mod builtin;
mod disagreement;
pub mod displaced;
pub mod guard;
pub mod question;
pub mod ranker;
pub mod record;
pub mod snapshot;
mod temporary;
pub mod tiers;

pub use budget::ForceBudget;
pub use disagreement::Disagreement;
pub use displaced::{Displaced, Hold};
pub use guard::{Plan, RejectReason, RejectedChoice, Victim};
pub use question::Question;
pub use ranker::{Answer, Choice, Explored, Fault, PolicyRef, Ranked, Ranker, Ranking};
pub use record::{DecisionRecord, VictimOutcome};
pub use snapshot::{Class, Elsewhere, Row, Snapshot, Standing};
pub use temporary::{Granted, LendOrder, Lending, TemporarySlots};
pub use tiers::{IdleTtl, Probe, Take, TierRule, TierTable};

#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod testing;
#[cfg(test)]
mod tests;
