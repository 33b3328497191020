//! What other nodes of the cluster ask of managers here: to evict one, to probe one, to close an older connection; and
//! what they tell of users.
//!
//! The node that asks has decided already, by what was published. This one looks once more before it acts.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};

use super::driver::Cleaner;
use crate::cluster::{ClusterNode, Heard};
use crate::manager::Manager;
use crate::tasks::Supervisor;
use wastegate_cluster::ledger::{NodeCommand, NodeOrder, NodeOutcome};
use wastegate_core::decision::{Class, Row};
use wastegate_core::types::{Eviction, EvictionCause, PeerState, Protection, Tier};

/// Rounds of probes for other nodes at once.
const PROBES_AT_ONCE: usize = 256;

impl Cleaner {
    /// Does what other nodes ask of managers here, and ends surpluses, from now on.
    pub(super) fn start_over_nodes(self: &Arc<Self>, supervisor: &Supervisor) {
        let Some(cluster) = &self.cluster else { return };
        let cleaner = self.clone();
        cluster.work(supervisor, "cluster-commands", move |cluster| {
            let cleaner = cleaner.clone();
            async move {
                loop {
                    for heard in cluster.heard().await {
                        match heard {
                            Heard::Command(command) => cleaner.obey(&cluster, command),
                            Heard::News(news) => cleaner.rotation.hear(&news, cleaner.clock.now()),
                        }
                    }
                }
            }
        });
        let cleaner = self.clone();
        cluster.work(supervisor, "cluster-probes", move |cluster| {
            let cleaner = cleaner.clone();
            async move {
                let next = stream::unfold((), async |()| Some((cluster.next_probe().await, ())));
                let probed = next.for_each_concurrent(PROBES_AT_ONCE, async |command| {
                    cleaner.probe_for_another_node(&cluster, &command).await;
                });
                probed.await;
            }
        });
        let cleaner = self.clone();
        cluster.work(supervisor, "cluster-surplus", move |cluster| {
            let cleaner = cleaner.clone();
            async move {
                loop {
                    let surplus = cluster.next_surplus().await;
                    cleaner.end_surplus(&cluster, surplus).await;
                }
            }
        });
    }

    /// Does what another node asks of a manager here.
    fn obey(&self, cluster: &ClusterNode, command: NodeCommand) {
        let Some(manager) = cluster.manager_of(&command) else {
            return cluster.answer(&command, NodeOutcome::Gone, None);
        };
        let outcome = match command.order {
            NodeOrder::Evict {
                tier,
                answering,
                past_pin,
            } => self.evict_for_another_node(cluster, &manager, tier, (answering, past_pin)),
            NodeOrder::TakeOver { device } => {
                if let Some(device) = cluster.device_of(&manager, device) {
                    manager.take_over(&device);
                }
                NodeOutcome::Gone
            }
            // A round of probes takes its time, which no other command waits for.
            NodeOrder::Probe => return cluster.probe_soon(command),
        };
        cluster.answer(&command, outcome, None);
    }

    /// Finds out for another node whether a manager's peers answer.
    async fn probe_for_another_node(&self, cluster: &ClusterNode, command: &NodeCommand) {
        let Some(manager) = cluster.manager_of(command) else {
            return cluster.answer(command, NodeOutcome::Gone, None);
        };
        self.prober.round(std::slice::from_ref(&manager)).await;
        let now = self.clock.now();
        let believed = self.registry.believed(&manager, now);
        let outcome = match Class::of(believed.standing, believed.health, believed.taken_over) {
            Some(Class::Responsive) | None => NodeOutcome::Answering,
            Some(_) => {
                cluster.found(&manager);
                NodeOutcome::Silent
            }
        };
        let idle = now.since(manager.activity().last());
        cluster.answer(command, outcome, Some(idle));
    }

    /// A manager has left the ledger for a newcomer elsewhere. Its node looks once more before it acts.
    fn evict_for_another_node(
        &self,
        cluster: &ClusterNode,
        manager: &Arc<Manager>,
        tier: Tier,
        (answering, past_pin): (bool, bool),
    ) -> NodeOutcome {
        let now = self.clock.now();
        let seen_at = manager.mark.published().map_or(manager.created, |it| it.1);
        let still = |manager: &Manager| {
            let row = self.registry.row(manager, now);
            // `force` was told how idle it is, and takes whom it chose, as it does on one node in the end.
            let active_since = tier < Tier::Force && manager.activity().last() > seen_at;
            may_go(&row, (answering, past_pin), active_since)
        };
        let eviction = Eviction {
            cause: EvictionCause::Cleanup(tier),
            decision: None,
            peer: if answering {
                PeerState::Answering
            } else {
                PeerState::Silent
            },
        };
        let (user, key) = (&manager.user, &manager.key);
        if self
            .registry
            .evict(user, key, manager.id, eviction, still)
            .is_some()
        {
            if answering {
                self.rotation.displaced(user, key, now);
            }
            tracing::debug!(
                tier = tier.name(),
                manager = %manager.id,
                answering,
                "evicted for a newcomer on another node"
            );
            return NodeOutcome::Gone;
        }
        if manager.end().is_some() {
            return NodeOutcome::Gone;
        }
        cluster.keeps(manager);
        NodeOutcome::Spared
    }
}

/// Whether a manager that another node chose still is one that may go: not held by a pin, not one that answers where
/// it was taken for gone, and not active since its columns were published.
fn may_go(row: &Row, (answering, past_pin): (bool, bool), active_since: bool) -> bool {
    let Some(class) = row.class() else {
        return false;
    };
    let held = row.protection == Protection::Pinned && !class.is_gone() && !past_pin;
    let revived = class == Class::Responsive && (!answering || active_since);
    !held && !revived
}

#[cfg(test)]
mod tests {
    use super::*;
    use wastegate_core::decision::Standing;
    use wastegate_core::decision::testing::row;
    use wastegate_core::types::Health;

    #[test]
    fn an_owner_spares_what_came_back_to_life_and_nothing_else() {
        let alive = || row("a", 1_000);
        let dead = || alive().with_health(Health::Dead);
        let (answering, silent) = ((true, false), (false, false));
        assert!(
            may_go(&alive(), answering, false),
            "it was idle, as it was seen"
        );
        assert!(!may_go(&alive(), answering, true), "it became active since");
        assert!(!may_go(&alive(), silent, false), "it was taken for gone");
        assert!(may_go(&dead(), silent, true), "it is gone");
        let pinned = Protection::Pinned;
        assert!(!may_go(&alive().with_protection(pinned), answering, false));
        assert!(may_go(&dead().with_protection(pinned), silent, false));
        let past_pin = (true, true);
        assert!(may_go(&alive().with_protection(pinned), past_pin, false));
        assert!(!may_go(&alive().with_protection(pinned), past_pin, true));
        let newborn = alive().with_standing(Standing::Newborn);
        assert!(!may_go(&newborn, answering, false));
    }
}
