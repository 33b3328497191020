//! One decision: ask, screen, execute, and be done within the patience whatever the ranker does.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use super::driver::{Cleaner, TierRun};
use super::pass::Pass;
use wastegate_core::decision::{Fault, PolicyRef, Question, Ranked, TierTable, guard};
use wastegate_core::types::{EvictionCause, Scope, Tier};

/// How long all rankings of one cleanup may take together before the built-in ranking makes the
/// rest of them. Rankers have deadlines of their own, well below it; this one is for a ranker that
/// does not keep them, and leaves time for probes within an admission's budget.
const RANKER_PATIENCE: Duration = Duration::from_millis(750);

/// Rankings of one cleanup that took less than this together came at once, as far as anybody can
/// tell: a call on the thread that asks takes a hundredth of it.
const RANKER_NOTICED: Duration = Duration::from_millis(1);

/// How a decision is carried out.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    /// The tiers, and what each may evict.
    pub(super) table: &'a TierTable,
    /// What the victims are told.
    pub(super) cause: EvictionCause,
    /// Also responsive managers that became active since the snapshot.
    pub(super) active_too: bool,
    /// Which tiers this cleanup works through.
    pub(super) pass: Pass,
    /// How many still have to go. Asked again before each victim of `force`: while a ranking was
    /// on its way, a client may have left or given up.
    pub(super) needed: &'a (dyn Fn() -> u32 + Sync),
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

impl Cleaner {
    /// Has a question answered, screened, executed and recorded.
    pub(super) async fn decide(
        &self,
        question: Arc<Question>,
        terms: Terms<'_>,
        patience: &mut Patience,
    ) -> TierRun {
        let start = self.clock.now();
        let mut run = TierRun {
            tier: question.tier,
            eligible: u32::try_from(question.rows.len()).unwrap_or(u32::MAX),
            freed: 0,
            fault: false,
        };
        if question.most > 0 {
            let answer = self.ask(&question, patience).await;
            let plan = if self.is_last(question.scope, question.tier, terms.pass) {
                guard::last_plan(&question, terms.table, &answer)
            } else {
                guard::plan(&question, terms.table, &answer)
            };
            run.fault = answer.outcome.is_err();
            run.freed = self.execute(question, answer, plan, terms);
        }
        self.metrics.tier_run(&run, self.clock.now().since(start));
        run
    }

    /// Whether an admission has nothing left to try in that scope once this tier is over.
    fn is_last(&self, scope: Scope, tier: Tier, pass: Pass) -> bool {
        let last = match scope {
            Scope::User => self.config.user_last_tier,
            Scope::Node => self.config.node_last_tier,
        };
        let next = |other: &Tier| {
            *other > tier
                && *other <= last
                && self.config.table.rule(*other).enabled
                && !(pass == Pass::BelowForceOnly && *other == Tier::Force)
        };
        tier != Tier::Proactive && !Tier::ADMISSION.iter().any(next)
    }

    /// Asks the ranker. Whatever it does, there is an answer before the patience ends; one that
    /// hangs or panics is as good as a faulty one, which the built-in ranking completes.
    async fn ask(&self, question: &Arc<Question>, patience: &mut Patience) -> Ranked {
        if patience.0.is_zero() {
            return unanswered(Fault::Deadline(RANKER_PATIENCE));
        }
        let start = self.clock.now();
        let asked = async { self.ranker.rank(question).wait().await };
        let asked = AssertUnwindSafe(asked).catch_unwind();
        let answer = tokio::time::timeout(patience.0, asked).await;
        patience.0 = patience.0.saturating_sub(self.clock.now().since(start));
        match answer {
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
        }
    }
}

/// What stands in for the answer of a ranker that gave none.
fn unanswered(fault: Fault) -> Ranked {
    Ranked::of(PolicyRef::builtin(), Err(fault))
}
