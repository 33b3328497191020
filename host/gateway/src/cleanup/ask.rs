//! Asking the one ranker: a question with a seed of its own, and an answer within the patience whatever the
//! ranker does.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;

use crate::observe::spans::{self, SpanKind};
use wastegate_core::decision::{Fault, PolicyRef, Question, Ranked, Ranker, Snapshot, TierTable};
use wastegate_core::types::{Clock, DecisionId, SplitMix64, Tier};

/// How long all rankings of one cleanup may take together before the built-in ranking makes the
/// rest of them. Rankers have deadlines of their own, well below it; this one is for a ranker that
/// does not keep them, and leaves time for probes within an admission's budget.
const RANKER_PATIENCE: Duration = Duration::from_millis(750);

/// Rankings of one cleanup that took less than this together came at once, as far as anybody can
/// tell: a call on the thread that asks takes a hundredth of it.
const RANKER_NOTICED: Duration = Duration::from_millis(1);

/// The ranker, and what its questions are made of.
pub(super) struct RankerCalls {
    ranker: Arc<dyn Ranker>,
    clock: Clock,
    seed: u64,
    decisions: AtomicU64,
}

/// How long one cleanup still waits for its ranker.
pub(super) struct Patience(Duration);

impl Patience {
    /// The built-in ranking decides, at once.
    pub(super) const NONE: Self = Self(Duration::ZERO);

    /// Whether rankings took so long that those they were about may have changed meanwhile.
    pub(super) fn was_tried(&self) -> bool {
        RANKER_PATIENCE.saturating_sub(self.0) > RANKER_NOTICED
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self(RANKER_PATIENCE)
    }
}

impl RankerCalls {
    /// From `seed` every decision's own is derived.
    pub(super) fn new(ranker: Arc<dyn Ranker>, clock: Clock, seed: u64) -> Self {
        Self {
            ranker,
            clock,
            seed,
            decisions: AtomicU64::new(0),
        }
    }

    /// A question about a snapshot.
    pub(super) fn question(
        &self,
        snapshot: &Snapshot,
        table: &TierTable,
        tier: Tier,
        needed: u32,
    ) -> Arc<Question> {
        let decision = DecisionId::next();
        let seed = self.next_seed();
        Arc::new(Question::new(snapshot, table, tier, needed, decision, seed))
    }

    /// Different for every decision, the same for the same decision of the same start.
    fn next_seed(&self) -> u64 {
        let count = self
            .decisions
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_add(1);
        SplitMix64::nth(self.seed, count)
    }

    /// Asks the ranker. Whatever it does, there is an answer before the patience ends; one that
    /// hangs or panics is as good as a faulty one, which the built-in ranking completes.
    pub(super) async fn ask(&self, question: &Arc<Question>, patience: &mut Patience) -> Ranked {
        if patience.0.is_zero() {
            return unanswered(Fault::Deadline(RANKER_PATIENCE));
        }
        let _step = spans::child("policy", SpanKind::Internal);
        let start = self.clock.now();
        let asked = async { self.ranker.rank(question).wait().await };
        let asked = AssertUnwindSafe(asked).catch_unwind();
        let answer = tokio::time::timeout(patience.0, asked).await;
        patience.0 = patience.0.saturating_sub(self.clock.now().since(start));
        let answer = match answer {
            Ok(Ok(ranked)) => ranked,
            Ok(Err(_)) => {
                tracing::error!(decision = %question.decision, "the ranker panicked");
                unanswered(Fault::Trap("the ranker panicked".to_owned()))
            }
            Err(_) => {
                patience.0 = Duration::ZERO;
                tracing::error!(decision = %question.decision, "the ranker does not answer");
                unanswered(Fault::Deadline(RANKER_PATIENCE))
            }
        };
        note(question, &answer);
        answer
    }
}

/// Notes in the span of a call which policy was asked what, and whether it was of use.
fn note(question: &Question, answer: &Ranked) {
    let Ranked { policy, fuel, .. } = answer;
    spans::note("wastegate.decision.id", || question.decision.raw());
    spans::note("wastegate.policy.name", || policy.name.to_string());
    spans::note("wastegate.policy.version", || policy.version.to_string());
    spans::note("wastegate.tier", || question.tier.name());
    spans::note("wastegate.cleanup.scope", || question.scope.name());
    spans::note("wastegate.policy.rows", || question.rows.len());
    if let Some(fuel) = fuel {
        spans::note("wastegate.policy.fuel", || *fuel);
    }
    if let Err(fault) = &answer.outcome {
        spans::failed(fault.name());
    }
}

/// What stands in for the answer of a ranker that gave none.
fn unanswered(fault: Fault) -> Ranked {
    Ranked::of(PolicyRef::builtin(), Err(fault))
}
