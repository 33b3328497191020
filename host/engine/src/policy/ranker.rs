//! The active policy, or one policy in particular, as a [`Ranker`].
//!
//! A question is answered by one seat, read once. The policy that is active there is asked while its
//! breaker is closed; else the one before it, while that one's is; else nobody, and the built-in
//! ranking completes the decision. A policy whose cool-down is over gets the question besides, in
//! shadow on the pool: its answer is thrown away, and enough good ones bring it back.
//!
//! A small call is made at once on the thread that asks: its fuel and memory bound it to well under
//! a millisecond, and going to another thread and back takes longer than the call. A large one, and
//! everything in the shadow, goes to the pool; whoever waits for it waits no longer than its
//! deadline, and a full pool is an answer at once.
//!
//! Whatever happens, an answer comes out: a fault in it means that the built-in ranking completes
//! the decision. Not here: that completion (`decision::guard`), and which revision sits where
//! (`catalog`, `rollout`).

use std::sync::Arc;

use tokio::sync::oneshot;

use super::accepted::Policy;
use super::breaker::{BreakerChange, BreakerPermit, BreakerState, Breakers};
use super::catalog::Catalog;
use super::engine::Engine;
use super::evidence::TestCase;
use super::metrics::Metrics;
use super::pool::Pool;
use super::seats::Deployed;
use wastegate_core::decision::builtin::BuiltIn;
use wastegate_core::decision::{Answer, Fault, Question, Ranked, Ranker};
use wastegate_core::types::{RevisionId, Timestamp};

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
    /// The active policy when the question comes.
    Active(Arc<Catalog>),
    /// Always this one.
    Fixed(Arc<Policy>),
}

/// Somebody who may be asked.
#[derive(Debug, Clone)]
struct Asked {
    policy: Arc<Policy>,
    /// None for a policy that is no revision: an arm of an experiment.
    revision: Option<RevisionId>,
}

/// Who may be asked a question, as one read of the pointer found it.
struct Candidates {
    active: Asked,
    fallback: Option<Asked>,
}

