//! The policy in charge, or one in particular, as a [`Ranker`].
//!
//! A small call is made at once on the thread that asks: its fuel and memory bound it to well under
//! a millisecond, and going to another thread and back takes longer than the call. A large one, and
//! everything in the shadow, goes to the pool; whoever waits for it waits no longer than its
//! deadline, and a full pool is an answer at once.
//!
//! Whatever happens, an answer comes out: a fault in it means that the built-in ranking completes
//! the decision. Not here: that completion (`decision::guard`), and who is asked when.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::breaker::{Breakers, Leave};
use super::catalog::Catalog;
use super::engine::Engine;
use super::evidence::TestCase;
use super::metrics::Metrics;
use super::pool::Pool;
use super::program::Policy;
use crate::decision::builtin::BuiltIn;
use crate::decision::{Answer, Fault, Question, Ranked, Ranker};

/// What every ranker of a process shares: the pool, the breakers, the metrics. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Runtime(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    engine: Engine,
    pool: Pool,
    breakers: Breakers,
    metrics: Metrics,
}

impl Runtime {
    /// Starts the pool.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(engine: Engine, metrics: Metrics) -> std::io::Result<Self> {
        let config = engine.config();
        let pool = Pool::start(config.workers, config.queue_max)?;
        let breakers = Breakers::new(config.breaker.clone());
        Ok(Self(Arc::new(Shared {
            engine,
            pool,
            breakers,
            metrics,
        })))
    }

    /// The breakers, for whoever shows how policies stand and on what they failed.
    #[must_use]
    pub fn breakers(&self) -> &Breakers {
        &self.0.breakers
    }
}

/// Ranks by a policy, within every limit.
#[derive(Debug, Clone)]
pub struct PolicyRanker {
    runtime: Runtime,
    who: Who,
    shadow: bool,
}

#[derive(Debug, Clone)]
enum Who {
    /// Whoever is in charge when the question comes.
    Champion(Arc<Catalog>),
    /// Always this one.
    Fixed(Arc<Policy>),
}

impl PolicyRanker {
    /// Asks whoever is in charge; the built-in ranking while nobody is.
    #[must_use]
    pub const fn champion(runtime: Runtime, catalog: Arc<Catalog>) -> Self {
        Self {
            runtime,
            who: Who::Champion(catalog),
            shadow: false,
        }
    }

    /// Asks one policy: an arm of an experiment.
    #[must_use]
    pub const fn fixed(runtime: Runtime, policy: Arc<Policy>) -> Self {
        Self {
            runtime,
            who: Who::Fixed(policy),
            shadow: false,
        }
    }

    /// Asks one policy whose answer nobody waits for: never on the thread that asks.
    #[must_use]
    pub const fn shadow(runtime: Runtime, policy: Arc<Policy>) -> Self {
        Self {
            runtime,
            who: Who::Fixed(policy),
            shadow: true,
        }
    }
}

impl Ranker for PolicyRanker {
    fn rank(&self, question: &Arc<Question>) -> Answer {
        let policy = match &self.who {
            Who::Champion(catalog) => catalog.current(),
            Who::Fixed(policy) => Some(policy.clone()),
        };
        let Some(policy) = policy else {
            return BuiltIn.rank(question);
        };
        let shared = &self.runtime.0;
        if !policy.program().supports(question.scope) {
            return shared.not_asked(&policy, question, Fault::ScopeUnsupported);
        }
        let now = shared.engine.clock().now();
        let digest = &policy.about().digest;
        let leave = shared.breakers.admit(digest, now);
        let Some(leave) = leave else {
            return shared.not_asked(&policy, question, Fault::Quarantined);
        };
        let rows = u32::try_from(question.rows.len()).unwrap_or(u32::MAX);
        if self.shadow || policy.program().needs_pool(question.scope, rows) {
            Shared::elsewhere(shared, &policy, question, leave)
        } else {
            Answer::Ready(shared.ask(&policy, question, leave))
        }
    }
}

impl Shared {
    /// Asks on this thread, and tells the breaker and the metrics.
    fn ask(&self, policy: &Policy, question: &Question, leave: Leave) -> Ranked {
        let (ranked, lines_dropped) = policy.answer(question);
        let decides = leave.is_trial() || ranked.outcome.is_err();
        let now = self.engine.clock().now();
        match &ranked.outcome {
            Ok(_) => leave.succeeded(now),
            Err(fault) if fault.is_policys() => {
                tracing::warn!(
                    policy = &*ranked.policy.name,
                    decision = question.decision.raw(),
                    fault = %fault,
                    "policy failed; the built-in ranking completes the decision"
                );
                let case = TestCase::new(policy, &policy.input(question), fault);
                leave.failed(case, now);
            }
            Err(_) => drop(leave),
        }
        if decides {
            self.metrics.quarantined(self.breakers.quarantined(now));
        }
        self.metrics
            .answered(question.scope, &ranked, lines_dropped);
        ranked
    }

    /// Asks on the pool.
    fn elsewhere(
        this: &Arc<Self>,
        policy: &Arc<Policy>,
        question: &Arc<Question>,
        leave: Leave,
    ) -> Answer {
        let (reply, answer) = oneshot::channel();
        let job = {
            let (this, policy, question) = (this.clone(), policy.clone(), question.clone());
            move || {
                // Whoever asked may have given up while this was in the queue.
                if !reply.is_closed() {
                    let _ = reply.send(this.ask(&policy, &question, leave));
                }
            }
        };
        if this.pool.submit(job).is_err() {
            return this.not_asked(policy, question, Fault::Saturated);
        }
        let (this, policy, question) = (this.clone(), policy.clone(), question.clone());
        Answer::Pending(Box::pin(async move {
            let deadline = policy.program().patience();
            match tokio::time::timeout(deadline, answer).await {
                Ok(Ok(ranked)) => ranked,
                Ok(Err(_)) => this.not_answered(&policy, &question, Fault::Saturated),
                Err(_) => this.not_answered(&policy, &question, Fault::Deadline(deadline)),
            }
        }))
    }

    fn not_asked(&self, policy: &Policy, question: &Question, fault: Fault) -> Answer {
        Answer::Ready(self.not_answered(policy, question, fault))
    }

    fn not_answered(&self, policy: &Policy, question: &Question, fault: Fault) -> Ranked {
        let ranked = policy.fault(fault);
        self.metrics.answered(question.scope, &ranked, 0);
        ranked
    }
}

#[cfg(test)]
mod tests;
