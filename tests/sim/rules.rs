//! The tier table as the promises tell it, written a second time.
//!
//! Checkers judge by this and never ask the host what it would allow: a mistake in the host's own
//! table must not excuse itself.

use std::collections::BTreeSet;

use wastegate_core::decision::{Class, Row, Standing};
use wastegate_core::types::{Health, Protection, Signal, Tier};

/// What the operator set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) enabled: BTreeSet<Tier>,
    pub(crate) user_last_tier: Tier,
    pub(crate) node_last_tier: Tier,
    pub(crate) reserve: u32,
    pub(crate) keep_one: bool,
    /// Force may be refused to a user that had it often.
    pub(crate) force_rationed: bool,
    pub(crate) managers_per_user: u32,
}

/// What is known of one manager at one moment: the bare facts, before anyone has judged them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Facts {
    pub(crate) user: String,
    pub(crate) key: String,
    pub(crate) life: u64,
    pub(crate) standing: Standing,
    pub(crate) health: Health,
    pub(crate) taken_over: bool,
    pub(crate) protection: Protection,
    pub(crate) idle_ms: f64,
    pub(crate) age_ms: f64,
    pub(crate) queued_bytes: f64,
}

impl Facts {
    pub(crate) fn of(row: &Row) -> Self {
        Self {
            user: row.user.as_str().to_owned(),
            key: row.key.as_str().to_owned(),
            life: row.manager.raw(),
            standing: row.standing,
            health: row.health,
            taken_over: row.taken_over,
            protection: row.protection,
            idle_ms: row.idle_ms(),
            age_ms: row.signals[Signal::AgeMs],
            queued_bytes: row.signals[Signal::QueuedBytes],
        }
    }

    /// What kind of candidate that makes it; none for a newborn.
    pub(crate) fn kind(&self) -> Option<Class> {
        let attached = match self.standing {
            Standing::Newborn => return None,
            Standing::NeverAttached | Standing::Expired => return Some(Class::Expired),
            Standing::Attached => true,
            Standing::Detached => false,
        };
        let kind = match self.health {
            Health::Dead => Class::Dead,
            _ if self.taken_over => Class::TakenOver,
            Health::Stuck => Class::Stuck,
            Health::HalfOpen if attached => Class::HalfOpen,
            Health::Stalled if attached => Class::Stalled,
            _ if !attached => Class::Detached,
            Health::Suspect => Class::Suspect,
            _ => Class::Responsive,
        };
        Some(kind)
    }

    pub(crate) fn is_responsive(&self) -> bool {
        self.kind() == Some(Class::Responsive)
    }
}

impl Rules {
    /// Whether a tier may touch a manager. `occupancy` is held over limit.
    pub(crate) fn may_touch(&self, tier: Tier, occupancy: f64, facts: &Facts) -> bool {
        let Some(kind) = facts.kind() else {
            return false;
        };
        let gone = matches!(kind, Class::Dead | Class::TakenOver | Class::Expired);
        let held_fast = match facts.protection {
            Protection::Pinned => true,
            Protection::Protected(_) => tier != Tier::Force && !gone,
            Protection::Evictable => false,
        };
        let unattended = gone || matches!(kind, Class::Detached | Class::Stuck);
        let in_reach = match tier {
            Tier::Proactive => gone || (kind == Class::Detached && facts.idle_ms > ttl(occupancy)),
            Tier::Conservative => gone,
            Tier::Moderate => unattended,
            Tier::Aggressive => kind != Class::Responsive,
            Tier::Force => true,
        };
        self.enabled.contains(&tier) && !held_fast && in_reach
    }

    /// Those of a user that an admission could have taken.
    pub(crate) fn takeable<'a>(&self, facts: &'a [Facts], last: Tier) -> Vec<&'a Facts> {
        let tiers: Vec<Tier> = Tier::ADMISSION
            .into_iter()
            .filter(|tier| *tier <= last && !(self.force_rationed && *tier == Tier::Force))
            .collect();
        let below: Vec<Tier> = tiers
            .iter()
            .copied()
            .filter(|tier| *tier != Tier::Force)
            .collect();
        let by =
            |tiers: &[Tier], one: &Facts| tiers.iter().any(|tier| self.may_touch(*tier, 1.0, one));
        let responsive = |user: &str| {
            facts
                .iter()
                .filter(|one| one.user == user && one.is_responsive())
                .count()
        };
        facts
            .iter()
            .filter(|one| {
                let kept = self.keep_one && one.is_responsive() && responsive(&one.user) <= 1;
                by(&below, one) || (by(&tiers, one) && !kept)
            })
            .collect()
    }
}

/// The idle time at an occupancy, in ms: 600 s up to .85, 2 s from .95 on.
fn ttl(occupancy: f64) -> f64 {
    let (min, max) = (2_000.0, 600_000.0);
    min + (max - min) * ((0.95 - occupancy) / 0.1).clamp(0.0, 1.0)
}
