//! One decision: ask, screen, execute.

use std::sync::Arc;

use super::ask::Patience;
use super::driver::Cleaner;
use super::pass::Pass;
use super::run::TierRun;
use wastegate_core::decision::{Question, TierTable, Victim, guard};
use wastegate_core::types::{EvictionCause, Scope, Tier};

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

impl Cleaner {
    /// Has a question answered, screened, executed and recorded.
    pub(super) async fn decide(
        &self,
        question: Arc<Question>,
        terms: Terms<'_>,
        patience: &mut Patience,
    ) -> TierRun {
        self.decide_over_nodes(question, terms, patience).await.0
    }

    /// The same; and who goes: what was evicted here, and what was chosen elsewhere, which is not done yet.
    pub(super) async fn decide_over_nodes(
        &self,
        question: Arc<Question>,
        terms: Terms<'_>,
        patience: &mut Patience,
    ) -> (TierRun, Vec<Victim>) {
        let mut gone = Vec::new();
        let start = self.clock.now();
        let mut run = TierRun {
            tier: question.tier,
            eligible: u32::try_from(question.rows.len()).unwrap_or(u32::MAX),
            freed: 0,
            fault: false,
        };
        if question.most > 0 {
            let answer = self.ranker.ask(&question, patience).await;
            let plan = if self.is_last(question.scope, question.tier, terms.pass) {
                guard::last_plan(&question, terms.table, &answer)
            } else {
                guard::plan(&question, terms.table, &answer)
            };
            run.fault = answer.outcome.is_err();
            gone = self
                .executor
                .execute(question, answer, plan, terms, &self.rotation);
            run.freed = u32::try_from(gone.len()).unwrap_or(u32::MAX);
        }
        self.metrics.tier_run(&run, self.clock.now().since(start));
        (run, gone)
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
}
