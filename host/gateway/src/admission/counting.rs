//! Where a newcomer has its slot here and its cluster has to count it too: the ledger is asked, and at the user's limit
//! room is made over all nodes.
//!
//! The permit of the slot here is held meanwhile: it is a newborn, which nothing may touch. Dropped, it gives the slot
//! back, and what the ledger may have of it.

use super::denied::DenialReason;
use super::ladder::Admission;
use super::offer::{Displace, Newcomer};
use super::room::{Look, Out};
use super::way::Way;
use crate::cluster::{ChosenVictim, CountAnswer, NotCounted};
use crate::registry::Permit;

/// Where a newcomer with a slot here stands.
pub(super) enum CountedIn {
    In(Permit),
    Out(Out),
    /// Nothing could be freed on any node: what is full, and what the look came to.
    Full(Out, Look),
}

impl Admission {
    /// Has the cluster count a newcomer that has a slot here, making room on all nodes as long as that helps and the
    /// budget lasts. Without a cluster it is in.
    pub(super) async fn count_in(
        &self,
        permit: Permit,
        newcomer: Newcomer<'_>,
        displace: Displace,
        way: &mut Way,
    ) -> CountedIn {
        let Some(cluster) = &self.cluster else {
            return CountedIn::In(permit);
        };
        let Some(manager) = permit.manager().cloned() else {
            return CountedIn::In(permit);
        };
        let Newcomer { user, key, .. } = newcomer;
        let mut victims: Vec<ChosenVictim> = Vec::new();
        loop {
            let left = way.look_until.since(self.clock.now());
            let held = match cluster.enter(&manager, &victims, left).await {
                CountAnswer::In => return CountedIn::In(permit),
                CountAnswer::Not(NotCounted::Full(held)) => held,
                CountAnswer::Not(NotCounted::Blocked(term)) => {
                    return CountedIn::Out(self.blocked(user, term));
                }
                CountAnswer::Not(NotCounted::Closed) => {
                    let why = DenialReason::ClusterAway;
                    return CountedIn::Out(Out {
                        why,
                        ..self.full_now(user)
                    });
                }
            };
            let full = Out {
                why: DenialReason::UserLimit,
                held: held.held,
                limit: held.limit,
                retry_after: None,
            };
            if self.clock.now() >= way.look_until {
                return CountedIn::Full(full, Look::Again);
            }
            // What is gone here while the ledger does not know yet costs nobody anything.
            victims = held.gone_here();
            if held.needed() == 0 {
                continue;
            }
            match self.look_over(user, key, displace, way, Some(&held)).await {
                Look::Again => victims.append(&mut way.victims),
                look => return CountedIn::Full(full, look),
            }
        }
    }
}
