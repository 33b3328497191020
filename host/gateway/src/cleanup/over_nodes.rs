//! Making room for a user that is at its limit on all nodes together: the same tiers, guard and ranking, over managers
//! here and elsewhere.
//!
//! A manager here is evicted at once. One elsewhere is only chosen: the ledger takes it out for the newcomer, in one
//! step and only as it was seen, and then its node is told. So tier by tier nothing that answers goes while something
//! that is gone is held on any node. Probes go to managers here; of others holds what their nodes published.

use std::sync::Arc;

use super::ask::Patience;
use super::decide::Terms;
use super::driver::{Cleaner, FORCE_LOOKS};
use super::pass::Pass;
use super::run::Cleanup;
use crate::cluster::{ChosenVictim, ClusterNode, HeldOverNodes, Surplus};
use crate::manager::Manager;
use crate::tasks::Supervisor;
use wastegate_cluster::ledger::{NodeCommand, NodeOrder, NodeOutcome};
use wastegate_core::decision::{Class, Question, Row, Snapshot, Standing, TierTable, Victim};
use wastegate_core::types::{
    Eviction, EvictionCause, PeerState, Protection, Scope, Tier, Timestamp, UserId,
};

/// What a look over all nodes came to.
#[derive(Debug, Default)]
pub struct RoomOverNodes {
    /// What the tiers did.
    pub cleanup: Cleanup,
    /// Who leaves the ledger for the newcomer: those that were evicted here, and those that were chosen elsewhere.
    pub victims: Vec<ChosenVictim>,
}

/// How a look over all nodes ranks.
#[derive(Clone, Copy)]
struct Look<'a> {
    table: &'a TierTable,
    pass: Pass,
    /// How many have to go.
    needed: u32,
    /// What victims are told, where it is not the tier.
    cause: Option<EvictionCause>,
    /// At `force` no more than the user's ration.
    rationed: bool,
}

impl Cleaner {
    /// Works through the tiers of a pass over what a user holds on all nodes, for one newcomer.
    pub async fn make_room_over_nodes(
        &self,
        user: &UserId,
        pass: Pass,
        held: &HeldOverNodes,
    ) -> RoomOverNodes {
        let look = Look {
            table: &self.config.table,
            pass,
            needed: held.needed(),
            cause: None,
            rationed: true,
        };
        let room = self.look_over_nodes(user, held, look).await;
        room.cleanup.note(Scope::User, pass);
        room
    }

    async fn look_over_nodes(
        &self,
        user: &UserId,
        held: &HeldOverNodes,
        look: Look<'_>,
    ) -> RoomOverNodes {
        let mut room = RoomOverNodes::default();
        let mut patience = Patience::default();
        for tier in self.tiers_over_nodes(look) {
            for turn in 1..=FORCE_LOOKS {
                let freed = room.cleanup.freed;
                let needed = look.needed.saturating_sub(freed);
                if needed == 0 {
                    room.cleanup.enough = true;
                    return room;
                }
                let probe = look.table.rule(tier).probe;
                let round = self.prober.first(probe, || held.here()).await;
                let now = self.clock.now();
                let snapshot = self.snapshot_over_nodes(held, &room, now);
                let rationed = look.rationed && tier == Tier::Force;
                let allowed = if rationed {
                    self.rotation.allow(user, needed, now)
                } else {
                    needed
                };
                let terms = Terms {
                    table: look.table,
                    cause: look.cause.unwrap_or(EvictionCause::Cleanup(tier)),
                    active_too: turn == FORCE_LOOKS,
                    pass: look.pass,
                    needed: &|| allowed,
                };
                let question = self.ranker.question(&snapshot, look.table, tier, allowed);
                let (run, gone) = self
                    .decide_over_nodes(question.clone(), terms, &mut patience)
                    .await;
                self.recorder.tier_ran(Some(user), &run, round);
                if rationed {
                    self.rotation
                        .give_back(user, allowed.saturating_sub(run.freed));
                }
                room.victims
                    .extend(gone.iter().filter_map(|it| chosen(held, &question, it)));
                room.cleanup.freed += run.freed;
                room.cleanup.runs.push(run);
                if tier != Tier::Force || run.freed >= allowed || run.eligible == 0 {
                    break;
                }
            }
        }
        let now = self.clock.now();
        let is_newborn = |manager: &Arc<Manager>| manager.standing(now) == Standing::Newborn;
        room.cleanup.newborns = held.has_newborns_elsewhere() || held.here().iter().any(is_newborn);
        room.cleanup.enough = room.cleanup.freed >= look.needed;
        room
    }

    fn tiers_over_nodes(&self, look: Look<'_>) -> impl Iterator<Item = Tier> {
        let table = look.table.clone();
        let last = self.config.user_last_tier;
        Tier::ADMISSION.into_iter().filter(move |tier| {
            let may = look.cause.is_some() || *tier <= last;
            look.pass.has(*tier) && may && table.rule(*tier).enabled
        })
    }

    fn snapshot_over_nodes(
        &self,
        held: &HeldOverNodes,
        room: &RoomOverNodes,
        now: Timestamp,
    ) -> Snapshot {
        let taken: Vec<_> = room.victims.iter().map(|it| it.victim.key).collect();
        let rows = held.rows(&taken, |manager| self.registry.row(manager, now));
        let snapshot = Snapshot {
            scope: Scope::User,
            now,
            limit: held.limit,
            held: held.held.saturating_sub(room.cleanup.freed),
            rows,
        };
        snapshot.sorted()
    }

