//! A ledger with a deadline for each call and one breaker for its engine.
//!
//! Three calls in a row that fail, or one beat, open the breaker. Then calls fail at once, and only beats go
//! through: they come once a second, and the first that is answered closes it. So no admission is the one that
//! tries whether the engine is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{
    Beat, BeatAnswer, EnterAnswer, EnterAsk, Epoch, Holdings, Inbox, KeyHash, LeaveAnswer, Ledger,
    LedgerCall, LedgerError, LendAnswer, LendAsk, Life, MessagesRead, NodeMessage, Publication,
    PublishAnswer, ReassertAnswer, ReassertAsk, UserHash, UserLever,
};

/// After how many failures in a row the engine is not asked any more.
const FAILURES_MAX: u32 = 3;

/// How long calls may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerBudgets {
    /// What an admission waits for: `enter`, `lend`.
    pub admission: Duration,
    /// What no admission waits for.
    pub background: Duration,
}

impl Default for LedgerBudgets {
    /// 50 ms and 1 s.
    fn default() -> Self {
        Self {
            admission: Duration::from_millis(50),
            background: Duration::from_secs(1),
        }
    }
}

/// A ledger that answers in time, or says that it does not.
#[derive(Debug)]
pub struct Guarded {
    ledger: Arc<dyn Ledger>,
    budgets: LedgerBudgets,
    /// Failures in a row; [`FAILURES_MAX`] and above is open.
    failures: AtomicU32,
}

impl Guarded {
    /// Guards a ledger.
    #[must_use]
    pub fn new(ledger: Arc<dyn Ledger>, budgets: LedgerBudgets) -> Self {
        Self {
            ledger,
            budgets,
            failures: AtomicU32::new(0),
        }
    }

    /// Whether the engine is taken for away.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= FAILURES_MAX
    }

    fn within<'a, T: Send + 'a>(
        &'a self,
        budget: Duration,
        call: LedgerCall<'a, T>,
    ) -> LedgerCall<'a, T> {
        Box::pin(async move {
            if self.is_open() {
                return Err(LedgerError::BreakerOpen);
            }
            let answer = timed(budget, call).await;
            // While it is open, nothing but a beat may close it: not an answer that is late.
            let failed = answer.is_err();
            let next = |failures: u32| match (failed, failures >= FAILURES_MAX) {
                (_, true) => None,
                (true, false) => Some(failures + 1),
                (false, false) => Some(0),
            };
            let _ = self
                .failures
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
            answer
        })
    }
}

async fn timed<T>(
    budget: Duration,
    call: LedgerCall<'_, T>,
) -> Result<super::Stamped<T>, LedgerError> {
    let answer = tokio::time::timeout(budget, call).await;
    answer.unwrap_or(Err(LedgerError::TimedOut(budget)))
}

impl Ledger for Guarded {
    fn enter<'a>(&'a self, user: UserHash, ask: &'a EnterAsk) -> LedgerCall<'a, EnterAnswer> {
        self.within(self.budgets.admission, self.ledger.enter(user, ask))
    }

    fn leave(&self, user: UserHash, key: KeyHash, life: Life) -> LedgerCall<'_, LeaveAnswer> {
        self.within(self.budgets.background, self.ledger.leave(user, key, life))
    }

    fn publish<'a>(
        &'a self,
        user: UserHash,
        epoch: Epoch,
        parts: &'a [Publication],
    ) -> LedgerCall<'a, PublishAnswer> {
        let call = self.ledger.publish(user, epoch, parts);
        self.within(self.budgets.background, call)
    }

    fn reassert<'a>(
        &'a self,
        user: UserHash,
        ask: &'a ReassertAsk,
    ) -> LedgerCall<'a, ReassertAnswer> {
        self.within(self.budgets.background, self.ledger.reassert(user, ask))
    }

    fn read<'a>(
        &'a self,
        user: UserHash,
        limit: u32,
        dead: &'a [Epoch],
    ) -> LedgerCall<'a, Holdings> {
        self.within(self.budgets.background, self.ledger.read(user, limit, dead))
    }

    fn set_lever(
        &self,
        user: UserHash,
        lever: UserLever,
        lasting: Option<Duration>,
    ) -> LedgerCall<'_, ()> {
        let call = self.ledger.set_lever(user, lever, lasting);
        self.within(self.budgets.background, call)
    }

    fn lend<'a>(&'a self, user: UserHash, ask: &'a LendAsk) -> LedgerCall<'a, LendAnswer> {
        self.within(self.budgets.admission, self.ledger.lend(user, ask))
    }

    fn beat<'a>(&'a self, beat: &'a Beat) -> LedgerCall<'a, BeatAnswer> {
        Box::pin(async move {
            let answer = timed(self.budgets.background, self.ledger.beat(beat)).await;
            let failures = if answer.is_ok() { 0 } else { FAILURES_MAX };
            self.failures.store(failures, Ordering::Relaxed);
            answer
        })
    }

    fn send<'a>(&'a self, to: Epoch, message: &'a NodeMessage) -> LedgerCall<'a, ()> {
        self.within(self.budgets.background, self.ledger.send(to, message))
    }

    fn receive<'a>(
        &'a self,
        epoch: Epoch,
        read: &'a MessagesRead,
        wait: Duration,
    ) -> LedgerCall<'a, Inbox> {
        let call = self.ledger.receive(epoch, read, wait);
        self.within(self.budgets.background + wait, call)
    }
}
