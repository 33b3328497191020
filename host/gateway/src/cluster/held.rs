//! What a user holds on all nodes, as the ledger listed it: what an admission ranks when the user is at its limit.

use std::collections::HashMap;
use std::sync::Arc;

use super::asking::FoundThere;
use super::node::ClusterNode;
use crate::manager::Manager;
use wastegate_cluster::ledger::{Epoch, HeldEntry, KeyHash, LedgerVictim, PartState};
use wastegate_core::decision::{Class, Elsewhere, Row};
use wastegate_core::types::{
    Health, ManagerId, ManagerKey, Protection, Signal, SignalRow, Tier, Timestamp, UserId,
};

/// What a user holds on all nodes.
#[derive(Debug)]
pub struct HeldOverNodes {
    /// How many it may hold.
    pub limit: u32,
    /// How many it holds, without the newcomer that was asked for, and without what is gone here.
    pub held: u32,
    entries: Vec<Entry>,
    /// The ledger did not answer: what is here is known only, and who goes here makes room here.
    is_alone: bool,
}

#[derive(Debug)]
struct Entry {
    victim: LedgerVictim,
    place: Place,
    /// Its pin elsewhere is one too many: its owner may evict it all the same.
    past_pin: bool,
}

#[derive(Debug)]
enum Place {
    /// On this node only.
    Here(Arc<Manager>),
    /// On this node only, and gone here; the ledger does not know yet.
    GoneHere,
    /// On another node, or on several.
    Elsewhere(Box<Row>),
}

/// A manager that is to leave the ledger for a newcomer, and what its owner has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenVictim {
    /// Who, by the lives that were seen.
    pub victim: LedgerVictim,
    /// The tier that chose it.
    pub tier: Tier,
    /// Whether it was believed to answer.
    pub answering: bool,
    /// Whether its pin is one more than its user's limit leaves.
    pub past_pin: bool,
}

impl HeldOverNodes {
    /// How many have to go for one newcomer.
    #[must_use]
    pub const fn needed(&self) -> u32 {
        (self.held + 1).saturating_sub(self.limit)
    }

    /// How many are above the limit.
    #[must_use]
    pub const fn over(&self) -> u32 {
        self.held.saturating_sub(self.limit)
    }

    /// Whether only this node is known, because the ledger does not answer.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Whether a first connection is on its way to a manager of another node, which may turn out to be one that may go.
    #[must_use]
    pub fn has_newborns_elsewhere(&self) -> bool {
        let rows = self.entries.iter().filter_map(|entry| match &entry.place {
            Place::Elsewhere(row) => Some(row),
            Place::Here(_) | Place::GoneHere => None,
        });
        rows.into_iter().any(|row| row.class().is_none())
    }

    /// What is gone on this node while the ledger does not know yet: it goes first.
    #[must_use]
    pub fn gone_here(&self) -> Vec<ChosenVictim> {
        let gone = |entry: &&Entry| matches!(entry.place, Place::GoneHere);
        let entries = self.entries.iter().filter(gone);
        let chosen = entries.map(|entry| ChosenVictim {
            victim: entry.victim.clone(),
            tier: Tier::Conservative,
            answering: false,
            past_pin: false,
        });
        chosen.collect()
    }

    /// Managers on other nodes whose peers answered when they were published.
    pub(super) fn answering_elsewhere(&self) -> impl Iterator<Item = &LedgerVictim> {
        let entries = self.entries.iter().filter(|entry| match &entry.place {
            Place::Elsewhere(row) => row.class() == Some(Class::Responsive),
            Place::Here(_) | Place::GoneHere => false,
        });
        entries.map(|entry| &entry.victim)
    }

    /// What the tiers choose from: managers here as they are now, others as their nodes published them or as they
    /// answered since. `taken` are chosen already.
    pub(crate) fn rows(
        &self,
        taken: &[KeyHash],
        found: &[(KeyHash, FoundThere)],
        row: impl Fn(&Manager) -> Row,
        now: Timestamp,
    ) -> Vec<Row> {
        let now_there = |key: KeyHash| found.iter().find(|it| it.0 == key).map(|it| it.1);
        let entries = self.entries.iter();
        let left = entries.filter(|entry| !taken.contains(&entry.victim.key));
        left.filter_map(|entry| match &entry.place {
            Place::Here(manager) if manager.end().is_none() => Some(row(manager)),
            Place::Here(_) | Place::GoneHere => None,
            Place::Elsewhere(row) => Some(as_found(row, now_there(entry.victim.key), now)),
        })
        .collect()
    }

