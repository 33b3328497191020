//! Making room for a user that is at its limit on all nodes together: the same tiers, guard and ranking, over managers
//! here and elsewhere.
//!
//! A manager here is evicted at once. One elsewhere is only chosen: the ledger takes it out for the newcomer, in one
//! step and only as it was seen, and then its node is told. So tier by tier nothing that answers goes while something
//! that is gone is held on any node. Where a tier probes, each node that holds a manager of the user probes it there;
//! of one that says nothing in time holds what it published.

use std::sync::Arc;
use std::time::Duration;

use super::ask::Patience;
use super::decide::Terms;
use super::driver::{Cleaner, FORCE_LOOKS};
use super::pass::Pass;
use super::run::Cleanup;
use crate::cluster::{ChosenVictim, ClusterNode, FoundThere, HeldOverNodes, Surplus};
use crate::health::Round;
use crate::manager::Manager;
use wastegate_cluster::ledger::KeyHash;
use wastegate_core::decision::{Class, Probe, Question, Snapshot, Standing, TierTable, Victim};
use wastegate_core::types::{EvictionCause, Scope, Tier, Timestamp, UserId};

/// What a look over all nodes came to.
#[derive(Debug, Default)]
pub struct RoomOverNodes {
    /// What the tiers did.
    pub cleanup: Cleanup,
    /// Who leaves the ledger for the newcomer: those that were evicted here, and those that were chosen elsewhere.
    pub victims: Vec<ChosenVictim>,
    /// What nodes found out of managers there, after a tier asked.
    found: Vec<(KeyHash, FoundThere)>,
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
    /// Until when it has to be done; none if nobody waits.
    until: Option<Timestamp>,
}

impl Cleaner {
    /// Works through the tiers of a pass over what a user holds on all nodes, for one newcomer that waits until then.
    /// A round of probes that could not end by then is not begun: what is known has to do.
    pub async fn make_room_over_nodes(
        &self,
        user: &UserId,
        pass: Pass,
        held: &HeldOverNodes,
        until: Timestamp,
    ) -> RoomOverNodes {
        let look = Look {
            table: &self.config.table,
            pass,
            needed: held.needed(),
            cause: None,
            rationed: true,
            until: Some(until),
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
                let probe = self.probe_in_time(look, tier);
                let round = self.prober.first(probe, || held.here());
                // Whom `force` takes is chosen by what is so now, too: what was published may be 15 s old.
                let round_max = match probe {
                    Probe::Round => Some(self.prober.config().probe_deadline),
                    Probe::Cached if tier == Tier::Force && room.found.is_empty() => {
                        Some(Duration::ZERO)
                    }
                    Probe::Cached => None,
                };
                let (round, found) =
                    futures_util::join!(round, self.ask_over_nodes(user, held, round_max));
                let round = round.map(|round| counted(round, &found));
                if round_max.is_some() {
                    room.found = found;
                }
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
                    self.rotation.made(user, allowed, run.freed);
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

    /// How a tier finds out who is there, in the time that is left.
    fn probe_in_time(&self, look: Look<'_>, tier: Tier) -> Probe {
        // Always shorter than the budget of an admission, so that its first look probes.
        let takes = self.prober.config().probe_deadline;
        let now = self.clock.now();
        match look.until {
            Some(until) if until.since(now) < takes => Probe::Cached,
            _ => look.table.rule(tier).probe,
        }
    }

    /// What other nodes find out of the user's managers there, where that is asked.
    async fn ask_over_nodes(
        &self,
        user: &UserId,
        held: &HeldOverNodes,
        round_max: Option<Duration>,
    ) -> Vec<(KeyHash, FoundThere)> {
        match (&self.cluster, round_max) {
            (Some(cluster), Some(round_max)) if !held.is_alone() => {
                cluster.ask_nodes(user, held, round_max).await
            }
            _ => Vec::new(),
        }
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
        let row = |manager: &Manager| self.registry.row(manager, now);
        let rows = held.rows(&taken, &room.found, row, now);
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

    /// A user holds more than it may on all nodes: what is too much goes by rank.
    pub(super) async fn end_surplus(&self, cluster: &ClusterNode, surplus: Surplus) {
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
                until: None,
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
}

/// A round with what other nodes found in theirs.
fn counted(mut round: Round, found: &[(KeyHash, FoundThere)]) -> Round {
    let answering = found.iter().filter(|it| it.1.answers);
    round.asked += found.len();
    round.answered += answering.count();
    round
}

/// What a victim of a plan is in the ledger.
fn chosen(held: &HeldOverNodes, question: &Question, victim: &Victim) -> Option<ChosenVictim> {
    let row = question.rows.get(usize::try_from(victim.row).ok()?)?;
    held.chosen(row, question.tier, victim.class == Class::Responsive)
}
