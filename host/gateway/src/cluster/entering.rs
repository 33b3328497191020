//! One newcomer and the ledger: counted there, or what it met.

use std::sync::Arc;
use std::time::Duration;

use super::held::{ChosenVictim, HeldOverNodes};
use super::node::ClusterNode;
use crate::manager::Manager;
use crate::registry::BlockTerm;
use wastegate_cluster::ledger::{
    AwayRule, EnterAnswer, HeldEntry, Ledger as _, LedgerError, LendAnswer, LendAsk, Life, NodePart,
};
use wastegate_core::types::{Timestamp, UserId};

/// Where a newcomer stands after the ledger was asked.
#[derive(Debug)]
pub enum CountAnswer {
    /// It is let in.
    In,
    /// It is not.
    Not(NotCounted),
}

/// Why a newcomer is not let in.
#[derive(Debug)]
pub enum NotCounted {
    /// Its user holds as many on all nodes as it may.
    Full(HeldOverNodes),
    /// The engine is away, and the rule lets no new manager in.
    Closed,
    /// An operator has blocked its user, on all nodes.
    Blocked(BlockTerm),
}

impl ClusterNode {
    /// Has a manager of this node counted by the ledger, within `left` and the settings' budget. Victims leave for it
    /// where nothing is free; those that left are told to. One that is counted already costs nothing.
    pub async fn enter(
        &self,
        manager: &Arc<Manager>,
        victims: &[ChosenVictim],
        left: Duration,
    ) -> CountAnswer {
        if manager.mark.is_in() {
            return CountAnswer::In;
        }
        manager.mark.ask();
        let user = &manager.user;
        let (hash, now) = (self.know(user), self.clock.now());
        let key = self.key_hash(user, &manager.key);
        let budget = self.config.budget.min(left);
        let ask = {
            let victims = victims.iter().map(|it| it.victim.clone()).collect();
            let limit = self.registry.own_limit(user);
            let membership = self.membership.lock();
            membership.enter((key, manager.id), limit, victims, budget, now)
        };
        let ask = match ask {
            Ok(ask) => ask,
            Err(error) => return self.without(manager, victims, &error),
        };
        let answer = tokio::time::timeout(budget, self.ledger.enter(hash, &ask)).await;
        let answer = answer.unwrap_or(Err(LedgerError::TimedOut(budget)));
        self.metrics.entered(&answer);
        let (now_ms, answer) = match answer {
            Ok(answer) => (answer.now_ms, answer.answer),
            Err(error) => return self.without(manager, victims, &error),
        };
        match answer {
            EnterAnswer::Entered {
                held,
                taken,
                others,
            } => {
                self.told_to_go(user, victims.get(..taken).unwrap_or(victims));
                self.let_in(manager, ask.life, held, &others);
                CountAnswer::In
            }
            EnterAnswer::Full { limit, entries } => {
                CountAnswer::Not(NotCounted::Full(self.full(user, limit, entries, now_ms)))
            }
            EnterAnswer::Blocked { until_ms } => {
                let end = until_ms.map(|end| Duration::from_millis(end.saturating_sub(now_ms)));
                let term = end.map_or(BlockTerm::Open, |end| BlockTerm::Until(now.after(end)));
                CountAnswer::Not(NotCounted::Blocked(term))
            }
            EnterAnswer::Late => self.without(manager, victims, &LedgerError::TimedOut(budget)),
        }
    }

    /// It has its entry.
    fn let_in(&self, manager: &Manager, life: Life, held: u32, others: &[NodePart]) {
        let user = &manager.user;
        // This one is among those that the ledger has, and not marked as such yet.
        let here = self.counted_here(user) + 1;
        self.elsewhere.note(user, held.saturating_sub(here));
        if !others.is_empty() {
            let lives = others.iter().map(|part| part.life).collect();
            self.others.lock().insert(manager.id, lives);
        }
        let is_current = self.membership.lock().epoch() == life.epoch;
        let is_here = if is_current {
            manager.mark.enter()
        } else {
            // The node got another life meanwhile: what was entered counts for nothing.
            manager.mark.assume()
        };
        if !is_here {
            self.others.lock().remove(&manager.id);
            self.give_back(user, &manager.key, manager.id);
        }
        self.publish_soon(user);
    }