    /// Managers of this node among them, to be probed.
    pub(crate) fn here(&self) -> Vec<Arc<Manager>> {
        let here = self.entries.iter().filter_map(|entry| match &entry.place {
            Place::Here(manager) => Some(manager.clone()),
            Place::GoneHere | Place::Elsewhere(_) => None,
        });
        here.collect()
    }

    /// What a row stands for, chosen by a tier.
    pub(crate) fn chosen(&self, row: &Row, tier: Tier, answering: bool) -> Option<ChosenVictim> {
        let is_it = |entry: &&Entry| match &entry.place {
            Place::Here(manager) => row.elsewhere.is_none() && manager.id == row.manager,
            Place::Elsewhere(other) => row.elsewhere.is_some() && other.key == row.key,
            Place::GoneHere => false,
        };
        let entry = self.entries.iter().find(is_it)?;
        Some(ChosenVictim {
            victim: entry.victim.clone(),
            tier,
            answering,
            past_pin: entry.past_pin,
        })
    }

    /// Ends the pins that leave no slot of the user's limit without one, because a newcomer needs room: each node
    /// keeps to the budget of pins for what it holds itself, so several together may have pinned all. The longest
    /// idle go first. One here is unpinned; one elsewhere is not held by its pin any more if it is chosen.
    pub(super) fn end_surplus_pins(&mut self, now: Timestamp) {
        let mut pinned: Vec<&mut Entry> = self.entries.iter_mut().collect();
        pinned.retain(|entry| entry.is_held_by_a_pin(now));
        let spare = usize::try_from(self.limit.saturating_sub(1)).unwrap_or(usize::MAX);
        let surplus = pinned.len().saturating_sub(spare);
        if surplus == 0 {
            return;
        }
        pinned.sort_by_key(|entry| entry.last_activity());
        for entry in pinned.into_iter().take(surplus) {
            entry.end_pin();
        }
        tracing::warn!(
            limit = self.limit,
            surplus,
            "pins ended: on all nodes together they left no room for a newcomer"
        );
    }
}

impl Entry {
    fn is_held_by_a_pin(&self, now: Timestamp) -> bool {
        match &self.place {
            Place::Here(manager) => manager.hints.is_pinned(now),
            Place::GoneHere => false,
            Place::Elsewhere(row) => {
                row.protection == Protection::Pinned && !row.class().is_some_and(Class::is_gone)
            }
        }
    }

    fn last_activity(&self) -> Timestamp {
        match &self.place {
            Place::Here(manager) => manager.activity().last(),
            Place::GoneHere => Timestamp::ZERO,
            Place::Elsewhere(row) => row.last_activity,
        }
    }

    fn end_pin(&mut self) {
        match &mut self.place {
            Place::Here(manager) => manager.unpin(),
            Place::GoneHere => {}
            Place::Elsewhere(row) => {
                row.protection = Protection::Evictable;
                row.signals[Signal::Protection] = row.protection.code();
                self.past_pin = true;
            }
        }
    }
}

impl ClusterNode {
    /// What the ledger listed of a user, with what is known here.
    pub(super) fn over_nodes(
        &self,
        user: &UserId,
        limit: u32,
        entries: Vec<HeldEntry>,
        now_ms: u64,
    ) -> HeldOverNodes {
        let now = self.clock.now();
        let own = self.membership.lock().epoch();
        let managers = self.registry.of(user).into_iter();
        let here: HashMap<KeyHash, Arc<Manager>> = managers
            .map(|manager| (self.key_hash(user, &manager.key), manager))
            .collect();
        let entries = entries.into_iter().map(|entry| {
            let victim = LedgerVictim {
                key: entry.key,
                lives: entry.lives(),
            };
            let place = match (&*victim.lives, here.get(&entry.key)) {
                ([life], Some(manager)) if life.epoch == own => Place::Here(manager.clone()),
                ([life], None) if life.epoch == own => Place::GoneHere,
                _ => Place::Elsewhere(Box::new(self.row_elsewhere(user, &entry, (now, now_ms)))),
            };
            Entry {
                victim,
                place,
                past_pin: false,
            }
        });
        let entries: Vec<Entry> = entries.collect();
        let left = entries
            .iter()
            .filter(|it| !matches!(it.place, Place::GoneHere));
        HeldOverNodes {
            limit,
            held: u32::try_from(left.count()).unwrap_or(u32::MAX),
            entries,
            is_alone: false,
        }
    }

