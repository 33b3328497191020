//! What would another policy have done? A recorded activity stream run again, on virtual time, with
//! the planner and the sandbox that serve.
//!
//! Users' activity is taken as given; who is held, who is evicted and who comes back is simulated
//! for each strategy, because each eviction changes what comes after ([`run`], `user`). Who ranks is a
//! [`ReplayCandidate`], by which rules are the [`Rules`], what came of it is a [`ReplayTally`]. Before anything is
//! compared, [`Fidelity`] says whether those who ranked while it was recorded ([`RecordedRanking`]) do in a
//! replay what they did; which differences are more than noise says the [`StrategyComparison`].
//!
//! Not here: live managers, and the files themselves (`trace`).

pub mod candidate;
pub mod comparison;
pub mod exposed;
pub mod fidelity;
pub mod paired;
pub mod rules;
pub mod run;
pub mod tally;

mod held;
mod keys;
mod lives;
mod order;
mod pass;
mod peer;
mod recorded;
mod room;
mod script;
mod step;
pub mod tune;
mod user;
mod yielding;

pub use candidate::{Native, ReplayCandidate};
pub use comparison::StrategyComparison;
pub use exposed::{Exposed, UserCounts};
pub use fidelity::{DifferenceKind, Fidelity, FidelityMismatch};
pub use recorded::RecordedRanking;
pub use rules::Rules;
pub use run::{Keep, Progress, Replay, ReplayOutcome, RunError};
pub use tally::ReplayTally;
pub use user::Decision;
pub use yielding::Yielding;

#[cfg(test)]
mod tests;