    fn full(
        &self,
        user: &UserId,
        limit: u32,
        entries: Vec<HeldEntry>,
        now_ms: u64,
    ) -> HeldOverNodes {
        let mut held = self.over_nodes(user, limit, entries, now_ms);
        held.end_surplus_pins(self.clock.now());
        let here = self.counted_here(user);
        self.elsewhere.note(user, held.held.saturating_sub(here));
        held
    }

    /// The ledger was not to be had. If the call was carried out all the same, the manager leaves there as it goes,
    /// or is found there as it is asserted.
    fn without(
        &self,
        manager: &Manager,
        victims: &[ChosenVictim],
        error: &LedgerError,
    ) -> CountAnswer {
        let user = &manager.user;
        let now = self.clock.now();
        // One after the other, so that no two newcomers take the same place.
        let _one = self.deciding.lock();
        let here = self.counted_here(user);
        let elsewhere = self.elsewhere.of(user);
        let limit = self.registry.limit(user, now);
        let rule = self.config.away;
        // For one that went here one may come, whatever is held elsewhere: together they are no more than before.
        let swaps = rule != AwayRule::Closed && victims.iter().any(|it| self.was_here(it));
        let admits = swaps || rule.admits(here, elsewhere, limit);
        self.metrics.without(rule, admits);
        tracing::debug!(%error, here, elsewhere, limit, admits, "admitted or not without the ledger");
        if admits {
            manager.mark.assume();
            self.publish_soon(user);
            return CountAnswer::In;
        }
        CountAnswer::Not(match rule {
            AwayRule::Closed => NotCounted::Closed,
            AwayRule::Static | AwayRule::Open => {
                let held = here.saturating_add(elsewhere).min(limit);
                NotCounted::Full(self.alone(user, limit, held))
            }
        })
    }

    /// Whether a victim was on this node only, so that it was evicted as it was chosen.
    fn was_here(&self, chosen: &ChosenVictim) -> bool {
        let own = self.membership.lock().epoch();
        matches!(&*chosen.victim.lives, [life] if life.epoch == own)
    }

    /// How many managers of a user here are counted, or let in without the ledger: not who is on the way in.
    pub(super) fn counted_here(&self, user: &UserId) -> u32 {
        let managers = self.registry.of(user);
        let counted = managers.iter().filter(|it| it.mark.is_in()).count();
        u32::try_from(counted).unwrap_or(u32::MAX)
    }

    /// Lends a user its temporary slots on all nodes, once per cool-down; until then. None if the ledger gives it none
    /// now, or does not answer.
    pub async fn lend(&self, user: &UserId, now: Timestamp, left: Duration) -> Option<Timestamp> {
        let lending = self.registry.limits().lending();
        if lending.slots == 0 || self.is_away() {
            return None;
        }
        let ask = LendAsk {
            limit: self.registry.own_limit(user),
            slots: lending.slots,
            lasting: lending.lasting,
            cool_down: lending.cool_down,
            dead: self.membership.lock().dead().clone(),
        };
        let call = self.ledger.lend(self.user_hash(user), &ask);
        let answer = tokio::time::timeout(self.config.budget.min(left), call).await;
        let answer = answer.unwrap_or(Err(LedgerError::TimedOut(left)));
        self.metrics.called("lend", &answer);
        let answer = answer.ok()?;
        match answer.answer {
            LendAnswer::Lent(until) | LendAnswer::Running(until) => {
                let left = Duration::from_millis(until.saturating_sub(answer.now_ms));
                Some(now.after(left))
            }
            LendAnswer::CoolingDown(_) => None,
        }
    }
}