    /// What is known of a user without the ledger.
    pub(super) fn alone(&self, user: &UserId, limit: u32, held: u32) -> HeldOverNodes {
        // Who is on the way in holds no place that could become free.
        let managers = self.registry.of(user).into_iter();
        let managers = managers.filter(|manager| manager.mark.is_in());
        let entries = managers.map(|manager| Entry {
            victim: LedgerVictim {
                key: self.key_hash(user, &manager.key),
                lives: vec![self.life(manager.id)],
            },
            place: Place::Here(manager),
            past_pin: false,
        });
        HeldOverNodes {
            limit,
            held,
            entries: entries.collect(),
            is_alone: true,
        }
    }

    /// One manager of other nodes as a row: of several parts the one that is most alive, and the strongest hold.
    fn row_elsewhere(
        &self,
        user: &UserId,
        entry: &HeldEntry,
        (now, now_ms): (Timestamp, u64),
    ) -> Row {
        let alive = |state: PartState| {
            let class = Class::of(state.standing, state.health, state.taken_over);
            class.map_or(usize::MAX, |class| class as usize)
        };
        let best = entry.parts.iter().max_by_key(|part| alive(part.state));
        let hold = |protection: Protection| match protection {
            Protection::Evictable => 0,
            Protection::Protected(_) => 1,
            Protection::Pinned => 2,
        };
        let protections = entry.parts.iter().map(|part| part.state.protection);
        let protection = protections.max_by_key(|it| hold(*it));
        let (epoch, manager, state) = best.map_or(
            (
                Epoch::from_bytes([0; 8]),
                ManagerId::from_raw(0),
                PartState::NEWBORN,
            ),
            |part| (part.life.epoch, part.life.manager, part.state),
        );
        let mut signals = best.map_or_else(SignalRow::default, |part| part.signals(now_ms));
        let idle = entry
            .parts
            .iter()
            .map(|part| part.signals(now_ms)[Signal::IdleMs]);
        let idle = idle.filter(|idle| !idle.is_nan()).reduce(f64::min);
        signals[Signal::IdleMs] = idle.unwrap_or(0.0);
        let protection = protection.unwrap_or(Protection::Evictable);
        signals[Signal::Protection] = protection.code();
        signals[Signal::Health] = state.health.code();
        signals[Signal::TakenOver] = f64::from(u8::from(state.taken_over));
        let node = self.node_name(epoch);
        let published_ms = best.map_or(now_ms, |part| part.published_ms);
        Row {
            manager,
            user: user.clone(),
            key: ManagerKey::elsewhere(&node, entry.key),
            last_activity: before(now, signals[Signal::IdleMs]),
            standing: state.standing,
            health: state.health,
            taken_over: state.taken_over,
            protection,
            signals,
            elsewhere: Some(Elsewhere {
                node,
                age_ms: now_ms.saturating_sub(published_ms),
            }),
        }
    }

    /// The name of the node with that life; its life in digits if it is not known yet.
    fn node_name(&self, epoch: Epoch) -> Arc<str> {
        let membership = self.membership.lock();
        let mut nodes = membership.nodes().iter();
        let node = nodes.find(|node| node.epoch == epoch);
        node.map_or_else(
            || epoch.to_string().into(),
            |node| node.name.as_str().into(),
        )
    }
}

/// A row of another node, with what its node found out just now.
fn as_found(row: &Row, found: Option<FoundThere>, now: Timestamp) -> Row {
    let mut row = row.clone();
    let Some(found) = found else {
        return row;
    };
    row.health = if found.answers {
        Health::Alive
    } else {
        Health::Suspect
    };
    row.signals[Signal::Health] = row.health.code();
    row.signals[Signal::ProbeAgeMs] = 0.0;
    if let Some(idle_ms) = found.idle_ms {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of a manager's life"
        )]
        let idle = idle_ms as f64;
        row.signals[Signal::IdleMs] = idle;
        row.last_activity = before(now, idle);
    }
    row
}

/// So many milliseconds before a moment.
fn before(now: Timestamp, ms: f64) -> Timestamp {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time since, which is at least 0; the cast saturates"
    )]
    let micros = (ms * 1_000.0) as u64;
    Timestamp::from_micros(now.micros().saturating_sub(micros))
}