    /// Whether `force` would find a manager of the user on any node now.
    #[must_use]
    pub(crate) fn could_displace_over_nodes(&self, held: &HeldOverNodes) -> bool {
        let room = RoomOverNodes::default();
        self.would_plan(&self.snapshot_over_nodes(held, &room, self.clock.now()))
    }

    /// Does what other nodes ask of managers here, and ends surpluses, from now on.
    pub(super) fn start_over_nodes(self: &Arc<Self>, supervisor: &Supervisor) {
        let Some(cluster) = &self.cluster else { return };
        let cleaner = self.clone();
        cluster.work(supervisor, "cluster-commands", move |cluster| {
            let cleaner = cleaner.clone();
            async move {
                loop {
                    for command in cluster.commands().await {
                        let outcome = cleaner.obey(&cluster, &command).await;
                        cluster.answer(&command, outcome);
                    }
                }
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

    /// A user holds more than it may on all nodes: what is too much goes by rank.
    async fn end_surplus(&self, cluster: &ClusterNode, surplus: Surplus) {
        let Surplus {
            user,
            held,
            was_lent,
        } = surplus;
        // What was lent goes whether or not the operator lets `force` take anybody else.
        let (table, cause) = if was_lent {
            let cause = EvictionCause::TemporarySlotExpired;
            (self.sweeps.surplus_table(), Some(cause))
        } else {
            (&self.config.table, None)
        };
        let mut needed = held.over();
        for pass in [Pass::BelowForceOnly, Pass::Force] {
            let look = Look {
                table,
                pass,
                needed,
                cause,
                rationed: false,
            };
            let room = self.look_over_nodes(&user, &held, look).await;
            cluster.take_out(&user, &room.victims).await;
            needed = needed.saturating_sub(room.cleanup.freed);
            if needed == 0 || room.cleanup.freed > 0 {
                // What is left is looked at again, with what is held then.
                return;
            }
        }
    }

    /// Does what another node asks of a manager here.
    async fn obey(&self, cluster: &ClusterNode, command: &NodeCommand) -> NodeOutcome {
        let Some(manager) = cluster.manager_of(command) else {
            return NodeOutcome::Gone;
        };
        match command.order {
            NodeOrder::Evict { tier, answering } => {
                self.evict_for_another_node(cluster, &manager, tier, answering)
            }
            NodeOrder::Probe => {
                self.prober.round(std::slice::from_ref(&manager)).await;
                let row = self.registry.row(&manager, self.clock.now());
                match row.class() {
                    Some(Class::Responsive) | None => NodeOutcome::Answering,
                    Some(_) => NodeOutcome::Silent,
                }
            }
            NodeOrder::TakeOver { device } => {
                if let Some(device) = cluster.device_of(&manager, device) {
                    manager.take_over(&device);
                }
                NodeOutcome::Gone
            }
        }
    }

    /// A manager has left the ledger for a newcomer elsewhere. Its node looks once more before it acts.
    fn evict_for_another_node(
        &self,
        cluster: &ClusterNode,
        manager: &Arc<Manager>,
        tier: Tier,
        answering: bool,
    ) -> NodeOutcome {
        let now = self.clock.now();
        let seen_at = manager.mark.published().map_or(manager.created, |it| it.1);
        let still = |manager: &Manager| {
            let row = self.registry.row(manager, now);
            may_go(&row, answering, manager.activity().last() > seen_at)
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

/// Whether a manager that another node chose still is one that may go: not pinned, not one that answers where it was
/// taken for gone, and not active since its columns were published.
fn may_go(row: &Row, answering: bool, active_since: bool) -> bool {
    let Some(class) = row.class() else {
        return false;
    };
    let held = row.protection == Protection::Pinned && !class.is_gone();
    let revived = class == Class::Responsive && (!answering || active_since);
    !held && !revived
}

/// What a victim of a plan is in the ledger.
fn chosen(held: &HeldOverNodes, question: &Question, victim: &Victim) -> Option<ChosenVictim> {
    let row = question.rows.get(usize::try_from(victim.row).ok()?)?;
    Some(ChosenVictim {
        victim: held.victim_of(row)?,
        tier: question.tier,
        answering: victim.class == Class::Responsive,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wastegate_core::decision::testing::row;
    use wastegate_core::types::Health;

    #[test]
    fn an_owner_spares_what_came_back_to_life_and_nothing_else() {
        let alive = || row("a", 1_000);
        let dead = || alive().with_health(Health::Dead);
        assert!(may_go(&alive(), true, false), "it was idle, as it was seen");
        assert!(!may_go(&alive(), true, true), "it became active since");
        assert!(!may_go(&alive(), false, false), "it was taken for gone");
        assert!(may_go(&dead(), false, true), "it is gone");
        let pinned = Protection::Pinned;
        assert!(!may_go(&alive().with_protection(pinned), true, false));
        assert!(may_go(&dead().with_protection(pinned), false, false));
        let newborn = alive().with_standing(Standing::Newborn);
        assert!(!may_go(&newborn, true, false));
    }
}