impl PolicyRanker {
    /// Asks the active policy; the built-in ranking while none is active.
    #[must_use]
    pub const fn active(runtime: Runtime, catalog: Arc<Catalog>) -> Self {
        Self {
            runtime,
            who: Who::Active(catalog),
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

impl Who {
    fn candidates(&self, question: &Question) -> Option<Candidates> {
        match self {
            Self::Active(catalog) => {
                let active_policies = catalog.active_policies();
                let seat = active_policies.seat(question.tier);
                Some(Candidates {
                    active: seat.active.as_ref()?.into(),
                    fallback: seat.fallback.as_ref().map(Asked::from),
                })
            }
            Self::Fixed(policy) => Some(Candidates {
                active: Asked {
                    policy: policy.clone(),
                    revision: None,
                },
                fallback: None,
            }),
        }
    }
}

impl From<&Deployed> for Asked {
    fn from(deployed: &Deployed) -> Self {
        Self {
            policy: deployed.policy.clone(),
            revision: Some(deployed.revision),
        }
    }
}

impl Asked {
    fn digest(&self) -> &Arc<str> {
        &self.policy.about().digest
    }
}

impl Candidates {
    /// Those who rank in the scope of a question.
    fn able(&self, question: &Question) -> impl Iterator<Item = &Asked> {
        let both = std::iter::once(&self.active).chain(&self.fallback);
        both.filter(|asked| asked.policy.program().supports(question.scope))
    }
}

impl Ranker for PolicyRanker {
    fn rank(&self, question: &Arc<Question>) -> Answer {
        let Some(candidates) = self.who.candidates(question) else {
            return BuiltIn.rank(question);
        };
        let shared = &self.runtime.0;
        let active = &candidates.active;
        if !active.policy.program().supports(question.scope) {
            return shared.not_asked(active, question, Fault::ScopeUnsupported);
        }
        let now = shared.engine.clock().now();
        let permit = candidates.able(question).find_map(|asked| {
            let permit = shared.breakers.admit(asked.digest(), now)?;
            Some((asked, permit))
        });
        let answer = match permit {
            None => shared.not_asked(active, question, Fault::Quarantined),
            Some((asked, permit)) => {
                if self.shadow || asked.policy.allowance(question).is_pooled() {
                    Shared::elsewhere(shared, asked, question, permit)
                } else {
                    Answer::Ready(shared.ask(asked, question, permit))
                }
            }
        };
        for asked in candidates.able(question) {
            Shared::try_in_shadow(shared, asked, question, now);
        }
        answer
    }
}

impl Shared {
    /// Asks on this thread, and tells the breaker and the metrics.
    fn ask(&self, asked: &Asked, question: &Question, permit: BreakerPermit) -> Ranked {
        let (ranked, _) = asked.policy.answer(asked.revision, question);
        if let Err(fault) = &ranked.outcome
            && fault.is_policys()
        {
            tracing::warn!(
                policy = &*ranked.policy.name,
                revision = asked.revision.map(RevisionId::get),
                decision = question.decision.raw(),
                fault = %fault,
                "policy failed; the built-in ranking completes the decision"
            );
        }
        self.judge(asked, question, &ranked, permit);
        self.metrics.answered(question, &ranked);
        ranked
    }

    /// Tells the breaker what came of a call, and the operator what came of that.
    fn judge(&self, asked: &Asked, question: &Question, ranked: &Ranked, permit: BreakerPermit) {
        let now = self.engine.clock().now();
        let change = match &ranked.outcome {
            Ok(_) => permit.succeeded(now),
            Err(fault) if fault.is_policys() => {
                let Asked { policy, revision } = asked;
                let case = TestCase::new(policy, &policy.input(question), fault);
                permit.failed(case.of(*revision, question.decision), now)
            }
            // No fault of its own: as if it had not been asked.
            Err(_) => {
                drop(permit);
                None
            }
        };
        if let Some(change) = change {
            self.metrics.quarantined(self.breakers.quarantined(now));
            report(asked, &change);
        }
    }

    /// Asks on the pool.
    fn elsewhere(
        this: &Arc<Self>,
        asked: &Asked,
        question: &Arc<Question>,
        permit: BreakerPermit,
    ) -> Answer {
        let (reply, answer) = oneshot::channel();
        let job = {
            let (this, asked, question) = (this.clone(), asked.clone(), question.clone());
            move || {
                // Whoever asked may have given up while this was in the queue.
                if !reply.is_closed() {
                    let _ = reply.send(this.ask(&asked, &question, permit));
                }
            }
        };
        if this.pool.submit(job).is_err() {
            return this.not_asked(asked, question, Fault::Saturated);
        }
        let (this, asked, question) = (this.clone(), asked.clone(), question.clone());
        Answer::Pending(Box::pin(async move {
            let deadline = asked.policy.allowance(&question).patience;
            match tokio::time::timeout(deadline, answer).await {
                Ok(Ok(ranked)) => ranked,
                Ok(Err(_)) => this.not_answered(&asked, &question, Fault::Saturated),
                Err(_) => this.not_answered(&asked, &question, Fault::Deadline(deadline)),
            }
        }))
    }

    /// Tries a quarantined policy on a question that somebody else has answered, if a trial is due
    /// and the pool has room. Nobody waits for it and nothing goes by its answer.
    fn try_in_shadow(this: &Arc<Self>, asked: &Asked, question: &Arc<Question>, now: Timestamp) {
        let Some(permit) = this.breakers.trial(asked.digest(), now) else {
            return;
        };
        let (shared, asked, question) = (this.clone(), asked.clone(), question.clone());
        let job = move || {
            let (ranked, _) = asked.policy.answer(asked.revision, &question);
            shared.metrics.tried(&ranked.outcome);
            shared.judge(&asked, &question, &ranked, permit);
        };
        // A job that found no room is dropped with its leave: the next question is another chance.
        let _ = this.pool.submit(job);
    }

    fn not_asked(&self, asked: &Asked, question: &Question, fault: Fault) -> Answer {
        Answer::Ready(self.not_answered(asked, question, fault))
    }

    fn not_answered(&self, asked: &Asked, question: &Question, fault: Fault) -> Ranked {
        let ranked = asked.policy.fault(asked.revision, question, fault);
        self.metrics.answered(question, &ranked);
        ranked
    }
}

/// Says how a policy's breaker stands from now on, and why.
fn report(asked: &Asked, change: &BreakerChange) {
    let policy = &*asked.policy.about().name;
    let revision = asked.revision.map(RevisionId::get);
    let (digest, why) = (&*change.digest, &change.why);
    match change.to {
        BreakerState::Open => tracing::warn!(policy, revision, digest, why, "policy quarantined"),
        BreakerState::HalfOpen => tracing::info!(policy, revision, digest, why, "policy on trial"),
        BreakerState::Closed => {
            tracing::info!(policy, revision, digest, why, "policy is asked again")
        }
    }
}

#[cfg(test)]
mod tests;
