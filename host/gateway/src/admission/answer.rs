//! How an admission ends: what is counted, who is told, what a refusal says.

use std::sync::Arc;
use std::time::Duration;

use super::denied::{DenialReason, Denied};
use super::ladder::Admission;
use super::metrics::Outcome;
use super::room::Out;
use super::watch::{AdmissionEnd, AdmissionObserver};
use super::way::Way;
use crate::registry::{BlockTerm, Permit};
use wastegate_core::types::{ManagerKey, Timestamp, UserId};

/// When a client of a user that is blocked without an end may try again.
const BLOCKED_RETRY_AFTER: Duration = Duration::from_secs(3_600);

impl Admission {
    pub(super) fn let_in(&self, permit: Permit, outcome: Outcome, way: &Way) -> Permit {
        let (at, triggered) = (self.clock.now(), !way.tiers.is_empty());
        let took = at.since(way.start);
        self.metrics.admitted(outcome, took, triggered);
        if let Some(manager) = permit.manager() {
            self.cleaner.entered(&manager.user);
            self.report(AdmissionEnd {
                user: &manager.user,
                key: &manager.key,
                at,
                took,
                triggered,
                refused: None,
            });
        }
        permit
    }

    /// An admission was refused. Refusals that an operator wanted are not recorded: they say nothing of
    /// limits and policies, so no replay may count them.
    pub(super) fn turned_away(&self, denied: &Denied, key: &ManagerKey, start: Timestamp) {
        let at = self.clock.now();
        if !denied.why.is_operators() {
            self.registry
                .refused(&denied.user, key, denied.why.name(), at);
        }
        self.report(AdmissionEnd {
            user: &denied.user,
            key,
            at,
            took: at.since(start),
            triggered: !denied.tiers.is_empty(),
            refused: Some(denied.why),
        });
    }

    fn report(&self, ended: AdmissionEnd<'_>) {
        if let Some(watch) = self.watch.get() {
            watch.ended(ended);
        }
    }

    /// Reports the end of every admission to an observer, from now on. The first observer stays.
    pub fn watched_by(&self, watch: Arc<dyn AdmissionObserver>) {
        // Set once, when the application is put together.
        let _ = self.watch.set(watch);
    }

    /// What a user at its limit is refused with.
    pub(super) fn full_now(&self, user: &UserId) -> Out {
        Out {
            why: DenialReason::UserLimit,
            held: self.registry.held(user),
            limit: self.registry.limit(user, self.clock.now()),
            retry_after: None,
        }
    }

    /// What a blocked user is refused with.
    pub(super) fn blocked(&self, user: &UserId, term: BlockTerm) -> Out {
        let retry_after = match term {
            BlockTerm::Until(end) => end.since(self.clock.now()).max(self.config.retry_after),
            BlockTerm::Open => BLOCKED_RETRY_AFTER,
        };
        Out {
            why: DenialReason::Blocked,
            retry_after: Some(retry_after),
            ..self.full_now(user)
        }
    }

    /// What everybody is refused with while an operator drains the node.
    pub(super) fn draining(&self, user: &UserId) -> Out {
        Out {
            why: DenialReason::Draining,
            ..self.full_now(user)
        }
    }

    pub(super) fn deny(
        &self,
        user: &UserId,
        why: DenialReason,
        (held, limit): (u32, u32),
        retry_after: Duration,
        way: Way,
    ) -> Denied {
        self.metrics.denied(why, self.clock.now().since(way.start));
        self.cleaner.observe_pressure(user);
        tracing::debug!(why = why.name(), held, limit, "refused");
        Denied {
            why,
            user: user.clone(),
            limit,
            held,
            retry_after,
            tiers: way.tiers,
        }
    }
}
